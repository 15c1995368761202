//! Where id tokens come from: a file for each issuer.

mod ask;
pub(crate) mod aws;
pub(crate) mod azure_pipelines;
mod buildkite;
pub mod choice;
mod error;
mod file;
mod github;
mod google;
mod kubernetes;
mod managed_identity;
mod spiffe;
pub(crate) mod token_proxy;
mod usable;
mod variable;

use std::pin::Pin;

use wif_core::{failure::Failure, secret::Secret};
use wif_io::{clock::Deadline, http::Http};

use self::error::SourceError;

/// Gives id tokens to this process. One type for all callers keeps one copy of the sign-in in the program.
pub(crate) trait IdTokenSource: Send + Sync {
    /// What signs them, as a sentence names it.
    fn signer(&self) -> &'static str;

    /// Whether it lets the caller choose the audience of an id token.
    fn takes_audience(&self) -> bool {
        true
    }

    /// An id token that came along, which may have ended by now.
    fn at_hand(&self) -> Option<&Secret> {
        None
    }

    /// Asks for a fresh one, for this audience where the source lets one choose. The failure says how to get one.
    fn fetch<'a>(&'a self, http: &'a Http, deadline: Deadline, audience: &'a str) -> Fetched<'a>;
}

/// An id token that is on its way.
pub(crate) type Fetched<'a> = Pin<Box<dyn Future<Output = Result<Secret, Box<Failure>>> + Send + 'a>>;

/// What a source does to get one, with its error as users read it.
fn fetched<'a>(asked: impl Future<Output = Result<Secret, SourceError>> + Send + 'a) -> Fetched<'a> {
    Box::pin(async move { asked.await.map_err(|error| Box::new(error.into())) })
}

/// A source, and the id token that it has given already.
pub(crate) struct WithIdToken<'a> {
    pub(crate) source: &'a dyn IdTokenSource,
    pub(crate) id_token: Option<Secret>,
}

impl IdTokenSource for WithIdToken<'_> {
    fn signer(&self) -> &'static str {
        self.source.signer()
    }

    fn takes_audience(&self) -> bool {
        self.source.takes_audience()
    }

    fn at_hand(&self) -> Option<&Secret> {
        self.id_token.as_ref()
    }

    fn fetch<'a>(&'a self, http: &'a Http, deadline: Deadline, audience: &'a str) -> Fetched<'a> {
        self.source.fetch(http, deadline, audience)
    }
}

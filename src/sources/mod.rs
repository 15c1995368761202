//! Where id tokens come from: a file for each issuer.

pub(crate) mod azure_pipelines;

use std::pin::Pin;

use wif_core::{failure::Failure, secret::Secret};
use wif_io::{clock::Deadline, http::Http};

/// What all sources read of the environment.
pub(crate) fn variables() -> impl Iterator<Item = &'static str> {
    azure_pipelines::VARIABLES.into_iter()
}

/// Gives id tokens to this process. One type for all callers keeps one copy of the sign-in in the program.
pub(crate) trait IdTokenSource: Send + Sync {
    /// An id token that came along, which may have ended by now.
    fn at_hand(&self) -> Option<&Secret>;

    /// Asks for a fresh one. The failure says how to get one.
    fn fetch<'a>(&'a self, http: &'a Http, deadline: Deadline) -> Fetched<'a>;
}

/// An id token that is on its way.
pub(crate) type Fetched<'a> = Pin<Box<dyn Future<Output = Result<Secret, Box<Failure>>> + Send + 'a>>;

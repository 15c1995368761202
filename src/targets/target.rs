//! What every other cloud has in common.

use std::pin::Pin;

use wif_broker::{cache::CachedToken, target::Dialect};
use wif_core::{exports::Family, fact::Fact, secret::Secret, token::claims::Unverified};
use wif_io::{clock::Deadline, http::Http};

use super::error::TargetError;

/// A cloud that gives a credential for an id token.
pub(crate) trait Target: Send + Sync {
    /// Which one it is.
    fn family(&self) -> Family;

    /// Its service, as people call it.
    fn service(&self) -> &'static str;

    /// How the broker serves the credential.
    fn dialect(&self) -> Dialect;

    /// The audience of the id token, from a source that lets one choose.
    fn audience(&self) -> &str;

    /// What it was asked for, and which setting would trust the id token.
    fn facts(&self, claims: &Unverified) -> Vec<Fact>;

    /// Gets the credential.
    fn exchange<'a>(&'a self, http: &'a Http, deadline: Deadline, id_token: &'a Secret) -> Exchanged<'a>;

    /// What no log may show of a credential.
    fn secrets(&self, credential: &Secret) -> Vec<Secret> {
        vec![credential.clone()]
    }

    /// Makes a credential live on, without changing its text; `None` where there is no such thing.
    fn renew<'a>(&'a self, _http: &'a Http, _deadline: Deadline, _held: &'a Secret) -> Option<Exchanged<'a>> {
        None
    }

    /// Ends a credential before its time; `None` where there is no such thing.
    fn revoke<'a>(&'a self, _http: &'a Http, _deadline: Deadline, _held: &'a Secret) -> Option<Revoked<'a>> {
        None
    }
}

/// A credential that is on its way.
pub(crate) type Exchanged<'a> = Pin<Box<dyn Future<Output = Result<CachedToken, TargetError>> + Send + 'a>>;
/// A credential that is about to end.
pub(crate) type Revoked<'a> = Pin<Box<dyn Future<Output = Result<(), TargetError>> + Send + 'a>>;

/// A credential that the step has got.
pub(crate) struct Granted {
    pub(crate) family: Family,
    pub(crate) credential: CachedToken,
}

//! A credential of another service than Entra, that a session keeps fresh and serves in a dialect of its own.

use std::{pin::Pin, sync::Arc};

use super::cache::TokenSlot;

/// A credential that is kept fresh.
pub struct Target {
    /// What `wif status` calls it.
    pub name: String,
    /// How it is served.
    pub dialect: Dialect,
    /// Where it is kept. The text of a [`Dialect::ContainerCredentials`] or a [`Dialect::Registry`] is the
    /// whole answer.
    pub slot: Arc<TokenSlot>,
    /// Ends the credential with the session, where it would live on otherwise.
    pub end: Option<End>,
}

/// Ends a credential, or says in a sentence why it may live on.
pub type End = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// How a credential is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// By the container credentials protocol of AWS.
    ContainerCredentials,
    /// As the answer to a token exchange (RFC 8693), whatever is exchanged.
    TokenExchange,
    /// As the user name and the password of a registry of container images: `{"Username": …, "Secret": …}`, the whole answer.
    Registry,
    /// As an id token for Google's clients: `{"value": …}`.
    IdToken,
    /// Not at all: later steps have it, and it stays the same while it is renewed.
    Kept,
}

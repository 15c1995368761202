//! A session, as its broker serves it.

use tokio::sync::Notify;
use wif_core::secret::Secret;

use super::tokens::Tokens;

/// What the broker answers from.
pub struct Session {
    /// The tokens.
    pub tokens: Tokens,
    /// What callers must have.
    pub key: Secret,
    /// Whether callers may have the id token itself.
    pub gives_id_token: bool,
    /// Where Azure Resource Manager is that takes the session's tokens, if that is known.
    pub resource_manager: Option<String>,
    /// Where it listens.
    pub port: u16,
    /// Ends the broker.
    pub end: Notify,
}

impl Session {
    /// Ends the credentials that outlive the broker otherwise. Returns a sentence for each that may live on.
    pub async fn end_credentials(&self) -> Vec<String> {
        let mut left = Vec::new();
        for end in self.tokens.targets().iter().filter_map(|target| target.end.as_ref()) {
            left.extend(end().await.err());
        }
        left
    }
}

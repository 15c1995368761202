//! The keys that requests to AWS are signed with.

use wif_core::secret::Secret;

/// An access key, its secret, and the session that it belongs to.
pub(crate) struct Credentials {
    pub(crate) id: Secret,
    pub(crate) secret: Secret,
    pub(crate) session_token: Option<Secret>,
}

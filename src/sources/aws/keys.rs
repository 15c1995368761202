//! The keys that requests to AWS are signed with.

use wif_core::secret::Secret;

/// An access key, its secret, and the session that it belongs to.
pub(super) struct Credentials {
    pub(super) id: Secret,
    pub(super) secret: Secret,
    pub(super) session_token: Option<Secret>,
}

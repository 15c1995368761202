//! The machine that the agent runs on, as far as managed identities go.

use uuid::Uuid;

use crate::keys::random_text;

/// What the machine's managed identity service knows.
#[derive(Clone)]
pub struct Machine {
    /// Client ids of the identities that are assigned to the machine; one of several must be named.
    pub identities: Vec<Uuid>,
    /// What the App Service protocol demands as `X-IDENTITY-HEADER`.
    pub header: String,
}

impl Default for Machine {
    fn default() -> Self {
        Self { identities: vec![], header: random_text(24) }
    }
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("identities", &self.identities).finish_non_exhaustive()
    }
}

//! The managed identities of the machine that the agent runs on.

use std::path::PathBuf;

use uuid::Uuid;

use crate::world::keys::random_text;

/// What the machine's managed identity service knows.
#[derive(Clone)]
pub struct Machine {
    /// Client ids of the assigned identities; with several of them a request must name one.
    pub identities: Vec<Uuid>,
    /// What the App Service protocol demands as `X-IDENTITY-HEADER`.
    pub header: String,
    /// Makes the machine an Azure Arc server.
    pub arc: Option<Arc>,
}

/// The identity service of an Azure Arc server. Before it gives a token it writes a key into a file and names the file;
/// a caller that sends the key has proved that it may read the file.
#[derive(Clone, Debug)]
pub struct Arc {
    /// The folder for key files; the real one is `/var/opt/azcmagent/tokens`.
    pub folder: PathBuf,
    /// What stands after `Basic realm=` instead of the key file's path.
    pub realm: Option<String>,
    /// The content of the key file; `None` is a random key for each challenge.
    pub key: Option<String>,
    /// An old agent ignores the client id that is asked for, and gives a token of the machine's first identity.
    pub ignores_client: bool,
}

impl Arc {
    /// A service that writes its key files to this folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), realm: None, key: None, ignores_client: false }
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self { identities: vec![], header: random_text(24), arc: None }
    }
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("identities", &self.identities).finish_non_exhaustive()
    }
}

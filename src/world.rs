//! Everything that a test replaces, in one value.

use std::{io::Write, path::PathBuf, sync::Arc};

use wif_io::{clock::Clock, env::Env};

/// What the program sees of the outside. HTTP is built from the environment: a test leads it to an emulator by
/// the same variables that an agent sets.
pub struct World {
    /// The environment at start.
    pub env: Env,
    /// Where this program is, for the `PATH` of later steps.
    pub program: Option<PathBuf>,
    /// Time and waiting.
    pub clock: Arc<dyn Clock>,
    /// Standard output: log lines and agent commands.
    pub out: Box<dyn Write + Send>,
}

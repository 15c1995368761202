//! Where the command line reads and writes: what tests replace.

use std::{
    cell::Cell,
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use wif_core::foreign_text::lines;
use wif_io::{clock::Clock, env::Env};

use crate::{look::Look, read::progress::Progress, tokens::Tokens};

/// The exit code of a command that was interrupted.
pub(super) const INTERRUPTED: u8 = 130;

/// What a command finds around it.
pub struct Host<'a> {
    /// The environment.
    pub env: &'a Env,
    /// The clock.
    pub clock: &'a Arc<dyn Clock>,
    /// Standard output: data.
    pub out: &'a mut (dyn Write + Send),
    /// Standard error: talk.
    pub talk: &'a Progress,
    /// Tokens that are there already; none, where they are to be looked for.
    pub tokens: Option<Tokens>,
    /// How text for people looks on standard output.
    pub look: Look,
    /// Whether the user asked to stop while organizations were read.
    pub is_interrupted: Cell<bool>,
}

impl Host<'_> {
    /// Whether a file may be written. After an interruption it may not, and that is said: a part of a report would take the
    /// place of the last whole one.
    pub(super) fn may_replace(&self, path: &Path) -> bool {
        let is_interrupted = self.is_interrupted.get();
        if is_interrupted {
            self.talk.say(&format!("interrupted: {} is not written", path.display()));
        }
        !is_interrupted
    }
}

/// A stream that people and the agent read. The agent looks for commands in the output of every step, so that there is no way
/// to write text here that has not been made harmless.
pub struct Screen<'a>(&'a mut (dyn Write + Send));

impl<'a> Screen<'a> {
    /// Writes to this stream.
    pub fn new(stream: &'a mut (dyn Write + Send)) -> Self {
        Self(stream)
    }

    /// Writes lines of text, and ends the last.
    ///
    /// # Errors
    ///
    /// The stream is gone.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.0, "{}", lines(text))
    }

    /// Says something that the exit code does not depend on. Without its stream it is not said.
    pub fn say(&mut self, text: &str) {
        let _ = self.text(text);
    }
}

//! What the user is told: on standard error, since standard output is the command's.

use std::io::{self, Write};

use wif_core::secret::Secret;
use wif_io::env::Env;

use crate::agent::commands::Commands;

/// What the user is told, on standard error.
pub(super) struct Log<'a> {
    pub(super) errors: &'a mut (dyn Write + Send),
    /// Whether an agent reads this, and hides what it is told to hide.
    pub(super) masks: bool,
    pub(super) verbose: bool,
}

impl Log<'_> {
    pub(super) fn say(&mut self, text: &str) {
        // A closed stream ends no command.
        let _ = Commands::new(self.errors, &Env::default()).line(&format!("wif: {text}"));
    }

    pub(super) fn note(&mut self, text: &str) {
        if self.verbose {
            self.say(text);
        }
    }

    pub(super) fn mask(&mut self, secret: &Secret) -> io::Result<()> {
        if self.masks { Commands::new(self.errors, &Env::default()).mask(secret) } else { Ok(()) }
    }
}

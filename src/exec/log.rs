//! What the user is told: on standard error, since standard output is the command's.

use std::io::{self, Write};

use wif_core::secret::Secret;
use wif_io::env::Env;

use crate::agent::commands::Commands;

/// What the user is told, on standard error.
pub(super) struct Log<'a> {
    pub(super) errors: &'a mut (dyn Write + Send),
    /// Where an agent reads what it is to hide: not standard error, which the caller may keep in a file. None outside of a job.
    pub(super) masks: Option<&'a mut (dyn Write + Send)>,
    pub(super) verbose: bool,
}

impl Log<'_> {
    pub(super) fn say(&mut self, text: &str) {
        // A closed stream ends no command.
        let _ = Commands::new(self.errors, &Env::default()).line(&format!("wif: {text}"));
    }

    pub(super) fn say_all(&mut self, texts: &[String]) {
        for text in texts {
            self.say(text);
        }
    }

    pub(super) fn note_all(&mut self, texts: &[String]) {
        if self.verbose {
            self.say_all(texts);
        }
    }

    pub(super) fn note(&mut self, text: &str) {
        if self.verbose {
            self.say(text);
        }
    }

    pub(super) fn mask(&mut self, secret: &Secret) -> io::Result<()> {
        let Some(masks) = &mut self.masks else { return Ok(()) };
        Commands::new(&mut **masks, &Env::default()).mask(secret)?;
        masks.flush()
    }
}

//! Where the command line writes.

use std::io::{self, Write};

use wif_azure::entra::token::is_token_byte;
use wif_core::{code::Code, failure::Failure, foreign_text::lines, secret::Secret};

/// A stream that people, scripts and the agent read. The agent looks for commands in the output of every step, so that
/// there is no way to write text here that has not been made harmless; a token is written as it is.
pub struct Screen<'a>(&'a mut dyn Write);

/// Why a command failed whose output was closed.
pub(super) fn closed(error: io::Error) -> Failure {
    Failure::new(Code::Bug, error, "run the command again; its output was closed")
}

impl<'a> Screen<'a> {
    /// Writes to this stream.
    pub fn new(stream: &'a mut dyn Write) -> Self {
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

    /// Writes a token, and nothing else, for a script that takes it. Its characters are those of RFC 6750 §2.1.
    ///
    /// # Errors
    ///
    /// The stream is gone, or the text is no token.
    pub fn token(&mut self, token: &Secret) -> io::Result<()> {
        if !token.expose().bytes().all(is_token_byte) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        writeln!(self.0, "{}", token.expose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Screen<'_>) -> io::Result<()>) -> io::Result<String> {
        let mut stream = Vec::new();
        write(&mut Screen::new(&mut stream))?;
        Ok(String::from_utf8(stream).unwrap())
    }

    #[test]
    fn a_command_is_written_neither_as_text_nor_as_a_token() {
        assert_eq!(written(|screen| screen.text("a\n##vso[b.c]\rd")).unwrap(), "a\n**vso[b.c] d\n");
        for text in ["##vso[task.complete]", "a\n##vso[x.y]", "a b", "ä"] {
            assert!(written(|screen| screen.token(&Secret::new(text.to_owned()))).is_err(), "{text}");
        }
        let token = "eyJ0.eyJh-_.c2ln~+/=";
        assert_eq!(
            written(|screen| screen.token(&Secret::new(token.to_owned()))).unwrap(),
            format!("{token}\n")
        );
    }
}

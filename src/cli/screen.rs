//! Where the command line writes.

use std::io::{self, Write};

use wif_azure::entra::token::is_token_byte;
use wif_core::{
    code::Code,
    failure::Failure,
    foreign_text::{lines, one_line},
    secret::Secret,
};

use super::Terminal;

/// A stream that people, scripts and the agent read. The agent looks for commands in the output of every step, so that
/// there is no way to write text here that has not been made harmless; a token is written as it is.
pub struct Screen<'a> {
    stream: &'a mut dyn Write,
    /// How people see it; nothing is painted where that is not known.
    terminal: Option<Terminal>,
}

/// The longest text beside a token, in characters.
const MAX_AROUND: usize = 2000;

/// Why a command failed whose output could not be written.
#[must_use]
pub fn unwritable(error: io::Error) -> Failure {
    let hint = "free space where the output goes, or send it elsewhere, and run the command again";
    Failure::new(Code::OutputUnwritable, Unwritable(error), hint)
}

#[derive(Debug, thiserror::Error)]
#[error("standard output cannot be written")]
struct Unwritable(#[source] io::Error);

impl<'a> Screen<'a> {
    /// Writes to this stream.
    pub fn new(stream: &'a mut dyn Write) -> Self {
        Self { stream, terminal: None }
    }

    /// Where people read it.
    #[must_use]
    pub fn at(self, terminal: Terminal) -> Self {
        Self { terminal: Some(terminal), ..self }
    }

    /// Writes an error or a report, with colors where the terminal has them, and ends the last line.
    ///
    /// # Errors
    ///
    /// As [`Screen::text`].
    pub fn painted(&mut self, text: &str) -> io::Result<()> {
        let harmless = lines(text);
        let painted = self.terminal.map_or_else(|| harmless.clone(), |terminal| terminal.paint(&harmless));
        unless_closed(writeln!(self.stream, "{painted}"))
    }

    /// Writes text with lines that fit a terminal, where it is one, and ends the last. Elsewhere its lines stay whole.
    ///
    /// # Errors
    ///
    /// As [`Screen::text`].
    pub fn fitted(&mut self, text: &str) -> io::Result<()> {
        match self.terminal.filter(|terminal| terminal.is_there()) {
            Some(terminal) => self.text(&terminal.fit(text)),
            None => self.text(text),
        }
    }

    /// Writes a help text, with lines that fit the terminal, and ends the last.
    ///
    /// # Errors
    ///
    /// As [`Screen::text`].
    pub fn help(&mut self, text: &str) -> io::Result<()> {
        let fitted = self.terminal.map_or_else(|| text.to_owned(), |terminal| terminal.fit(text));
        self.painted(&fitted)
    }

    /// Writes lines of text, and ends the last.
    ///
    /// # Errors
    ///
    /// The stream cannot be written, for another reason than that its reader has read enough.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        unless_closed(writeln!(self.stream, "{}", lines(text)))
    }

    /// Writes a token between two texts, and ends the line. Its characters are those of RFC 6750 §2.1, which need no
    /// escape in JSON, and none between quotation marks.
    ///
    /// # Errors
    ///
    /// As [`Screen::text`]; or the token has other characters.
    pub fn token(&mut self, before: &str, token: &Secret, after: &str) -> io::Result<()> {
        if !token.expose().bytes().all(is_token_byte) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        unless_closed(writeln!(
            self.stream,
            "{}{}{}",
            one_line(before, MAX_AROUND),
            token.expose(),
            one_line(after, MAX_AROUND)
        ))
    }
}

/// `wif … | head` has read enough: that is no failure, and there is nowhere to tell it.
fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
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
            assert!(written(|screen| screen.token("", &Secret::new(text.to_owned()), "")).is_err(), "{text}");
        }
        let token = "eyJ0.eyJh-_.c2ln~+/=";
        assert_eq!(
            written(|screen| screen.token("<", &Secret::new(token.to_owned()), ">")).unwrap(),
            format!("<{token}>\n")
        );
    }

    /// A stream that fails in one way.
    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_read_enough_is_no_failure_and_a_full_disk_is() {
        let token = Secret::new("eyJ".to_owned());
        let (mut closed, mut full) =
            (Failing(io::ErrorKind::BrokenPipe), Failing(io::ErrorKind::StorageFull));
        let (mut closed, mut full) = (Screen::new(&mut closed), Screen::new(&mut full));
        assert!(closed.text("a").is_ok() && closed.token("", &token, "").is_ok());
        assert!(full.token("", &token, "").is_err());
        let failure = unwritable(full.text("a").unwrap_err());
        assert_eq!((failure.code, failure.exit_code()), (Code::OutputUnwritable, 2));
    }
}

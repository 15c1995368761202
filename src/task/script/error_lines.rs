//! What a script writes to standard error, where that fails the step: it goes to the log, and its first lines are kept.

use std::io::{self, Write};

use tokio::{io::AsyncReadExt as _, process::ChildStderr};

use crate::agent::commands::MASK;

/// How many lines an error of the step quotes, as in `AzureCLI@2`.
const MAX_KEPT: usize = 10;
/// The longest line that is waited for, in bytes: a longer one is written in parts.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// The lines of a script's standard error.
#[derive(Debug)]
pub(super) struct ErrorLines {
    stream: Option<ChildStderr>,
    /// What has come since the last line end.
    open: Vec<u8>,
    /// The first lines.
    pub(super) kept: Vec<String>,
}

impl ErrorLines {
    pub(super) const fn new(stream: Option<ChildStderr>) -> Self {
        Self { stream, open: Vec::new(), kept: Vec::new() }
    }

    /// Waits for more, and writes it to the log in whole lines. At the end of the stream, and without one, this waits for ever.
    ///
    /// # Errors
    ///
    /// The log cannot be written.
    pub(super) async fn copy(&mut self, log: &mut (dyn Write + Send)) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return std::future::pending().await };
        let before = self.open.len();
        self.open.reserve(8 * 1024);
        // A stream that breaks has ended.
        if stream.read_buf(&mut self.open).await.unwrap_or(0) == 0 {
            self.stream = None;
            return self.write(self.open.len(), log);
        }
        let line_end =
            self.open.iter().skip(before).rposition(|byte| *byte == b'\n').map(|at| before + at + 1);
        let whole = line_end.unwrap_or(if self.open.len() > MAX_LINE_BYTES { self.open.len() } else { 0 });
        self.write(whole, log)
    }

    /// Whether the stream has ended.
    pub(super) const fn has_ended(&self) -> bool {
        self.stream.is_none()
    }

    fn write(&mut self, length: usize, log: &mut (dyn Write + Send)) -> io::Result<()> {
        let rest = self.open.split_off(length);
        let whole = std::mem::replace(&mut self.open, rest);
        // `wif token` masks its token there, which is no error.
        let lines = whole.split_inclusive(|byte| *byte == b'\n');
        for line in lines.filter(|line| !line.starts_with(MASK.as_bytes())) {
            if self.kept.len() < MAX_KEPT {
                self.kept.push(String::from_utf8_lossy(line).trim_end_matches(['\r', '\n']).to_owned());
            }
        }
        log.write_all(&whole)?;
        log.flush()
    }
}

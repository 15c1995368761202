//! The two output streams of a process: read by a thread each, split into lines as .NET does.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

/// Which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// Bytes that a reader has read. The channel closes when both readers have ended.
pub(super) struct Chunk {
    pub(super) stream: Stream,
    pub(super) bytes: Vec<u8>,
}

/// A pipe whose reader can stop while another process still holds the other end.
#[cfg(unix)]
pub(super) trait Pipe: Read + Send + std::os::fd::AsFd + 'static {}
#[cfg(unix)]
impl<T: Read + Send + std::os::fd::AsFd + 'static> Pipe for T {}

/// A pipe; on this platform a reader cannot stop before the last writer has closed it.
#[cfg(not(unix))]
pub(super) trait Pipe: Read + Send + 'static {}
#[cfg(not(unix))]
impl<T: Read + Send + 'static> Pipe for T {}

/// Reads to the end, or until `stop`. Closes the pipe, so that a process that still writes gets `EPIPE`.
pub(super) fn read(mut pipe: impl Pipe, stream: Stream, to: &Sender<Chunk>, stop: &Arc<AtomicBool>) {
    let mut buffer = [0; 16 * 1024];
    while !stop.load(Ordering::Relaxed) {
        if !readable(&pipe) {
            continue;
        }
        match pipe.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                if to.send(Chunk { stream, bytes: buffer[..length].to_vec() }).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

#[cfg(unix)]
fn readable(pipe: &impl Pipe) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let limit = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    // After an error of `poll` the pipe counts as readable, so that `read` returns the error.
    poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&limit)).map_or(true, |ready| ready > 0)
}

#[cfg(not(unix))]
fn readable(_: &impl Pipe) -> bool {
    true
}

/// Lines end in LF, CR LF, or a lone CR (`StreamReader.ReadLine`).
#[derive(Default)]
pub(super) struct Splitter {
    line: Vec<u8>,
    after_cr: bool,
}

impl Splitter {
    pub(super) fn push(&mut self, bytes: &[u8], lines: &mut Vec<String>) {
        for &byte in bytes {
            let after_cr = std::mem::take(&mut self.after_cr);
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    lines.push(self.take());
                }
                _ => self.line.push(byte),
            }
        }
    }

    /// The last line, when nothing ended it.
    pub(super) fn finish(&mut self, lines: &mut Vec<String>) {
        if !self.line.is_empty() {
            lines.push(self.take());
        }
    }

    fn take(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_carriage_return_ends_a_line_and_chunks_do_not_matter() {
        let text = "a\r\nb\rc\n\nd\r\r\ne";
        for size in 1..text.len() {
            let mut splitter = Splitter::default();
            let mut lines = Vec::new();
            text.as_bytes().chunks(size).for_each(|chunk| splitter.push(chunk, &mut lines));
            splitter.finish(&mut lines);
            assert_eq!(lines, ["a", "b", "c", "", "d", "", "e"], "chunks of {size}");
        }
    }
}

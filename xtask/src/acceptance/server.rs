//! A program that takes the place of one of the emulator's services, or stands beside them, and says on standard output where it
//! listens and what it was asked.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver},
    },
    thread,
    time::Duration,
};

use tempfile::TempDir;

use crate::process::Result;

/// A running server. It ends when this is dropped.
pub(super) struct Server {
    process: Child,
    lines: Arc<Mutex<Vec<String>>>,
    port: u16,
    _folder: TempDir,
}

impl Server {
    /// Starts it in a folder of its own. It listens when this returns.
    pub(super) fn start(name: &str, mut command: Command) -> Result<Self> {
        let failed = |error: std::io::Error| format!("{name}: {error}");
        let folder = tempfile::tempdir().map_err(failed)?;
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().map_err(failed)?;
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let (tell, port) = mpsc::channel();
        if let Some(stdout) = process.stdout.take() {
            let lines = Arc::clone(&lines);
            thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(std::result::Result::ok) {
                    if let Some((_address, port)) =
                        line.rsplit_once(LISTENS).and_then(|(_words, address)| address.rsplit_once(':'))
                    {
                        let _ = tell.send(port.trim().to_owned());
                    }
                    lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            });
        }
        let mut server = Self { process, lines, port: 0, _folder: folder };
        server.port = told(&port).ok_or_else(|| format!("{name} did not start: {:?}", server.log()))?;
        Ok(server)
    }

    /// Where it listens.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// What it printed so far; a line for each request is part of it.
    pub(super) fn log(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Method, path with query, and status of a line of an access log in the Common Log Format.
pub(super) fn request(line: &str) -> Option<(&str, &str, u16)> {
    let (_, rest) = line.split_once(" \"")?;
    let (request, rest) = rest.split_once("\" ")?;
    let mut words = request.split(' ');
    let status = rest.split(' ').next()?.parse().ok()?;
    Some((words.next()?, words.next()?, status))
}

fn told(port: &Receiver<String>) -> Option<u16> {
    port.recv_timeout(START_TIMEOUT).ok()?.parse().ok()
}

/// What it prints before its address, in the words of azurite, here without the `s` of https.
const LISTENS: &str = "listens on http";
/// azurite loads for some seconds, and for longer where the machine is busy.
const START_TIMEOUT: Duration = Duration::from_secs(90);

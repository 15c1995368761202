//! What a container is made of, without an engine: processes and mounts of its own, in which steps are started one by one.

use std::process::{Child, Command, Stdio};

use crate::process::{Result, output};

/// A container, whose processes end with it.
pub(in super::super) struct Namespaces {
    first: Child,
    /// The id of its first process, as seen from outside.
    id: String,
}

impl Namespaces {
    /// Starts one that does nothing by itself, as the agent starts a job's.
    pub(super) fn start() -> Result<Self> {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"]);
        // It says that it is there, and ends when the reader of its output has gone.
        command.args(["sh", "-c", "echo ready; exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let failed = |error| format!("unshare, with user namespaces for everybody ({error})");
        let mut first = command.spawn().map_err(failed)?;
        let mut ready = String::new();
        if let Some(stdout) = &mut first.stdout {
            std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut ready).map_err(failed)?;
        }
        let id = output(Command::new("pgrep").args(["--parent", &first.id().to_string()]))?;
        let namespaces = Self { first, id };
        if ready == "ready\n" {
            Ok(namespaces)
        } else {
            Err("unshare, with user namespaces for everybody".to_owned())
        }
    }

    /// What goes in front of a command line that is to be run inside.
    pub(super) fn enter(&self) -> [&str; 8] {
        ["nsenter", "--target", &self.id, "--user", "--preserve-credentials", "--pid", "--mount", "--"]
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        // Its processes end with the first, whatever they do.
        let _ = self.first.kill();
        let _ = self.first.wait();
    }
}

//! Starting the broker: the step's side.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, Command},
};
use zeroize::Zeroizing;

use super::handover::{GO, Handover, Ready};
use crate::env::Env;

/// A broker that listens and that nobody knows of yet. Dropped, it ends.
pub(super) struct Starting {
    child: Child,
    input: Option<ChildStdin>,
    /// Where it listens.
    pub(super) port: u16,
}

/// The broker did not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum LaunchError {
    #[error("the program does not know where it is")]
    NoProgram,
    #[error("the broker could not be started")]
    Spawn(#[source] io::Error),
    #[error("the broker ended before it listened")]
    Ended(#[source] io::Error),
    #[error("the broker did not listen within {} s", PATIENCE.as_secs())]
    Slow,
    #[error("the broker could not begin: {0}")]
    Refused(String),
}

/// It only has to read its trust roots and to open a port.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest answer, in bytes.
const MOST: u64 = 16 * 1024;
/// By this the agent's orphan clean-up finds the processes of a job.
const LOOKUP: &str = "VSTS_PROCESS_LOOKUP_ID";

/// Starts the broker and hands over, through a pipe.
pub(super) async fn launch(
    program: Option<&Path>,
    env: &Env,
    handover: &Handover,
) -> Result<Starting, LaunchError> {
    let program = program.ok_or(LaunchError::NoProgram)?;
    let mut command = Command::new(program);
    command
        .arg("broker")
        .env_clear()
        .current_dir(top(program))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(id) = env.get(LOOKUP) {
        command.env(LOOKUP, id);
    }
    #[cfg(windows)]
    {
        // Without the first, sockets do not work; the flags: DETACHED_PROCESS and CREATE_NEW_PROCESS_GROUP.
        if let Some(root) = env.get("SystemRoot") {
            command.env("SystemRoot", root);
        }
        command.creation_flags(0x0000_0008 | 0x0000_0200);
    }
    let mut child = command.spawn().map_err(LaunchError::Spawn)?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let mut starting = Starting { child, input, port: 0 };
    let text =
        Zeroizing::new(serde_json::to_string(handover).map_err(|error| LaunchError::Ended(error.into()))?);
    let exchange = async {
        if let Some(input) = &mut starting.input {
            input.write_all(text.as_bytes()).await?;
            input.write_all(b"\n").await?;
            input.flush().await?;
        }
        let mut line = String::new();
        if let Some(output) = output {
            BufReader::new(output.take(MOST)).read_line(&mut line).await?;
        }
        Ok(serde_json::from_str(&line)?)
    };
    let ready = tokio::time::timeout(PATIENCE, exchange).await.map_err(|_elapsed| LaunchError::Slow)?;
    match ready.map_err(LaunchError::Ended)? {
        Ready::Port(port) => starting.port = port,
        Ready::Error(reason) => return Err(LaunchError::Refused(reason)),
    }
    Ok(starting)
}

impl Starting {
    /// Lets the broker go on: its address is known now.
    pub(super) async fn go(mut self) -> Result<(), LaunchError> {
        if let Some(mut input) = self.input.take() {
            input.write_all(GO).await.map_err(LaunchError::Ended)?;
            input.shutdown().await.map_err(LaunchError::Ended)?;
        }
        Ok(())
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        // With the pipe still there, nobody has told it to go on.
        if self.input.is_some() {
            let _ = self.child.start_kill();
        }
    }
}

/// A folder that nobody wants to remove while the broker runs.
fn top(program: &Path) -> PathBuf {
    program.ancestors().last().unwrap_or(program).to_owned()
}

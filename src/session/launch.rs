//! Starting the broker: the step's side.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Take},
    process::{Child, ChildStdin, ChildStdout, Command},
};
use wif_io::{
    clock::{Clock, Limit, timeout},
    env::Env,
    process::{self, ProcessRecord},
};
use zeroize::Zeroizing;

use super::handover::{GO, Handover, Ready};

/// A broker that listens and that no later step knows of yet. Dropped, it ends.
pub(crate) struct BrokerProcess {
    child: Child,
    pipes: Option<(ChildStdin, Output)>,
    left: bool,
    /// Where it listens.
    pub(crate) port: u16,
    /// Which process it is; `None` where the system does not tell.
    pub(crate) record: Option<ProcessRecord>,
}

type Output = BufReader<Take<ChildStdout>>;

/// The broker did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    #[error("the program does not know where it is")]
    NoProgram,
    #[error("the broker could not be started")]
    Spawn(#[source] io::Error),
    #[error("the broker ended before it listened")]
    Ended(#[source] io::Error),
    #[error("the broker did not listen within {} s", START_TIMEOUT.as_secs())]
    Slow,
    #[error("the broker could not begin: {0}")]
    Refused(String),
}

/// It only has to read its trust roots and to open a port.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest answer, in bytes.
const MAX_ANSWER_BYTES: u64 = 16 * 1024;
/// By this the agent's orphan clean-up finds the processes of a job.
const JOB_LOOKUP_ID: &str = "VSTS_PROCESS_LOOKUP_ID";

/// Starts the broker and hands over, through a pipe.
pub(super) async fn launch(
    program: Option<&Path>,
    env: &Env,
    clock: &dyn Clock,
    handover: &Handover,
) -> Result<BrokerProcess, LaunchError> {
    let program = program.ok_or(LaunchError::NoProgram)?;
    let mut command = Command::new(program);
    command
        .arg("broker")
        .env_clear()
        .current_dir(root_folder(program))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(id) = env.get(JOB_LOOKUP_ID) {
        command.env(JOB_LOOKUP_ID, id);
    }
    #[cfg(windows)]
    {
        // Without the first, sockets do not work; the flags: DETACHED_PROCESS and CREATE_NEW_PROCESS_GROUP.
        if let Some(root) = env.get("SystemRoot") {
            command.env("SystemRoot", root);
        }
        command.creation_flags(0x0000_0008 | 0x0000_0200);
    }
    process::keep_open_files().map_err(LaunchError::Spawn)?;
    let mut child = command.spawn().map_err(LaunchError::Spawn)?;
    let pipes = child.stdin.take().zip(child.stdout.take());
    let pipes = pipes.map(|(input, output)| (input, BufReader::new(output.take(MAX_ANSWER_BYTES))));
    let mut process = BrokerProcess { child, pipes, left: false, port: 0, record: None };
    let text =
        Zeroizing::new(serde_json::to_string(handover).map_err(|error| LaunchError::Ended(error.into()))?);
    match process.exchange(clock, &[text.as_bytes(), b"\n"]).await? {
        Ready::Port(port) => process.port = port,
        Ready::Error(reason) => return Err(LaunchError::Refused(reason)),
    }
    // It has answered, so that it is the broker by now. Without the record, a broker that does not answer at the end is
    // left to the agent's clean-up.
    process.record = process.child.id().and_then(|id| ProcessRecord::of(id).ok());
    Ok(process)
}

impl BrokerProcess {
    /// Lets the broker go on without this process, once it says that it will.
    pub(crate) async fn confirm(&mut self, clock: &dyn Clock) -> Result<(), LaunchError> {
        self.exchange(clock, &[GO]).await.map(|_ready| ())
    }

    /// Leaves the broker to later steps: they know of it now.
    pub(crate) fn detach(mut self) {
        self.left = true;
    }

    async fn exchange(&mut self, clock: &dyn Clock, parts: &[&[u8]]) -> Result<Ready, LaunchError> {
        let exchange = async {
            let (input, output) = self.pipes.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
            for part in parts {
                input.write_all(part).await?;
            }
            input.flush().await?;
            let mut line = String::new();
            output.read_line(&mut line).await?;
            Ok(serde_json::from_str(&line)?)
        };
        let ready = timeout(clock, Limit::BrokerStart, START_TIMEOUT, exchange).await;
        ready.ok_or(LaunchError::Slow)?.map_err(LaunchError::Ended)
    }
}

impl Drop for BrokerProcess {
    fn drop(&mut self) {
        if !self.left {
            let _ = self.child.start_kill();
        }
    }
}

/// The root of the program's drive. A process that works in a folder keeps Windows from removing it; this one is never removed.
fn root_folder(program: &Path) -> PathBuf {
    program.ancestors().last().unwrap_or(program).to_owned()
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _};

    use wif_io::clock::System;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_broker_that_no_later_step_knows_of_ends_though_it_does_not_listen_to_its_pipe() {
        let mut command = Command::new("sleep");
        let mut child = command.arg("3600").stdout(Stdio::piped()).spawn().unwrap();
        let mut output = child.stdout.take().unwrap();
        drop(BrokerProcess { child, pipes: None, left: false, port: 0, record: None });
        let mut rest = Vec::new();
        let end = output.read_to_end(&mut rest);
        assert!(timeout(&System::new(), Limit::BrokerEnd, LIMIT, end).await.is_some(), "it still runs");
    }

    #[tokio::test]
    async fn a_long_reason_of_the_broker_arrives_whole() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("broker");
        let reason = "x".repeat(8000);
        fs::write(&program, format!("#!/bin/sh\nread line\necho '{{\"error\":\"{reason}\"}}'\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        let handover = Handover {
            variables: BTreeMap::new(),
            key: Zeroizing::new("key".to_owned()),
            client: None,
            id_token: None,
            access_tokens: BTreeMap::new(),
            targets: BTreeMap::new(),
            id_token_file: None,
            hours: 1,
        };
        let error = launch(Some(&program), &Env::default(), &System::new(), &handover).await.err();
        assert!(matches!(error, Some(LaunchError::Refused(said)) if said == reason));
    }
}

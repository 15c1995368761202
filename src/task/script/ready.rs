//! A script that is ready to run, with the session that ends with it.

use std::{ffi::OsString, io, path::PathBuf, time::Duration};

use wif_core::failure::Failure;
use wif_io::{
    child::{
        ChildCommand, ChildEnding, ChildEvent, ChildVariable, ErrorStream, LeftBehind, ProcessGroup,
        RunningChild, Signals, StartError,
    },
    env::Env,
    private_folder::Folder,
};

use super::{command::ScriptCommand, error_lines::ErrorLines, prepared::Prepared};
use crate::{
    agent::{
        commands::{Commands, OutputError},
        task_variables::FOLDER_VARIABLE,
    },
    session::local::LocalBroker,
    world::World,
};

/// A script whose files are written. Dropped, the session's files are removed, and its broker ends.
pub(in crate::task) struct ReadyScript {
    command: ScriptCommand,
    working_folder: Option<PathBuf>,
    fails_on_errors: bool,
    /// How long it may answer the first signal.
    cancel_grace: Duration,
    variables: Vec<(String, ChildVariable)>,
    broker: Option<LocalBroker>,
    folder: Folder,
}

/// How a script ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::task) enum ScriptEnd {
    /// With exit code 0.
    Succeeded,
    /// The agent asked the step to stop.
    Canceled,
}

/// A script failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScriptError {
    #[error("Script failed with exit code: {0}")]
    ExitCode(i32),
    #[error("Script failed with exit code: {0}, since signal {1} ended it")]
    Signal(i32, i32),
    #[error(
        "Script wrote to standard error, and failOnStandardError is true; it ended with exit code {exit_code}"
    )]
    WroteErrors { exit_code: i32, lines: Vec<String> },
    #[error("the script could not be started")]
    Start(#[from] StartError),
    #[error("the end of the script could not be waited for")]
    Wait(#[source] io::Error),
}

/// From one signal of the agent to the next (microsoft/azure-pipelines-agent, `ProcessInvoker.cs`), where the variable does
/// not say otherwise.
const CANCEL_GRACE: Duration = Duration::from_millis(7500);
const CANCEL_GRACE_VARIABLE: &str = "PROCESS_SIGINT_TIMEOUT";
/// How long a script may answer the second one. The agent kills this process 2.5 s after it.
const TERMINATE_GRACE: Duration = Duration::from_secs(1);
/// How long processes that a script left behind may take to end when they are asked to.
const LEFT_BEHIND_GRACE: Duration = Duration::from_millis(500);
/// How long what is in the pipe of standard error may take to be read, after every process that could write there has ended.
const LAST_ERRORS: Duration = Duration::from_secs(1);

impl ReadyScript {
    /// Writes the script's files.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub(in crate::task) fn write(
        prepared: &Prepared,
        env: &Env,
        folder: Folder,
        broker: Option<LocalBroker>,
        variables: Vec<(String, ChildVariable)>,
    ) -> Result<Self, Failure> {
        let grace = env.get(CANCEL_GRACE_VARIABLE).and_then(|text| text.trim().parse().ok());
        Ok(Self {
            command: prepared.write(&folder)?,
            working_folder: prepared.folder.clone(),
            fails_on_errors: prepared.script().fail_on_standard_error,
            cancel_grace: grace.map_or(CANCEL_GRACE, Duration::from_millis),
            variables,
            broker,
            folder,
        })
    }

    /// Runs the script, and then ends all of the session: the broker, what the script left behind, the files.
    ///
    /// # Errors
    ///
    /// The script failed, or could not be run.
    pub(in crate::task) async fn run(
        self,
        world: &mut World,
        signals: &mut Signals,
    ) -> Result<ScriptEnd, Failure> {
        let Self { command, working_folder, fails_on_errors, cancel_grace, variables, broker, folder } = self;
        let words = command.arguments.join(" ");
        let line = format!("[command]{} {words}", command.program.display());
        let mut commands = Commands::new(&mut *world.out, &world.env);
        let announced = commands.line(&line).and_then(|()| world.out.flush()).map_err(OutputError);
        let arguments: Vec<_> = command.arguments.iter().map(OsString::from).collect();
        let child = ChildCommand {
            program: command.program.as_os_str(),
            arguments: if command.is_verbatim { &[] } else { &arguments },
            folder: working_folder.as_deref(),
            variables: &variables,
            errors: if fails_on_errors { ErrorStream::Piped } else { ErrorStream::Output },
            group: ProcessGroup::New,
            adopts_orphans: true,
        };
        let started = announced.map_err(Failure::from).and_then(|()| {
            start(&child, &command, signals).map_err(|error| ScriptError::Start(error).into())
        });
        drop(variables);
        let ended = match started {
            Ok(child) => {
                let running = Running { child, cancel_grace, canceled: false, errors: ErrorLines::new(None) };
                running.finish(world, signals, broker).await
            }
            Err(failure) => {
                let unended = end(broker).await;
                warn(&unended, &mut Commands::new(&mut *world.out, &world.env)).map_err(OutputError)?;
                Err(failure)
            }
        };
        // Nothing of the script runs any more that could write into it.
        let path = folder.path().to_owned();
        drop(folder);
        if !path.exists() {
            let mut commands = Commands::new(&mut *world.out, &world.env);
            commands.set_task_variable(FOLDER_VARIABLE, "").map_err(OutputError)?;
        }
        ended
    }
}

/// Ends the broker, where there is one. Returns a sentence for each credential that may live on.
async fn end(broker: Option<LocalBroker>) -> Vec<String> {
    match broker {
        Some(broker) => broker.end().await,
        None => Vec::new(),
    }
}

fn warn(sentences: &[String], commands: &mut Commands<'_>) -> io::Result<()> {
    sentences.iter().try_for_each(|sentence| commands.warning(sentence))
}

/// Says what became of the processes that the script left behind.
fn report_left_behind(left: &LeftBehind, commands: &mut Commands<'_>) -> io::Result<()> {
    let LeftBehind { ended, surviving, not_searched } = left;
    if !ended.is_empty() {
        commands.line(&format!("Processes that the script left behind were ended: {}", ended.join(", ")))?;
    }
    if !surviving.is_empty() {
        commands.warning(&format!(
            "Processes that the script left behind could not be ended, and still run: {}. They get no token: the session has ended.",
            surviving.join(", ")
        ))?;
    }
    if let Some(reason) = not_searched {
        commands.warning(&format!(
            "Processes that the script may have left behind were not ended, since this system did not let the step find them: {reason}. They get no token: the session has ended."
        ))?;
    }
    Ok(())
}

#[cfg(windows)]
fn start(
    child: &ChildCommand<'_>,
    command: &ScriptCommand,
    signals: &Signals,
) -> Result<RunningChild, StartError> {
    match command.arguments.first() {
        Some(line) if command.is_verbatim => RunningChild::start_verbatim(child, line, signals),
        _ => RunningChild::start(child, signals),
    }
}

/// Only `cmd` reads a command line of its own.
#[cfg(not(windows))]
fn start(
    child: &ChildCommand<'_>,
    _command: &ScriptCommand,
    signals: &Signals,
) -> Result<RunningChild, StartError> {
    RunningChild::start(child, signals)
}

/// A script that runs.
struct Running {
    child: RunningChild,
    cancel_grace: Duration,
    canceled: bool,
    errors: ErrorLines,
}

impl Running {
    async fn finish(
        mut self,
        world: &mut World,
        signals: &mut Signals,
        mut broker: Option<LocalBroker>,
    ) -> Result<ScriptEnd, Failure> {
        self.errors = ErrorLines::new(self.child.take_errors());
        let ending = self.wait(world, signals).await;
        // First of all: what the script left behind gets no token while it is being ended.
        if let Some(broker) = &mut broker {
            broker.stop().await;
        }
        let left = self.child.end_left_behind(&*world.clock, LEFT_BEHIND_GRACE).await;
        // Last of all: another cloud may not answer, and the agent waits for seconds only when it cancels.
        let unended = end(broker).await;
        self.read_last_errors(world).await?;
        // The script may have ended in the middle of a line.
        let mut commands = Commands::new(&mut *world.out, &world.env);
        commands.line("\n").map_err(OutputError)?;
        report_left_behind(&left, &mut commands).map_err(OutputError)?;
        warn(&unended, &mut commands).map_err(OutputError)?;
        self.judge(ending?)
    }

    fn judge(self, ending: ChildEnding) -> Result<ScriptEnd, Failure> {
        if self.canceled {
            return Ok(ScriptEnd::Canceled);
        }
        let exit_code = ending.exit_code();
        let lines = self.errors.kept;
        let error = match ending {
            _ if !lines.is_empty() => ScriptError::WroteErrors { exit_code, lines },
            ChildEnding::Code(0) => return Ok(ScriptEnd::Succeeded),
            ChildEnding::Code(code) => ScriptError::ExitCode(code),
            ChildEnding::Signal(number) => ScriptError::Signal(exit_code, number),
        };
        Err(error.into())
    }

    /// Waits for the script's end. A signal is passed on to it; one that does not end within its time is asked to end, and
    /// then killed.
    async fn wait(&mut self, world: &mut World, signals: &mut Signals) -> Result<ChildEnding, Failure> {
        let (mut deadline, mut is_asked) = (None, false);
        loop {
            let over = async {
                match &mut deadline {
                    Some(wait) => wait.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = self.child.next(signals) => match event.map_err(ScriptError::Wait)? {
                    ChildEvent::Ended(ending) => return Ok(ending),
                    ChildEvent::Signaled(number) if !asks_to_end(number) => {}
                    ChildEvent::Signaled(_) if !self.canceled => {
                        self.canceled = true;
                        deadline = Some(world.clock.sleep(self.cancel_grace));
                    }
                    // The agent asks for the second time, and this has been passed on too.
                    ChildEvent::Signaled(_) if !is_asked => {
                        is_asked = true;
                        deadline = Some(world.clock.sleep(TERMINATE_GRACE));
                    }
                    ChildEvent::Signaled(_) => {}
                },
                copied = self.errors.copy(&mut *world.out) => copied.map_err(OutputError)?,
                () = over => {
                    self.child.end(is_asked);
                    deadline = (!is_asked).then(|| world.clock.sleep(TERMINATE_GRACE));
                    is_asked = true;
                }
            }
        }
    }

    /// Reads what is left in the pipe of standard error.
    async fn read_last_errors(&mut self, world: &mut World) -> Result<(), Failure> {
        let mut limit = world.clock.sleep(LAST_ERRORS);
        while !self.errors.has_ended() {
            tokio::select! {
                copied = self.errors.copy(&mut *world.out) => copied.map_err(OutputError)?,
                () = &mut limit => break,
            }
        }
        Ok(())
    }
}

/// Whether a signal is one by which a process is asked to end: `SIGHUP`, `SIGINT`, `SIGQUIT`, `SIGTERM`, and on Windows
/// `SIGBREAK`, which is the console's `CTRL_BREAK`.
const fn asks_to_end(number: i32) -> bool {
    matches!(number, 1 | 2 | 3 | 15) || (cfg!(windows) && number == 21)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(left: &LeftBehind) -> String {
        let (mut out, env) = (Vec::new(), Env::default());
        report_left_behind(left, &mut Commands::new(&mut out, &env)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_what_has_ended_is_said_to_have_ended() {
        let names = |name: &str| vec![name.to_owned()];
        assert_eq!(said(&LeftBehind::default()), "");
        let text = said(&LeftBehind { ended: names("sleep"), surviving: names("stuck"), not_searched: None });
        let lines: Vec<_> = text.lines().collect();
        let [ended, surviving] = *lines else { panic!("{text}") };
        assert_eq!(ended, "Processes that the script left behind were ended: sleep");
        assert!(surviving.starts_with("##vso[task.logissue type=warning"), "{text}");
        assert!(surviving.contains("still run: stuck") && surviving.contains("no token"), "{text}");
    }

    #[test]
    fn a_system_that_lets_no_process_be_found_is_warned_of() {
        let reason = Some("Access is denied. (os error 5)".to_owned());
        let text = said(&LeftBehind { not_searched: reason, ..LeftBehind::default() });
        assert!(text.starts_with("##vso[task.logissue type=warning"), "{text}");
        assert!(text.contains("were not ended") && text.contains("Access is denied"), "{text}");
    }
}

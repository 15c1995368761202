//! A command that runs as a child of this process: in its terminal and with its standard streams, its signals passed on, its
//! exit code taken over.

#[cfg(target_os = "linux")]
mod process_table;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::{
    ffi::{OsStr, OsString},
    io,
    path::Path,
    process::{Command, Stdio},
};

use wif_core::secret::Secret;

use crate::process;

#[cfg(windows)]
pub use self::windows::{RunningChild, Signals};
#[cfg(unix)]
pub use self::{signals::Signals, unix::RunningChild};

/// A command to run. It inherits this process's environment, standard streams and terminal, except for what is said here.
#[derive(Debug)]
pub struct ChildCommand<'a> {
    /// The program: a path, or a name that is looked for on the `PATH` of the child.
    pub program: &'a OsStr,
    /// Its arguments.
    pub arguments: &'a [OsString],
    /// Where it works, if that is not here.
    pub folder: Option<&'a Path>,
    /// What its environment has beside this process's own, or lacks.
    pub variables: &'a [(String, ChildVariable)],
    /// Where its standard error goes.
    pub errors: ErrorStream,
    /// In which group of processes it is.
    pub group: ProcessGroup,
    /// Whether this process becomes the parent of processes that the child leaves behind, where the system knows of such
    /// a thing (Linux). They are reaped. Process 1 is that parent anyway.
    pub adopts_orphans: bool,
}

/// A variable of a child's environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChildVariable {
    /// It has this value. It may be a secret.
    Set(Secret),
    /// It is not there: an empty text is a value to some programs.
    Removed,
}

/// Where a child's standard error goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorStream {
    /// Where this process's own goes.
    Inherited,
    /// Where this process's standard output goes, in the order in which it is written.
    Output,
    /// To this process: [`RunningChild::take_errors`].
    Piped,
}

/// In which group of processes a child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessGroup {
    /// In this process's own: the terminal's signals reach it.
    Same,
    /// In a new one, so that its children can be ended with it. Elsewhere than on Unix this makes no difference.
    New,
}

/// What happened to a child, or to this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildEvent {
    /// It has ended.
    Ended(ChildEnding),
    /// This process got a signal, by this number. It has been passed on, or the terminal sent it to the child too.
    Signaled(i32),
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildEnding {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// What a child left behind when it ended, by name where the system tells it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LeftBehind {
    /// Processes that have ended since.
    pub ended: Vec<String>,
    /// Processes that could not be ended.
    pub surviving: Vec<String>,
    /// Why the system does not let this process find them.
    pub not_searched: Option<String>,
}

/// The command could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no such program, or what its first line names is not there.
    #[error("there is no such program")]
    NotFound(#[source] io::Error),
    /// It is no program, or this user may not run it.
    #[error("it cannot be run")]
    NotExecutable(#[source] io::Error),
    /// There is no such folder to work in.
    #[error("the folder that it is to work in is not there")]
    NoFolder(#[source] io::Error),
    /// The system starts no process.
    #[error("the system could not start it")]
    System(#[source] io::Error),
}

impl StartError {
    fn of(error: io::Error, command: &ChildCommand<'_>) -> Self {
        /// `ENOEXEC`: a file that is no program. `ERROR_BAD_EXE_FORMAT`: the same.
        const NO_PROGRAM: i32 = if cfg!(windows) { 193 } else { 8 };
        match error.kind() {
            _ if command.folder.is_some_and(|folder| !folder.is_dir()) => Self::NoFolder(error),
            io::ErrorKind::NotFound => Self::NotFound(error),
            io::ErrorKind::PermissionDenied => Self::NotExecutable(error),
            _ if error.raw_os_error() == Some(NO_PROGRAM) => Self::NotExecutable(error),
            _ => Self::System(error),
        }
    }

    /// The exit code by which shells say the same: 127 for a program that is not there, 126 for one that cannot be run.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound(_) => 127,
            Self::NotExecutable(_) | Self::NoFolder(_) | Self::System(_) => 126,
        }
    }
}

impl ChildEnding {
    /// The exit code that tells a parent the same: 128 and the signal's number, as shells have it.
    #[must_use]
    pub const fn exit_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(number) => 128 + number,
        }
    }
}

impl ChildCommand<'_> {
    fn prepared(&self) -> Command {
        let mut command = Command::new(self.program);
        command.args(self.arguments);
        if let Some(folder) = self.folder {
            command.current_dir(folder);
        }
        for (name, value) in self.variables {
            match value {
                ChildVariable::Set(value) => command.env(name, value.expose()),
                ChildVariable::Removed => command.env_remove(name),
            };
        }
        match self.errors {
            ErrorStream::Inherited => {}
            ErrorStream::Output => {
                command.stderr(process::output_for_child());
            }
            ErrorStream::Piped => {
                command.stderr(Stdio::piped());
            }
        }
        command
    }
}

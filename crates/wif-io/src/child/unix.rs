//! A child on Unix: started, signaled and reaped by this process.

use std::{fs::File, io, os::unix::process::CommandExt as _, process::Child};

use rustix::{
    process::{
        Pid, Signal, WaitOptions, WaitStatus, getpgrp, getpid, kill_process, kill_process_group, waitpid,
    },
    termios::tcgetpgrp,
};
use tokio::process::ChildStderr;

use super::{
    ChildCommand, ChildEnding, ChildEvent, ProcessGroup, StartError,
    signals::{Arrived, Signals},
};

/// A child that was started.
#[derive(Debug)]
pub struct RunningChild {
    child: Child,
    id: Pid,
    group: ProcessGroup,
    /// Whether every child of this process is reaped, and not this one only.
    reaps_all: bool,
    ended: Option<ChildEnding>,
}

impl RunningChild {
    /// Starts a command. The signals are listened for before, so that none is lost.
    ///
    /// # Errors
    ///
    /// There is no such program, or it cannot be run.
    pub fn start(command: &ChildCommand<'_>, _signals: &Signals) -> Result<Self, StartError> {
        let failed = |error| StartError::of(error, command);
        #[cfg(target_os = "linux")]
        if command.adopts_orphans {
            rustix::process::set_child_subreaper(Some(getpid())).map_err(|error| failed(error.into()))?;
        }
        let mut prepared = command.prepared();
        if command.group == ProcessGroup::New {
            prepared.process_group(0);
        }
        let child = prepared.spawn().map_err(failed)?;
        let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let id = id.ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?;
        let reaps_all = command.adopts_orphans || getpid() == Pid::INIT;
        Ok(Self { child, id, group: command.group, reaps_all, ended: None })
    }

    /// Its id, which is that of its group too where it has one of its own.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its standard error, where it is piped.
    pub fn take_errors(&mut self) -> Option<ChildStderr> {
        ChildStderr::from_std(self.child.stderr.take()?).ok()
    }

    /// Waits for its end, and passes on every signal until then.
    ///
    /// # Errors
    ///
    /// The system does not tell of its children.
    pub async fn wait(&mut self, signals: &mut Signals) -> io::Result<ChildEnding> {
        loop {
            if let ChildEvent::Ended(ending) = self.next(signals).await? {
                return Ok(ending);
            }
        }
    }

    /// Waits for its end, or for a signal, which is passed on before this returns.
    ///
    /// # Errors
    ///
    /// The system does not tell of its children.
    pub async fn next(&mut self, signals: &mut Signals) -> io::Result<ChildEvent> {
        loop {
            if let Some(ending) = self.reap()? {
                return Ok(ChildEvent::Ended(ending));
            }
            if let Arrived::Signal(signal) = signals.next().await {
                self.pass_on(signal);
                return Ok(ChildEvent::Signaled(signal.as_raw()));
            }
        }
    }

    /// Ends the child, and its group where it has one of its own: asks it to (`SIGTERM`), or does not ask (`SIGKILL`).
    pub fn end(&self, at_once: bool) {
        self.send(if at_once { Signal::KILL } else { Signal::TERM });
    }

    /// Reaps what has ended among the children of this process, and gives the ending of this one.
    fn reap(&mut self) -> io::Result<Option<ChildEnding>> {
        while self.ended.is_none() || self.reaps_all {
            let which = if self.reaps_all { None } else { Some(self.id) };
            match waitpid(which, WaitOptions::NOHANG) {
                Ok(Some((id, status))) if id == self.id => self.ended = ending(status).or(self.ended),
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Ok(None) => break,
                // The last child has been reaped.
                Err(rustix::io::Errno::CHILD) if self.ended.is_some() => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.ended)
    }

    /// What the terminal sends goes to every process of the group in its foreground: the child has it already.
    fn pass_on(&self, signal: Signal) {
        let by_terminal = matches!(signal, Signal::INT | Signal::QUIT | Signal::WINCH);
        if self.group == ProcessGroup::New || !by_terminal || !is_in_foreground() {
            self.send(signal);
        }
    }

    fn send(&self, signal: Signal) {
        // It is reaped by this process only, so that its id is nobody else's until then. One that has ended gets nothing.
        let _ = match self.group {
            ProcessGroup::New => kill_process_group(self.id, signal),
            ProcessGroup::Same if self.ended.is_none() => kill_process(self.id, signal),
            ProcessGroup::Same => Ok(()),
        };
    }
}

/// `None`: it was stopped or goes on.
fn ending(status: WaitStatus) -> Option<ChildEnding> {
    let code = status.exit_status().map(ChildEnding::Code);
    code.or_else(|| status.terminating_signal().map(ChildEnding::Signal))
}

/// Whether this process is in the group that its terminal's signals go to.
fn is_in_foreground() -> bool {
    let terminal = File::open("/dev/tty").ok();
    terminal.is_some_and(|terminal| tcgetpgrp(&terminal).is_ok_and(|group| group == getpgrp()))
}

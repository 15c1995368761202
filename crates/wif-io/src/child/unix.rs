//! A child on Unix: started, signaled and reaped by this process.

use std::{fs::File, io, os::unix::process::CommandExt as _, process::Child, time::Duration};

#[cfg(not(target_os = "linux"))]
use rustix::process::test_kill_process_group;
use rustix::{
    process::{
        Pid, Signal, WaitOptions, WaitStatus, getpgrp, getpid, kill_process, kill_process_group, wait,
        waitpid,
    },
    termios::tcgetpgrp,
};
use tokio::process::ChildStderr;

#[cfg(target_os = "linux")]
use super::process_table;
use super::{
    ChildCommand, ChildEnding, ChildEvent, LeftBehind, ProcessGroup, StartError,
    signals::{Arrived, Signals},
};
use crate::clock::Clock;

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

/// What the child started, and did not wait for.
struct Remaining {
    id: Pid,
    /// Whether it is in the child's own group of processes.
    is_in_group: bool,
    name: String,
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

    /// Ends what the child, which has ended, left behind: asks it to, and kills what is still there after the grace. Where
    /// this process has adopted it (Linux), that is every process below the child, else what is in the child's own group.
    /// Gives the names of what was there, where the system tells them.
    ///
    /// Only children of this process are killed by their ids: until they are reaped here, no other process can have their id.
    pub async fn end_left_behind(&mut self, clock: &dyn Clock, grace: Duration) -> LeftBehind {
        let begin = clock.elapsed();
        let (mut found, mut asked): (Vec<Remaining>, Vec<Pid>) = (Vec::new(), Vec::new());
        loop {
            // Without its children's endings, they are seen in the table of processes all the same.
            let _ = self.reap();
            let left = self.left_behind();
            let passed = clock.elapsed().saturating_sub(begin);
            if left.is_empty() || passed > grace + KILLED_WITHIN {
                let (surviving, ended): (Vec<_>, Vec<_>) = found
                    .into_iter()
                    .partition(|process| left.iter().any(|remaining| remaining.id == process.id));
                let names = |processes: Vec<Remaining>| processes.into_iter().map(|one| one.name).collect();
                return LeftBehind { ended: names(ended), surviving: names(surviving), not_searched: None };
            }
            for process in left {
                let target = if process.is_in_group { self.id } else { process.id };
                let send = if process.is_in_group { kill_process_group } else { kill_process };
                // It may have ended meanwhile.
                if passed >= grace {
                    let _ = send(target, Signal::KILL);
                } else if !asked.contains(&target) {
                    // One that answers in its own time must not be asked again.
                    asked.push(target);
                    let _ = send(target, Signal::TERM);
                }
                if found.iter().all(|known| known.id != process.id) {
                    found.push(process);
                }
            }
            clock.sleep(LOOK_AGAIN).await;
        }
    }

    /// The processes that have not ended.
    #[cfg(target_os = "linux")]
    fn left_behind(&self) -> Vec<Remaining> {
        let own = getpid();
        let processes = process_table::running().into_iter().map(|process| {
            let is_in_group = self.group == ProcessGroup::New && process.group == self.id;
            let is_child = self.reaps_all && process.parent == Some(own);
            let is_left = is_in_group || is_child;
            is_left.then_some(Remaining { id: process.id, is_in_group, name: process.name })
        });
        processes.flatten().collect()
    }

    /// The child's group, if there is anything in it.
    #[cfg(not(target_os = "linux"))]
    fn left_behind(&self) -> Vec<Remaining> {
        let is_there = self.group == ProcessGroup::New && test_kill_process_group(self.id).is_ok();
        let group = Remaining { id: self.id, is_in_group: true, name: String::new() };
        if is_there { vec![group] } else { Vec::new() }
    }

    /// Reaps what has ended among the children of this process, and gives the ending of this one.
    fn reap(&mut self) -> io::Result<Option<ChildEnding>> {
        while self.ended.is_none() || self.reaps_all {
            let options = WaitOptions::NOHANG;
            // Without an id, `waitpid` waits for what is in this process's own group.
            match if self.reaps_all { wait(options) } else { waitpid(Some(self.id), options) } {
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
        // It is reaped by this process only, so that its id is no other process's until then. One that has ended gets nothing.
        let _ = match self.group {
            ProcessGroup::New => kill_process_group(self.id, signal),
            ProcessGroup::Same if self.ended.is_none() => kill_process(self.id, signal),
            ProcessGroup::Same => Ok(()),
        };
    }
}

/// How long the system may take to end what was killed.
const KILLED_WITHIN: Duration = Duration::from_secs(2);
/// How often to look whether what was asked to end has done so.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

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

#[cfg(test)]
mod tests {
    use std::{
        ffi::{OsStr, OsString},
        sync::atomic::{AtomicU64, Ordering},
    };

    use time::OffsetDateTime;

    use super::*;
    use crate::{
        child::ErrorStream,
        clock::{Limit, System, Wait},
    };

    /// A clock on which every wait takes minutes, and no time passes.
    #[derive(Default)]
    struct Hurried {
        minutes: AtomicU64,
        system: System,
    }

    impl Clock for Hurried {
        fn now(&self) -> OffsetDateTime {
            self.system.now()
        }

        fn elapsed(&self) -> Duration {
            Duration::from_secs(60 * self.minutes.load(Ordering::Relaxed))
        }

        fn sleep(&self, _duration: Duration) -> Wait {
            self.minutes.fetch_add(1, Ordering::Relaxed);
            Box::pin(std::future::ready(()))
        }

        fn limit(&self, what: Limit, duration: Duration) -> Wait {
            self.system.limit(what, duration)
        }

        fn jitter(&self) -> u8 {
            0
        }
    }

    /// Runs a shell in a group of its own to its end, and ends what it leaves behind.
    fn left_behind_by(script: &str, clock: &dyn Clock) -> LeftBehind {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut signals = Signals::listen().unwrap();
            let command = ChildCommand {
                program: OsStr::new("sh"),
                arguments: &["-c", script].map(OsString::from),
                folder: None,
                variables: &[],
                errors: ErrorStream::Inherited,
                group: ProcessGroup::New,
                adopts_orphans: false,
            };
            let mut child = RunningChild::start(&command, &signals).unwrap();
            child.wait(&mut signals).await.unwrap();
            let left = child.end_left_behind(clock, Duration::from_millis(500)).await;
            child.end(true);
            left
        })
    }

    #[test]
    fn a_process_that_did_not_end_in_time_is_not_said_to_have_ended() {
        let left = left_behind_by("trap '' TERM; sleep 600 > /dev/null &", &Hurried::default());
        assert!(left.ended.is_empty(), "{left:?}");
        assert_eq!(left.surviving.len(), 1, "{left:?}");
        let left = left_behind_by("sleep 600 > /dev/null &", &System::new());
        assert!(left.surviving.is_empty(), "{left:?}");
        assert_eq!(left.ended.len(), 1, "{left:?}");
    }
}

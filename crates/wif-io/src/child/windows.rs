//! A child on Windows. The console sends its events to every process of its group: the child gets them by itself.

use std::{collections::BTreeSet, future::poll_fn, io, task::Poll, time::Duration};

use tokio::{
    process::{Child, ChildStderr, Command},
    signal::windows::{
        CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown,
    },
};

use super::{ChildCommand, ChildEnding, ChildEvent, LeftBehind, StartError};
use crate::clock::Clock;

/// Listens for the console's events, so that none of them ends this process before its child has answered.
#[derive(Debug)]
pub struct Signals {
    interrupt: CtrlC,
    terminate: CtrlBreak,
    close: CtrlClose,
    shutdown: CtrlShutdown,
}

/// The numbers by which a C program knows these events.
const INTERRUPT: i32 = 2;
const BREAK: i32 = 21;
const TERMINATE: i32 = 15;

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: ctrl_c()?,
            terminate: ctrl_break()?,
            close: ctrl_close()?,
            shutdown: ctrl_shutdown()?,
        })
    }

    /// Waits for an event that is to end this process, before there is a child, and gives its number.
    pub async fn ending(&mut self) -> i32 {
        poll_fn(|context| {
            if self.interrupt.poll_recv(context).is_ready() {
                return Poll::Ready(INTERRUPT);
            }
            if self.terminate.poll_recv(context).is_ready() {
                return Poll::Ready(BREAK);
            }
            let closed = self.close.poll_recv(context).is_ready();
            if closed || self.shutdown.poll_recv(context).is_ready() {
                return Poll::Ready(TERMINATE);
            }
            Poll::Pending
        })
        .await
    }
}

/// How long the system may take to end what was left behind.
const ENDED_WITHIN: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A child that was started.
#[derive(Debug)]
pub struct RunningChild {
    child: Child,
}

impl RunningChild {
    /// Starts a command. The events are listened for before, so that none is lost.
    ///
    /// # Errors
    ///
    /// There is no such program, or it cannot be run.
    pub fn start(command: &ChildCommand<'_>, _signals: &Signals) -> Result<Self, StartError> {
        job::enter(command.adopts_orphans);
        let child = Command::from(command.prepared()).spawn();
        Ok(Self { child: child.map_err(|error| StartError::of(error, command))? })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Its standard error, where it is piped.
    pub fn take_errors(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Waits for its end.
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

    /// Waits for its end, or for an event of the console, which the child gets too.
    ///
    /// # Errors
    ///
    /// The system does not tell of its children.
    pub async fn next(&mut self, signals: &mut Signals) -> io::Result<ChildEvent> {
        tokio::select! {
            ended = self.child.wait() => {
                Ok(ChildEvent::Ended(ChildEnding::Code(ended?.code().unwrap_or(1))))
            }
            number = signals.ending() => Ok(ChildEvent::Signaled(number)),
        }
    }

    /// The same with a command line that is passed on as it is, in place of the arguments: for a program that reads it in a
    /// way of its own, as `cmd` does.
    ///
    /// # Errors
    ///
    /// There is no such program, or it cannot be run.
    pub fn start_verbatim(
        command: &ChildCommand<'_>,
        line: &str,
        _signals: &Signals,
    ) -> Result<Self, StartError> {
        job::enter(command.adopts_orphans);
        let child = Command::from(command.prepared()).raw_arg(line).spawn();
        Ok(Self { child: child.map_err(|error| StartError::of(error, command))? })
    }

    /// Ends what the child left behind: every other process of the job that this process and its children are in. There is no
    /// way to ask them to. Gives their names, as far as they are known: their ids.
    pub async fn end_left_behind(&mut self, clock: &dyn Clock, _grace: Duration) -> LeftBehind {
        let (mut ended, mut surviving) = (BTreeSet::new(), Vec::new());
        let begin = clock.elapsed();
        loop {
            let others = match job::end_others() {
                Ok(others) => others,
                Err(error) => {
                    let not_searched = Some(error.to_string());
                    return LeftBehind { not_searched, ..LeftBehind::default() };
                }
            };
            surviving.clone_from(&others);
            ended.extend(others);
            if surviving.is_empty() || clock.elapsed().saturating_sub(begin) >= ENDED_WITHIN {
                break;
            }
            clock.sleep(LOOK_AGAIN).await;
        }
        ended.retain(|id| !surviving.contains(id));
        let name = |id: u32| format!("process {id}");
        LeftBehind {
            ended: ended.into_iter().map(name).collect(),
            surviving: surviving.into_iter().map(name).collect(),
            not_searched: None,
        }
    }

    /// Ends the child. There is no way to ask it to.
    pub fn end(&mut self, _at_once: bool) {
        let _ = self.child.start_kill();
    }
}

/// A job is a set of processes, with all that they start. This process is in it before its child is, so that no process that
/// the child starts is outside.
#[expect(unsafe_code, reason = "neither std nor tokio knows jobs")]
mod job {
    use std::{
        ffi::c_void,
        io,
        ptr::{null, null_mut},
        sync::OnceLock,
    };

    use windows_sys::Win32::{
        Foundation::CloseHandle,
        System::{
            JobObjects::{
                AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
                JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectBasicProcessIdList,
                JobObjectExtendedLimitInformation, QueryInformationJobObject, SetInformationJobObject,
            },
            Threading::{GetCurrentProcess, OpenProcess, PROCESS_TERMINATE, TerminateProcess},
        },
    };

    /// The job's handle, or the system's number for the reason why there is none. The handle is never closed: with its last
    /// handle, this process would end too. The system closes it when this process has ended, and ends what is left in the job.
    static JOB: OnceLock<Result<usize, Option<i32>>> = OnceLock::new();
    /// More processes are ended in several rounds.
    const MAX_LISTED: usize = 256;

    /// `JOBOBJECT_BASIC_PROCESS_ID_LIST`, with room.
    #[repr(C)]
    struct List {
        assigned: u32,
        listed: u32,
        ids: [usize; MAX_LISTED],
    }

    /// Enters a job, once. Where the system does not let it, [`end_others`] says so.
    pub(super) fn enter(wanted: bool) {
        if wanted {
            JOB.get_or_init(|| create().ok_or_else(|| io::Error::last_os_error().raw_os_error()));
        }
    }

    fn create() -> Option<usize> {
        // SAFETY: neither attributes nor a name are given.
        let job = unsafe { CreateJobObjectW(null(), null()) };
        if job.is_null() {
            return None;
        }
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
        let (length, limits) = (size_of_val(&limits).try_into().ok()?, (&raw const limits).cast::<c_void>());
        // SAFETY: the handle is open, the limits are of the named type and live until the call returns; the second handle is
        // that of this process, which need not be closed.
        let is_in = unsafe {
            SetInformationJobObject(job, JobObjectExtendedLimitInformation, limits, length) != 0
                && AssignProcessToJobObject(job, GetCurrentProcess()) != 0
        };
        is_in.then_some(job as usize)
    }

    /// Asks the system to end every other process of the job, and gives the ids of those that were there. One that has ended
    /// is not listed the next time.
    ///
    /// # Errors
    ///
    /// The system did not let this process enter a job, or does not tell what is in it.
    pub(super) fn end_others() -> io::Result<Vec<u32>> {
        let refused = |number: Option<i32>| {
            number.map_or_else(|| io::Error::from(io::ErrorKind::Unsupported), io::Error::from_raw_os_error)
        };
        let job = match JOB.get() {
            Some(Ok(job)) => *job,
            Some(Err(number)) => return Err(refused(*number)),
            None => return Ok(Vec::new()),
        };
        let mut list = List { assigned: 0, listed: 0, ids: [0; MAX_LISTED] };
        let Ok(length) = size_of_val(&list).try_into() else { return Err(refused(None)) };
        // SAFETY: the handle is never closed, and the list is ours, has the named size and lives until the call returns. With
        // more processes than it has room for, the call fails and fills it.
        unsafe {
            let list = (&raw mut list).cast::<c_void>();
            QueryInformationJobObject(job as _, JobObjectBasicProcessIdList, list, length, null_mut());
        }
        let listed = list.ids.iter().take(list.listed as usize).filter_map(|id| u32::try_from(*id).ok());
        let others: Vec<_> = listed.filter(|id| *id != 0 && *id != std::process::id()).collect();
        others.iter().for_each(|id| end(*id));
        Ok(others)
    }

    /// Asks the system to end a process. One that does not end is listed again.
    fn end(id: u32) {
        // SAFETY: the call takes numbers and no memory of ours.
        let process = unsafe { OpenProcess(PROCESS_TERMINATE, 0, id) };
        if process.is_null() {
            return;
        }
        // SAFETY: the handle is open, and this is its only owner.
        unsafe {
            TerminateProcess(process, 1);
            CloseHandle(process);
        }
    }
}

//! A process by its id and its start, which together are never those of another: an id alone is given again.

use std::{fmt, io, str::FromStr, time::Duration};

use crate::clock::{Clock, Limit, timeout};

/// What the step notes of its broker, for the post-job stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRecord {
    id: u32,
    /// As the system tells it; only compared.
    start: String,
}

/// What came of ending a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It ended by itself.
    ByItself,
    /// It was killed.
    Killed,
    /// It was gone already; another process may have its id, and was left alone.
    Gone,
}

/// How often to look whether a process is still there.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// A killed process is gone within this time, or the system is at fault.
const KILL_TIMEOUT: Duration = Duration::from_secs(1);

impl ProcessRecord {
    /// Notes a process that runs.
    ///
    /// # Errors
    ///
    /// There is no such process, or the system does not tell its start.
    pub fn of(id: u32) -> io::Result<Self> {
        let start = system::start(id)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { id, start })
    }

    /// Waits for so long for its end, then kills it. A process of the same id that is not a broker, or that started at
    /// another time, is left alone.
    ///
    /// # Errors
    ///
    /// The system refuses, or the process is still there.
    pub async fn end(&self, clock: &dyn Clock, grace: Duration) -> io::Result<Ending> {
        let Some(process) = system::Process::open(self.id)? else { return Ok(Ending::Gone) };
        // After it was opened, so that what is compared is what is killed.
        if system::start(self.id)?.as_ref() != Some(&self.start) {
            return Ok(Ending::Gone);
        }
        if ends_within(clock, grace, &process).await {
            return Ok(Ending::ByItself);
        }
        process.kill()?;
        if ends_within(clock, KILL_TIMEOUT, &process).await {
            Ok(Ending::Killed)
        } else {
            Err(io::ErrorKind::TimedOut.into())
        }
    }
}

async fn ends_within(clock: &dyn Clock, limit: Duration, process: &system::Process) -> bool {
    let ended = async {
        while !process.has_ended() {
            clock.sleep(LOOK_EVERY).await;
        }
    };
    timeout(clock, Limit::BrokerEnd, limit, ended).await.is_some()
}

impl fmt::Display for ProcessRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.start)
    }
}

impl FromStr for ProcessRecord {
    type Err = io::Error;

    fn from_str(text: &str) -> io::Result<Self> {
        let (id, start) = text.split_once(' ').ok_or(io::ErrorKind::InvalidData)?;
        // Process 0 is a group of processes to some calls, and process 1 is the system's or the container's first.
        let id = id.parse().ok().filter(|id| *id > 1).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { id, start: start.to_owned() })
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::{fs, io, os::fd::OwnedFd};

    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
    };

    /// A descriptor of one process, whatever its id is given to later (`pidfd_open(2)`).
    pub(super) struct Process(OwnedFd);

    /// When a broker of this id started, in ticks since the system did (`proc_pid_stat(5)`); `None` when it does not run.
    pub(super) fn start(id: u32) -> io::Result<Option<String>> {
        let folder = format!("/proc/{id}");
        let (arguments, stat) =
            match (fs::read(format!("{folder}/cmdline")), fs::read_to_string(format!("{folder}/stat"))) {
                (Err(error), _) | (_, Err(error)) => return gone(error),
                (Ok(arguments), Ok(stat)) => (arguments, stat),
            };
        // What the step noted may have been changed by a later step on an old agent: only a broker is ever ended.
        if !arguments.ends_with(b"\0broker\0") || arguments.split(|byte| *byte == 0).count() != 3 {
            return Ok(None);
        }
        // The name of the program, in parentheses, may hold spaces; the state is the third field, the start the 22nd.
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let has_ended = fields.next().is_none_or(|state| matches!(state, "Z" | "X"));
        Ok(fields.nth(18).filter(|_| !has_ended).map(str::to_owned))
    }

    fn gone(error: io::Error) -> io::Result<Option<String>> {
        match error.kind() {
            io::ErrorKind::NotFound => Ok(None),
            // It ended between two looks: ESRCH.
            _ if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => Ok(None),
            _ => Err(error),
        }
    }

    impl Process {
        pub(super) fn open(id: u32) -> io::Result<Option<Self>> {
            let id = i32::try_from(id).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
            match pidfd_open(id, PidfdFlags::empty()) {
                Ok(descriptor) => Ok(Some(Self(descriptor))),
                Err(rustix::io::Errno::SRCH) => Ok(None),
                Err(error) => Err(error.into()),
            }
        }

        /// The descriptor can be read once the process has ended.
        pub(super) fn has_ended(&self) -> bool {
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&now)).is_ok_and(|ready| ready > 0)
        }

        pub(super) fn kill(&self) -> io::Result<()> {
            match pidfd_send_signal(&self.0, Signal::KILL) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
                Err(error) => Err(error.into()),
            }
        }
    }
}

/// There is no descriptor of a process here: its start is compared right before the signal is sent.
#[cfg(all(unix, not(target_os = "linux")))]
mod system {
    use std::{io, process::Command};

    use rustix::process::{Pid, Signal, kill_process};

    pub(super) struct Process {
        id: u32,
        start: Option<String>,
    }

    /// When a broker of this id started, to the second; `None` when it does not run.
    pub(super) fn start(id: u32) -> io::Result<Option<String>> {
        let mut command = Command::new("/bin/ps");
        let command =
            command.env_clear().env("LC_ALL", "C").args(["-ww", "-o", "state=,lstart=,command=", "-p"]);
        let output = command.arg(id.to_string()).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut words = text.split_whitespace();
        let has_ended = words.next().is_none_or(|state| state.starts_with('Z'));
        let is_broker = text.trim_end().ends_with(" broker");
        // `Thu Nov 26 05:35:27 2026`
        let start = words.take(5).collect::<Vec<_>>().join(" ");
        Ok((is_broker && !has_ended).then_some(start))
    }

    impl Process {
        pub(super) fn open(id: u32) -> io::Result<Option<Self>> {
            let start = start(id)?;
            Ok(start.is_some().then_some(Self { id, start }))
        }

        pub(super) fn has_ended(&self) -> bool {
            start(self.id).is_ok_and(|start| start != self.start)
        }

        pub(super) fn kill(&self) -> io::Result<()> {
            if start(self.id)? != self.start {
                return Ok(());
            }
            let id =
                i32::try_from(self.id).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
            match kill_process(id, Signal::KILL) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
                Err(error) => Err(error.into()),
            }
        }
    }
}

#[cfg(windows)]
#[expect(unsafe_code, reason = "neither std nor tokio opens a process that another one started")]
mod system {
    use std::{
        io,
        os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle},
    };

    use windows_sys::Win32::{
        Foundation::{ERROR_INVALID_PARAMETER, FILETIME, WAIT_OBJECT_0},
        System::Threading::{
            GetProcessTimes, OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE,
            PROCESS_TERMINATE, TerminateProcess, WaitForSingleObject,
        },
    };

    /// A handle of one process: while it is open, its id is given to no other.
    pub(super) struct Process(OwnedHandle);

    /// When the process of this id was created; `None` when it never ran, or has ended.
    pub(super) fn start(id: u32) -> io::Result<Option<String>> {
        let Some(process) = Process::open(id)? else { return Ok(None) };
        if process.has_ended() { Ok(None) } else { process.created().map(Some) }
    }

    impl Process {
        pub(super) fn open(id: u32) -> io::Result<Option<Self>> {
            let rights = PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_TERMINATE | PROCESS_SYNCHRONIZE;
            // SAFETY: the call takes numbers and no memory of ours.
            let handle = unsafe { OpenProcess(rights, 0, id) };
            if handle.is_null() {
                let error = io::Error::last_os_error();
                let gone = error.raw_os_error() == Some(ERROR_INVALID_PARAMETER.cast_signed());
                return if gone { Ok(None) } else { Err(error) };
            }
            // SAFETY: the handle is open, and this is its only owner.
            Ok(Some(Self(unsafe { OwnedHandle::from_raw_handle(handle) })))
        }

        fn created(&self) -> io::Result<String> {
            let none = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
            let (mut created, mut ended, mut kernel, mut user) = (none, none, none, none);
            // SAFETY: the handle is open while `self` is, and the four times are ours and live until the call returns.
            let known = unsafe {
                GetProcessTimes(
                    self.0.as_raw_handle(),
                    &raw mut created,
                    &raw mut ended,
                    &raw mut kernel,
                    &raw mut user,
                )
            };
            if known == 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(format!("{:08x}{:08x}", created.dwHighDateTime, created.dwLowDateTime))
        }

        pub(super) fn has_ended(&self) -> bool {
            // SAFETY: the handle is open while `self` is; the call waits for no time.
            unsafe { WaitForSingleObject(self.0.as_raw_handle(), 0) == WAIT_OBJECT_0 }
        }

        pub(super) fn kill(&self) -> io::Result<()> {
            // SAFETY: the handle is open while `self` is, and the call takes no memory of ours.
            let killed = unsafe { TerminateProcess(self.0.as_raw_handle(), 1) };
            // Of a process that has ended meanwhile, the call says that access is denied.
            if killed == 0 && !self.has_ended() { Err(io::Error::last_os_error()) } else { Ok(()) }
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::{
        os::unix::process::{CommandExt as _, ExitStatusExt as _},
        process::{Child, Command, Stdio},
    };

    use super::*;
    use crate::clock::System;

    /// A process that is called as a broker is, and that waits.
    fn process(argument: &str) -> Child {
        let mut command = Command::new("/bin/sh");
        let command = command.arg0("wif").args(["-c", "read line", argument]).stdin(Stdio::piped());
        command.spawn().unwrap()
    }

    /// The same with the two arguments of a broker: a shell that reads its script from a file of that name.
    fn broker() -> (Child, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("broker"), "read line").unwrap();
        let mut command = Command::new("/bin/sh");
        let command = command.arg0("wif").arg("broker").current_dir(folder.path()).stdin(Stdio::piped());
        let child = command.spawn().unwrap();
        // Until it is the shell, and no longer a copy of this process.
        let starts = (0..1_000_000).any(|_| {
            std::thread::yield_now();
            ProcessRecord::of(child.id()).is_ok()
        });
        assert!(starts, "it does not become a shell");
        (child, folder)
    }

    fn end(record: &ProcessRecord) -> Ending {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(record.end(&System::new(), Duration::ZERO)).unwrap()
    }

    #[test]
    fn a_broker_is_killed_though_it_is_stopped() {
        let (mut child, _folder) = broker();
        let record = ProcessRecord::of(child.id()).unwrap();
        assert_eq!(record.to_string().parse::<ProcessRecord>().unwrap(), record);
        Command::new("kill").args(["-STOP", &child.id().to_string()]).status().unwrap();
        assert_eq!(end(&record), Ending::Killed);
        assert_eq!(end(&record), Ending::Gone, "what has ended and was not waited for is gone");
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        assert_eq!(end(&record), Ending::Gone);
    }

    #[test]
    fn a_process_that_has_the_id_of_a_broker_of_before_is_left_alone() {
        let (mut child, _folder) = broker();
        let record = ProcessRecord::of(child.id()).unwrap();
        let start: u64 = record.start.parse().unwrap();
        for other in [start - 1, start + 1, 0] {
            assert_eq!(end(&ProcessRecord { start: other.to_string(), ..record.clone() }), Ending::Gone);
        }
        assert!(child.try_wait().unwrap().is_none());
        assert_eq!(end(&record), Ending::Killed);
        child.wait().unwrap();
    }

    #[test]
    fn a_process_that_is_not_a_broker_is_left_alone() {
        let mut child = process("x");
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        let ticks = stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().to_owned();
        assert!(ProcessRecord::of(child.id()).is_err());
        assert_eq!(end(&ProcessRecord { id: child.id(), start: ticks }), Ending::Gone);
        assert!(child.try_wait().unwrap().is_none());
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn what_is_not_a_record_is_refused() {
        for text in ["", "5", "0 1", "1 1", "-1 1", "x 1", "4294967296 1"] {
            assert!(text.parse::<ProcessRecord>().is_err(), "{text}");
        }
    }
}

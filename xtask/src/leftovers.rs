//! No chore leaves a process, however it ends. On Linux the chore runs as a child of this program, which inherits what
//! the chore leaves (a broker lives for a day), ends it, and says so. Elsewhere no system call does that, and the chore
//! runs as it is.

use std::process::ExitCode;

#[cfg(not(target_os = "linux"))]
pub(crate) fn run_and_clean(_supervised: &str) -> Option<ExitCode> {
    None
}

/// Runs this program again with the same arguments and a flag before them, to its end or until a signal asks to stop, and ends every
/// process below it. `None`: that cannot be done here, and the chore is to be run without.
#[cfg(target_os = "linux")]
pub(crate) fn run_and_clean(supervised: &str) -> Option<ExitCode> {
    linux::run_and_clean(supervised)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        env, fs, io,
        os::unix::process::ExitStatusExt as _,
        process::{Command, ExitCode, ExitStatus},
    };

    use rustix::process::{
        Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait, waitpid,
    };
    use tokio::{
        runtime,
        signal::unix::{SignalKind, signal},
    };

    pub(super) fn run_and_clean(supervised: &str) -> Option<ExitCode> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().ok()?;
        set_child_subreaper(Some(getpid())).ok()?;
        let mut chore = Command::new(env::current_exe().ok()?);
        chore.arg(supervised).args(env::args_os().skip(1));
        let code = runtime.block_on(to_its_end(&mut chore)).ok()?;
        let ended = end_all_below();
        if !ended.is_empty() {
            eprintln!("Ended what the chore left: {}", ended.join(", "));
        }
        Some(ExitCode::from(code))
    }

    /// The chore's exit code, or 128 and the number of the signal that ended it or that came.
    ///
    /// # Errors
    ///
    /// The chore was not started.
    async fn to_its_end(chore: &mut Command) -> io::Result<u8> {
        let mut child_ended = signal(SignalKind::child())?;
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        let mut hung_up = signal(SignalKind::hangup())?;
        let own = Pid::from_child(&chore.spawn()?);
        let stopped_by = |kind: SignalKind| Ok(u8::try_from(128 + kind.as_raw_value()).unwrap_or(1));
        loop {
            tokio::select! {
                _ = child_ended.recv() => {}
                _ = interrupted.recv() => return stopped_by(SignalKind::interrupt()),
                _ = terminated.recv() => return stopped_by(SignalKind::terminate()),
                _ = hung_up.recv() => return stopped_by(SignalKind::hangup()),
            }
            // Orphans of the chore that have ended are this program's to reap: else they look alive.
            while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
                if pid == own {
                    let status = ExitStatus::from_raw(status.as_raw());
                    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
                    return Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1));
                }
            }
        }
    }

    /// Ends the children of this process until it has none: with each that ends, its own become this one's. Returns their
    /// names and ids.
    fn end_all_below() -> Vec<String> {
        let mut ended = Vec::new();
        let mut not_ours = Vec::new();
        loop {
            let children: Vec<_> = children().into_iter().filter(|child| !not_ours.contains(child)).collect();
            if children.is_empty() {
                return ended;
            }
            for child in children {
                let is_over = stat(child).is_none_or(|(_, state, _)| state == "Z");
                if !is_over {
                    let name = stat(child).map(|(name, ..)| name).unwrap_or_default();
                    if kill_process(child, Signal::KILL).is_err() {
                        // Another user's.
                        eprintln!("{name} ({child}) was left by the chore, and may not be ended by it");
                        not_ours.push(child);
                        continue;
                    }
                    ended.push(format!("{name} ({child})"));
                }
                let _ = waitpid(Some(child), WaitOptions::empty());
            }
        }
    }

    fn children() -> Vec<Pid> {
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = all.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
        pids.filter(|pid| stat(*pid).is_some_and(|(.., parent)| parent == getpid())).collect()
    }

    /// Name, state and parent of a process (`proc_pid_stat(5)`); the name may hold blanks and parentheses.
    fn stat(pid: Pid) -> Option<(String, String, Pid)> {
        let text = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
        let (begin, rest) = text.rsplit_once(") ")?;
        let name = begin.split_once(" (")?.1.to_owned();
        let mut fields = rest.split(' ');
        let state = fields.next()?.to_owned();
        Some((name, state, Pid::from_raw(fields.next()?.parse().ok()?)?))
    }
}

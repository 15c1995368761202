//! What the operating system is told of this process, and of the broker's.

mod container;
mod record;
mod step_output;

use std::{
    io::{self, BufRead as _, Write as _},
    process::Stdio,
};

use zeroize::Zeroizing;

pub use self::{
    container::is_in_container,
    record::{Ending, ProcessRecord},
    step_output::MaskOutput,
};

/// Leaves the step's session of processes, so that what ends the step does not end this one.
///
/// # Errors
///
/// The system refuses.
pub fn detach() -> io::Result<()> {
    #[cfg(unix)]
    rustix::process::setsid()?;
    Ok(())
}

/// Keeps every open file to this process: what it starts from now on gets only the standard streams that it is given.
/// On Windows a child inherits every handle that may be inherited. Elsewhere it inherits what this process itself got
/// from those above it: a lock or a pipe of theirs would stay held for as long as the child lives.
///
/// # Errors
///
/// The system refuses.
#[cfg_attr(windows, expect(clippy::disallowed_methods, reason = "a handle is taken, and nothing written"))]
pub fn keep_open_files() -> io::Result<()> {
    // Whatever this process opens itself has the mark already.
    #[cfg(unix)]
    close_fds::set_fds_cloexec_threadsafe(3, &[]);
    #[cfg(windows)]
    {
        use std::os::windows::io::AsRawHandle as _;
        not_inherited(io::stdin().as_raw_handle())?;
        not_inherited(io::stdout().as_raw_handle())?;
        not_inherited(io::stderr().as_raw_handle())?;
    }
    Ok(())
}

#[cfg(windows)]
#[expect(unsafe_code, reason = "neither std nor tokio can take the mark off a handle that is open already")]
fn not_inherited(handle: std::os::windows::io::RawHandle) -> io::Result<()> {
    use windows_sys::Win32::Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation};
    if handle.is_null() {
        return Ok(()); // there is no such stream
    }
    // SAFETY: the call takes numbers and no memory of ours; it reports an invalid handle as an error.
    match unsafe { SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Reads a line from the process that started this one, with its line end; nothing at the end of the pipe.
///
/// # Errors
///
/// The pipe is broken, or the line is no text.
pub fn read_line() -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    io::stdin().lock().read_line(&mut line)?;
    Ok(line)
}

/// Writes a line to the process that started this one.
///
/// # Errors
///
/// The pipe is broken.
#[expect(clippy::disallowed_methods, reason = "the step reads it here, before there is a session")]
pub fn write_line(line: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}

/// This process's standard output, for a child to write to.
#[expect(clippy::disallowed_methods, reason = "a handle is taken, and nothing written")]
pub(crate) fn output_for_child() -> Stdio {
    io::stdout().into()
}

/// Closes standard input, output and error, so that the process at their other end sees the end of them.
pub fn close_stdio() {
    #[cfg(unix)]
    if let Ok(null) = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null") {
        // These fail for no descriptor that is open.
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}

/// Forbids core files, and reading this process's memory and environment, to processes of the same user, where the
/// system knows such a rule. What it does not know is left as it is.
pub fn forbid_reading() {
    forbid_core_files();
    #[cfg(target_os = "linux")]
    not_dumpable();
}

/// Forbids reading this process's memory and environment, and leaves the limits as they are, which a child inherits: on Linux
/// such a process leaves no core file either.
pub fn forbid_reading_of_memory() {
    #[cfg(target_os = "linux")]
    not_dumpable();
}

/// The same for the broker, which the agent must find by its environment when the job ends: where Linux lets only
/// parents trace (Yama), memory is safe already, and the environment, which holds no secret, may be read.
pub fn forbid_tracing() {
    forbid_core_files();
    #[cfg(target_os = "linux")]
    {
        let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
        if !scope.is_ok_and(|scope| matches!(scope.trim(), "1" | "2" | "3")) {
            not_dumpable();
        }
    }
}

/// Lets this process have as many open files as the system allows at the most: each caller of a broker is one.
pub fn allow_many_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let current = Some(maximum.unwrap_or(WANTED_OPEN_FILES).min(WANTED_OPEN_FILES));
        // With fewer, callers wait longer.
        let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
    }
}

/// Twice the broker's connections, and then some.
#[cfg(unix)]
const WANTED_OPEN_FILES: u64 = 4096;

fn forbid_core_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        // Lowering a limit is always allowed.
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
}

#[cfg(target_os = "linux")]
fn not_dumpable() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    // prctl(2): PR_SET_DUMPABLE fails for no value that this crate can name.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

//! `wif audit` and the like: the commands of the operators' program, which is another one so that this one stays small and can
//! change nothing.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::Path,
    process::Command,
};

use wif_io::{env::Env, program::find};

/// The operators' program.
const PROGRAM: &str = if cfg!(windows) { "wif-operator.exe" } else { "wif-operator" };
/// Where it can be had.
const RELEASES: &str = "https://github.com/wif-azure/wif/releases";

/// Hands a command over to the operators' program: the one beside this program, else the first on the `PATH`. Its exit code is
/// this program's.
///
/// # Errors
///
/// There is none, or it cannot be started: one line that says where to get it.
pub fn operator(name: &str, arguments: &[OsString], own: Option<&Path>, env: &Env) -> Result<u8, String> {
    let beside = own.and_then(Path::parent).map(|folder| folder.join(PROGRAM)).filter(|path| path.is_file());
    let Some(program) = beside.or_else(|| find(env, &[PROGRAM])) else {
        return Err(format!(
            "wif {name} is a command of {PROGRAM}, which is neither beside this program nor on the PATH: get it from {RELEASES}"
        ));
    };
    start(&program, OsStr::new(name), arguments).map_err(|error| {
        format!("{} could not be started: {error}; get it anew from {RELEASES}", program.display())
    })
}

/// Becomes the program: signals and terminal are its own.
#[cfg(unix)]
pub(super) fn start(program: &Path, name: &OsStr, arguments: &[OsString]) -> io::Result<u8> {
    use std::os::unix::process::CommandExt as _;
    Err(Command::new(program).arg(name).args(arguments).exec())
}

/// Starts the program, and waits for its end.
#[cfg(not(unix))]
pub(super) fn start(program: &Path, name: &OsStr, arguments: &[OsString]) -> io::Result<u8> {
    let status = Command::new(program).arg(name).args(arguments).status()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

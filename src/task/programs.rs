//! Programs that other tools start by name, in the session's folder: each starts this one with what it is to speak.

use std::path::Path;

use wif_core::{failure::Failure, secret::Secret};
use wif_io::private_folder::Folder;

/// The folder's name in the session's.
pub(super) const FOLDER: &str = "bin";

/// Writes programs: a name, and the tool whose protocol it speaks.
///
/// # Errors
///
/// The folder cannot be written.
pub(super) fn write(
    folder: &Folder,
    program: Option<&Path>,
    session: Option<&str>,
    programs: &[(&str, &str)],
) -> Result<(), Failure> {
    let Some(own) = program.and_then(Path::to_str).filter(|_| !programs.is_empty()) else { return Ok(()) };
    let to = folder.inner(FOLDER)?;
    let option = session.map(|session| format!(" --session {session}")).unwrap_or_default();
    for (name, tool) in programs {
        let arguments = format!("credential {tool}{option} --");
        if cfg!(windows) {
            // A percent sign stands for itself when it is doubled.
            let own = own.replace('%', "%%");
            to.write(&format!("{name}.cmd"), &Secret::new(format!("@\"{own}\" {arguments} %*\r\n")))?;
        } else {
            let own = own.replace('\'', r"'\''");
            let text = format!("#!/bin/sh\nexec '{own}' {arguments} \"$@\"\n");
            let path = to.write(name, &Secret::new(text))?;
            make_executable(&path)?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(|error| {
        let hint = "let the agent's user make programs in the agent's temporary folder";
        Failure::new(wif_core::code::Code::FolderUnwritable, error, hint)
    })
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) -> Result<(), Failure> {
    Ok(())
}

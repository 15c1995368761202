//! Programs of a platform: a script that stands in for one, and the mark that lets a file be run.

use std::path::{Path, PathBuf};

use crate::{process::Result, tools};

/// Writes a script that stands in for a program. bash, since other shells drop variables with a `-` in their names.
pub(super) fn program(path: &Path, script: &str) -> Result<PathBuf> {
    tools::write(path, format!("#!/bin/bash\n{script}\n"))?;
    executable(path)?;
    Ok(path.to_owned())
}

/// Lets every user run a file, where the system asks for that.
pub(super) fn executable(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).map_err(failed)?;
    }
    Ok(())
}

/// Whether a file may be run.
pub(super) fn is_executable(file: &std::fs::Metadata) -> bool {
    #[cfg(unix)]
    let executable = std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let executable = !file.is_file();
    executable
}

//! Files that people name as input.

use std::{fs::File, io, path::Path};

/// Opens a file to read it. The reader bounds how much.
///
/// # Errors
///
/// It cannot be opened, or it is a named pipe: to open one waits for a writer that may never come. A pipe that this process was
/// given already (`/dev/stdin`, a shell's `<(…)`) has one.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    if is_named_pipe(path) {
        let error = "it is a named pipe; accepted is a file, or a pipe from the shell as /dev/stdin";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
    }
    File::open(path)
}

#[cfg(unix)]
fn is_named_pipe(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    let is_pipe = path.metadata().is_ok_and(|found| found.file_type().is_fifo());
    // A pipe without a name has no place in the file system.
    is_pipe && path.canonicalize().is_ok()
}

#[cfg(not(unix))]
const fn is_named_pipe(_path: &Path) -> bool {
    false
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_named_pipe_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for path in [&path, &link] {
            assert!(open(path).unwrap_err().to_string().contains("named pipe"));
        }
        assert!(open(Path::new("/dev/null")).is_ok());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_of_the_shell_is_read() {
        use std::{io::Read as _, os::fd::AsRawFd as _};
        let child = Command::new("printf").arg("text").stdout(Stdio::piped()).spawn().unwrap();
        let pipe = child.stdout.as_ref().unwrap();
        let mut text = String::new();
        let path = format!("/dev/fd/{}", pipe.as_raw_fd());
        open(Path::new(&path)).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "text");
        child.wait_with_output().unwrap();
    }
}

//! A directory that is held open: what is written to it goes there, whatever later has its name.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use wif_core::secret::Secret;

use super::error::{FolderError, io_error};
use crate::random;

/// A private directory of a session.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    handle: Handle,
}

impl Directory {
    /// Makes it, mode 0700 where modes exist; elsewhere it inherits the rights of its parent.
    pub(super) fn create(path: PathBuf) -> Result<Self, FolderError> {
        let handle = Handle::create(&path).map_err(io_error("make the private folder", &path))?;
        Ok(Self { path, handle })
    }

    /// Opens one that is there. A link in its place is refused.
    pub(super) fn open(path: PathBuf) -> Result<Self, FolderError> {
        let handle = Handle::open(&path).map_err(io_error("open the private folder", &path))?;
        Ok(Self { path, handle })
    }

    /// Makes a private directory inside of it.
    pub(super) fn create_inner(&self, name: &str) -> Result<Self, FolderError> {
        let path = self.path.join(name);
        let handle = self.handle.create_inner(&path, name);
        Ok(Self { handle: handle.map_err(io_error("make the private folder", &path))?, path })
    }

    /// Where it was made.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a private file, 0600 where modes exist: first whole under another name, then renamed, so that no reader
    /// sees half of it.
    ///
    /// # Errors
    ///
    /// The disk is full, or the file cannot be written for another reason.
    pub fn write(&self, name: &str, content: &Secret) -> Result<PathBuf, FolderError> {
        let new = format!("{name}.new");
        // One that an attempt before this one left half-written.
        let _ = self.handle.remove_file(&self.path, &new);
        self.write_by(name, &new, content)
    }

    /// The same, first under a name that no file has yet.
    fn write_by(&self, name: &str, new: &str, content: &Secret) -> Result<PathBuf, FolderError> {
        let path = self.path.join(name);
        let mut file = self
            .handle
            .create_file(&self.path, new)
            .map_err(io_error("make the private file", &self.path.join(new)))?;
        file.write_all(content.expose().as_bytes()).map_err(io_error("write the private file", &path))?;
        drop(file);
        self.handle.rename(&self.path, new, name).map_err(io_error("rename the private file", &path))?;
        Ok(path)
    }

    /// Whether it has a file with exactly this content.
    pub(super) fn has(&self, name: &str, content: &Secret) -> Result<bool, FolderError> {
        let content = content.expose().as_bytes();
        let mut found = Vec::new();
        let longest = u64::try_from(content.len()).unwrap_or(u64::MAX).saturating_add(1);
        self.handle
            .open_file(&self.path, name)
            .and_then(|file| file.take(longest).read_to_end(&mut found))
            .map_err(io_error("read the private file", &self.path.join(name)))?;
        Ok(zeroize::Zeroizing::new(found).as_slice() == content)
    }
}

/// Writes a file that a user names, 0600 where modes exist, and whole or not at all. An ordinary file that is there is replaced,
/// also where a link leads to it.
///
/// # Errors
///
/// Something else has this name, or the folder cannot be written.
pub fn replace_file(path: &Path, content: &Secret) -> Result<(), FolderError> {
    let failed = |doing, error| io_error(doing, path)(error);
    // Without a folder in front, the file is in the folder that one is in.
    let path = &Path::new(".").join(path);
    let found = match path.canonicalize() {
        Ok(found) if found.is_file() => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
            path.clone()
        }
        Ok(_) | Err(_) => return Err(failed("replace", io::ErrorKind::InvalidInput.into())),
    };
    let (Some(parent), Some(name)) = (found.parent(), found.file_name().and_then(|name| name.to_str()))
    else {
        return Err(failed("write", io::ErrorKind::InvalidFilename.into()));
    };
    let parent = parent.canonicalize().map_err(io_error("find the folder of", path))?;
    let random = u128::from_le_bytes(*random::bytes().map_err(FolderError::Random)?);
    let folder = Directory::open(parent)?;
    let new = format!("{name}.{random:032x}");
    folder.write_by(name, &new, content).map(|_path| ()).inspect_err(|_error| {
        // A file that was only half written is of no use.
        let _ = folder.handle.remove_file(&folder.path, &new);
    })
}

/// The directory itself, by its descriptor.
#[cfg(unix)]
#[derive(Debug)]
struct Handle(std::os::fd::OwnedFd);

#[cfg(unix)]
impl Handle {
    fn create(path: &Path) -> io::Result<Self> {
        rustix::fs::mkdir(path, rustix::fs::Mode::RWXU)?;
        Self::open(path)
    }

    fn open(path: &Path) -> io::Result<Self> {
        Self::open_at(rustix::fs::CWD, path)
    }

    fn create_inner(&self, _path: &Path, name: &str) -> io::Result<Self> {
        rustix::fs::mkdirat(&self.0, name, rustix::fs::Mode::RWXU)?;
        Self::open_at(&self.0, Path::new(name))
    }

    fn open_at(parent: impl std::os::fd::AsFd, path: &Path) -> io::Result<Self> {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::openat(parent, path, flags, Mode::empty())?))
    }

    fn create_file(&self, _path: &Path, name: &str) -> io::Result<fs::File> {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    fn open_file(&self, _path: &Path, name: &str) -> io::Result<fs::File> {
        use rustix::fs::{Mode, OFlags};
        // Not waiting: a named pipe in its place would block the reader.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.0, name, flags, Mode::empty())?.into())
    }

    fn remove_file(&self, _path: &Path, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, rustix::fs::AtFlags::empty())?)
    }

    fn rename(&self, _path: &Path, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, from, &self.0, to)?)
    }
}

/// Where a file cannot be named relative to an open directory: the path leads to a directory, and not by a link or a
/// junction. Checked before each access, so that an exchange between check and access is not seen, and another directory
/// in its place neither.
#[cfg(not(unix))]
#[derive(Debug)]
struct Handle;

#[cfg(not(unix))]
#[cfg_attr(unix, mutants::skip)] // it is not compiled there, so that no test could fail
impl Handle {
    fn create(path: &Path) -> io::Result<Self> {
        fs::create_dir(path)?;
        Self::open(path)
    }

    fn open(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        // Rust takes neither a junction nor a symbolic link for a directory.
        if !metadata.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self)
    }

    fn create_inner(&self, path: &Path, _name: &str) -> io::Result<Self> {
        self.check(path.parent().unwrap_or(path))?;
        Self::create(path)
    }

    fn create_file(&self, path: &Path, name: &str) -> io::Result<fs::File> {
        self.check(path)?;
        fs::OpenOptions::new().write(true).create_new(true).open(path.join(name))
    }

    fn open_file(&self, path: &Path, name: &str) -> io::Result<fs::File> {
        self.check(path)?;
        fs::File::open(path.join(name))
    }

    fn remove_file(&self, path: &Path, name: &str) -> io::Result<()> {
        self.check(path)?;
        fs::remove_file(path.join(name))
    }

    fn rename(&self, path: &Path, from: &str, to: &str) -> io::Result<()> {
        self.check(path)?;
        fs::rename(path.join(from), path.join(to))
    }

    fn check(&self, path: &Path) -> io::Result<()> {
        // Not compared: the time at which it was made, which changes with every file where the system keeps none (Wine).
        Self::open(path).map(drop)
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use rustix::{
        fs::{CWD, FileType, Mode, mknodat},
        io::{FdFlags, fcntl_getfd},
    };

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    fn made(temp: &Path) -> Directory {
        Directory::create(temp.join("made")).unwrap()
    }

    #[test]
    fn a_file_in_place_of_the_folder_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(Directory::open(file).is_err());
    }

    #[test]
    fn a_file_or_link_that_is_there_is_never_opened_for_writing() {
        let temp = tempfile::tempdir().unwrap();
        let directory = made(temp.path());
        let path = directory.path();
        fs::write(path.join("there"), "x").unwrap();
        std::os::unix::fs::symlink(path.join("there"), path.join("link")).unwrap();
        std::os::unix::fs::symlink(path.join("elsewhere"), path.join("to-nothing")).unwrap();
        for name in ["there", "link", "to-nothing"] {
            assert!(directory.handle.create_file(path, name).is_err(), "{name}");
        }
        assert_eq!(fs::read_to_string(path.join("there")).unwrap(), "x");
        assert!(!path.join("elsewhere").exists());
    }

    #[test]
    fn no_program_that_is_started_inherits_the_folder_or_its_files() {
        let temp = tempfile::tempdir().unwrap();
        let directory = made(temp.path());
        let path = directory.path();
        let file = directory.handle.create_file(path, "file").unwrap();
        let read = directory.handle.open_file(path, "file").unwrap();
        let inner = directory.create_inner("inner").unwrap();
        for flags in [
            fcntl_getfd(&directory.handle.0),
            fcntl_getfd(&inner.handle.0),
            fcntl_getfd(&file),
            fcntl_getfd(&read),
        ] {
            assert!(flags.unwrap().contains(FdFlags::CLOEXEC));
        }
    }

    #[test]
    fn a_pipe_in_place_of_a_file_holds_up_no_reader() {
        let temp = tempfile::tempdir().unwrap();
        let directory = made(temp.path());
        mknodat(CWD, directory.path().join("file"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let (sender, answer) = mpsc::channel();
        std::thread::spawn(move || sender.send(directory.has("file", &secret("x"))));
        let answer = answer.recv_timeout(Duration::from_secs(20)).expect("it would wait for a writer");
        assert!(!answer.unwrap_or_default());
    }

    #[test]
    fn a_file_that_a_user_names_is_replaced_and_nothing_else_is() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let temp = tempfile::tempdir().unwrap();
        let [file, link, pipe, folder, lost] =
            ["config", "link", "pipe", "folder", "lost"].map(|name| temp.path().join(name));
        fs::write(temp.path().join("config.new"), "of another").unwrap();
        symlink(&file, &link).unwrap();
        symlink(temp.path().join("nowhere"), &lost).unwrap();
        fs::create_dir(&folder).unwrap();
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        for (path, text) in [(&file, "first"), (&link, "second")] {
            replace_file(path, &secret(text)).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        for path in [&pipe, &folder, &lost, &folder.join("..").join("missing").join("x")] {
            assert!(replace_file(path, &secret("x")).is_err(), "{path:?}");
        }
        let names = fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.count(), 6, "nothing is left behind");
        assert_eq!(fs::read_to_string(temp.path().join("config.new")).unwrap(), "of another");
    }

    #[test]
    fn what_an_attempt_left_half_written_does_not_keep_the_next_from_writing() {
        let temp = tempfile::tempdir().unwrap();
        let directory = made(temp.path());
        fs::write(directory.path().join("file.new"), "hal").unwrap();
        let path = directory.write("file", &secret("whole")).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "whole");
        assert!(directory.has("file", &secret("whole")).unwrap());
        assert!(!directory.path().join("file.new").exists());
    }
}

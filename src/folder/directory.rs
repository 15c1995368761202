//! A directory that is held open: what is written to it goes there, whatever later has its name.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use super::{FolderError, io_error};
use crate::secret::Secret;

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
        let (path, new) = (self.path.join(name), format!("{name}.new"));
        // One that an attempt before this one left half-written.
        let _ = self.handle.remove_file(&self.path, &new);
        let mut file = self
            .handle
            .create_file(&self.path, &new)
            .map_err(io_error("make the private file", &self.path.join(&new)))?;
        file.write_all(content.expose().as_bytes()).map_err(io_error("write the private file", &path))?;
        drop(file);
        self.handle.rename(&self.path, &new, name).map_err(io_error("rename the private file", &path))?;
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

/// What the directory is known by where a file cannot be named relative to an open directory: it is no link, and has the
/// creation time that it had. Checked before each access, so that an exchange between check and access is not seen.
#[cfg(not(unix))]
#[derive(Debug)]
struct Handle {
    created: Option<std::time::SystemTime>,
}

#[cfg(not(unix))]
impl Handle {
    fn create(path: &Path) -> io::Result<Self> {
        fs::create_dir(path)?;
        Self::open(path)
    }

    fn open(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        // A junction is no directory for Rust, as a symbolic link is none.
        if !metadata.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { created: metadata.created().ok() })
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
        if Self::open(path)?.created == self.created { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}

//! The private folder of a sign-in session.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::secret::Secret;

/// A folder that only this user can enter. It is removed on drop unless it was kept for later steps.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    kept: bool,
}

/// A folder or file could not be written, or is not ours.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The operating system refused.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No name could be made.
    #[error("the operating system gave no random numbers")]
    Random(#[source] getrandom::Error),
    /// The path is no folder that this program makes.
    #[error("{} is not a session's folder", path.display())]
    NotOurs {
        /// The path.
        path: PathBuf,
    },
}

/// What the name of every session's folder begins with.
const PREFIX: &str = "wif-";

impl Folder {
    /// A path for a new folder, with 128 random bits in its name. Nothing is made yet.
    ///
    /// # Errors
    ///
    /// There are no random numbers.
    pub fn propose(parent: &Path) -> Result<PathBuf, FolderError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(FolderError::Random)?;
        Ok(parent.join(format!("{PREFIX}{:032x}", u128::from_le_bytes(random))))
    }

    /// Makes the folder, mode 0700 where modes exist; elsewhere it inherits the temporary folder's rights.
    ///
    /// # Errors
    ///
    /// It exists, or cannot be made.
    pub fn create(path: PathBuf) -> Result<Self, FolderError> {
        private_folder().create(&path).map_err(io_error("make the private folder", &path))?;
        Ok(Self { path, kept: false })
    }

    /// Writes a private file, 0600 where modes exist: first whole under another name, then renamed, so that no
    /// reader sees half of it.
    ///
    /// # Errors
    ///
    /// The disk is full, or the file cannot be written for another reason.
    pub fn write(&self, name: &str, content: &Secret) -> Result<PathBuf, FolderError> {
        let path = self.path.join(name);
        rewrite(&path, content)?;
        Ok(path)
    }

    /// Makes a private folder inside of it.
    ///
    /// # Errors
    ///
    /// It exists, or cannot be made.
    pub fn inner(&self, name: &str) -> Result<PathBuf, FolderError> {
        let path = self.path.join(name);
        private_folder().create(&path).map_err(io_error("make the private folder", &path))?;
        Ok(path)
    }

    /// Leaves the folder to later steps; the post-job stage removes it.
    pub fn keep(mut self) {
        self.kept = true;
    }

    /// Whether a path has a name that this program gives to a session's folder.
    #[must_use]
    pub fn is_named_like_one(path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str());
        name.and_then(|name| name.strip_prefix(PREFIX))
            .is_some_and(|random| random.len() == 32 && random.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }

    /// Removes a session's folder that another run of this program made. `Ok(false)`: there was none.
    ///
    /// # Errors
    ///
    /// The path is no session's folder directly in `parent`, or it cannot be removed.
    pub fn remove(parent: &Path, path: &Path) -> Result<bool, FolderError> {
        if path.parent() != Some(parent) || !Self::is_named_like_one(path) {
            return Err(FolderError::NotOurs { path: path.to_owned() });
        }
        // A link in place of the folder is not ours; `remove_dir_all` follows none inside of it.
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => {
                fs::remove_dir_all(path).map(|()| true).map_err(io_error("remove", path))
            }
            Ok(_) => Err(FolderError::NotOurs { path: path.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(io_error("look at", path)(source)),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.kept {
            // The post-job stage tries again, and the agent empties its temporary folder after it.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Writes a private file anew, whole or not at all.
///
/// # Errors
///
/// As [`Folder::write`].
pub fn rewrite(path: &Path, content: &Secret) -> Result<(), FolderError> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    // One that an attempt before this one left half-written.
    let _ = fs::remove_file(&new);
    let mut file = private_file().open(&new).map_err(io_error("make the private file", &new))?;
    file.write_all(content.expose().as_bytes()).map_err(io_error("write the private file", &new))?;
    fs::rename(&new, path).map_err(io_error("rename the private file", &new))
}

#[cfg(unix)]
fn private_folder() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// It inherits the rights of the agent's temporary folder.
#[cfg(not(unix))]
fn private_folder() -> fs::DirBuilder {
    fs::DirBuilder::new()
}

fn private_file() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(parent: &Path) -> (Folder, PathBuf) {
        let path = Folder::propose(parent).unwrap();
        (Folder::create(path.clone()).unwrap(), path)
    }

    #[test]
    fn what_is_not_a_sessions_folder_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        let other = temp.path().join("wif-other");
        fs::create_dir(&other).unwrap();
        let (folder, path) = made(temp.path());
        for path in [other.as_path(), temp.path(), Path::new("/"), &path.join("..").join("wif-other")] {
            assert!(
                matches!(Folder::remove(temp.path(), path), Err(FolderError::NotOurs { .. })),
                "{path:?}"
            );
        }
        assert!(other.exists());
        folder.keep();
        assert!(Folder::remove(temp.path(), &path).unwrap());
        assert!(!Folder::remove(temp.path(), &path).unwrap(), "nothing to remove is no error");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed() {
        let temp = tempfile::tempdir().unwrap();
        let precious = temp.path().join("precious");
        fs::create_dir(&precious).unwrap();
        fs::write(precious.join("file"), "x").unwrap();
        let path = Folder::propose(temp.path()).unwrap();
        std::os::unix::fs::symlink(&precious, &path).unwrap();
        assert!(Folder::remove(temp.path(), &path).is_err());
        let (folder, path) = made(temp.path());
        std::os::unix::fs::symlink(&precious, path.join("inside")).unwrap();
        folder.keep();
        assert!(Folder::remove(temp.path(), &path).unwrap());
        assert!(precious.join("file").exists());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_user_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let temp = tempfile::tempdir().unwrap();
        let (folder, path) = made(temp.path());
        let file = folder.write("id-token", &Secret::new("t".to_owned())).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&file)), (0o700, 0o600));
        assert_eq!(fs::read_to_string(file).unwrap(), "t");
    }

    #[test]
    fn a_folder_that_is_not_kept_is_gone() {
        let temp = tempfile::tempdir().unwrap();
        let (folder, path) = made(temp.path());
        folder.write("id-token", &Secret::new("t".to_owned())).unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}

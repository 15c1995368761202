//! The private folder of a sign-in session.

mod directory;
mod error;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use self::error::io_error;
pub use self::{
    directory::{Directory, replace_file},
    error::FolderError,
};
use crate::random;

use wif_core::secret::Secret;

/// A folder that only this user can enter. It is removed on drop unless it was kept for later steps.
#[derive(Debug)]
pub struct Folder {
    directory: Directory,
    kept: bool,
}

/// A private file in a session's folder, which its keeper writes anew. The folder is held open.
#[derive(Debug)]
pub struct PrivateFile {
    directory: Directory,
    name: String,
}

/// What the name of every session's folder begins with.
const PREFIX: &str = "wif-";

/// The folders of this process that are removed on drop.
static REMOVED_ON_DROP: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes every folder that would be removed on drop: for a process that ends without one, because of a bug.
pub fn remove_all() {
    for path in to_remove().drain(..) {
        // The process is ending, and nothing hears of it.
        let _ = fs::remove_dir_all(path);
    }
}

fn to_remove() -> MutexGuard<'static, Vec<PathBuf>> {
    REMOVED_ON_DROP.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Folder {
    /// A path for a new folder, with 128 random bits in its name. Nothing is made yet.
    ///
    /// # Errors
    ///
    /// There are no random numbers.
    pub fn propose(parent: &Path) -> Result<PathBuf, FolderError> {
        let random = random::bytes().map_err(FolderError::Random)?;
        Ok(parent.join(format!("{PREFIX}{:032x}", u128::from_le_bytes(*random))))
    }

    /// Makes the folder, mode 0700 where modes exist; elsewhere it inherits the temporary folder's rights.
    ///
    /// # Errors
    ///
    /// It exists, or cannot be made.
    pub fn create(path: PathBuf) -> Result<Self, FolderError> {
        let directory = Directory::create(path.clone())?;
        to_remove().push(path);
        Ok(Self { directory, kept: false })
    }

    /// Where it was made.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a private file, as [`Directory::write`] does.
    ///
    /// # Errors
    ///
    /// The disk is full, or the file cannot be written for another reason.
    pub fn write(&self, name: &str, content: &Secret) -> Result<PathBuf, FolderError> {
        self.directory.write(name, content)
    }

    /// Makes a private folder inside of it.
    ///
    /// # Errors
    ///
    /// It exists, or cannot be made.
    pub fn inner(&self, name: &str) -> Result<Directory, FolderError> {
        self.directory.create_inner(name)
    }

    /// Whether a path leads to something directly in a folder that is named like a session's.
    #[must_use]
    pub fn is_in_one(path: &Path) -> bool {
        path.parent().is_some_and(Self::is_named_like_one)
    }

    /// Leaves the folder to later steps; the post-job stage removes it.
    pub fn keep(mut self) {
        self.kept = true;
    }

    /// Whether a path has a name that this program gives to a session's folder.
    #[must_use]
    pub(crate) fn is_named_like_one(path: &Path) -> bool {
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
        let not_ours = || FolderError::NotOurs { path: path.to_owned() };
        if path.parent() != Some(parent) || !Self::is_named_like_one(path) {
            return Err(not_ours());
        }
        // Not the path as it was given: the system follows a link whose name ends in `/` or `/.`, and `Path` does not
        // tell these endings from none.
        let path = parent.join(path.file_name().ok_or_else(not_ours)?);
        // A link in place of the folder is not ours; `remove_dir_all` follows none inside of it.
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => {
                fs::remove_dir_all(&path).map(|()| true).map_err(io_error("remove", &path))
            }
            Ok(_) => Err(not_ours()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(io_error("look at", &path)(source)),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        to_remove().retain(|path| path != self.directory.path());
        if !self.kept {
            // The post-job stage tries again, and the agent empties its temporary folder after it.
            let _ = fs::remove_dir_all(self.directory.path());
        }
    }
}

impl PrivateFile {
    /// Opens the folder of a file that is there, and checks that it is the folder that was meant: the file in it has
    /// this content, which only those know who may enter the folder.
    ///
    /// # Errors
    ///
    /// The folder is a link, or not the one in which the file was written.
    pub fn open(path: &Path, content: &Secret) -> Result<Self, FolderError> {
        let not_ours = || FolderError::NotOurs { path: path.to_owned() };
        let parent = path.parent().ok_or_else(not_ours)?;
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(not_ours)?.to_owned();
        let directory = Directory::open(parent.to_owned())?;
        if directory.has(&name, content)? { Ok(Self { directory, name }) } else { Err(not_ours()) }
    }

    /// Writes the file anew, whole or not at all.
    ///
    /// # Errors
    ///
    /// As [`Directory::write`].
    pub fn rewrite(&self, content: &Secret) -> Result<(), FolderError> {
        self.directory.write(&self.name, content).map(|_path| ())
    }
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

    #[test]
    fn only_the_whole_name_of_a_sessions_folder_is_taken_for_one() {
        let digits = "0123456789abcdef".repeat(2);
        assert!(Folder::is_named_like_one(Path::new(&format!("/temp/wif-{digits}"))));
        assert!(Folder::is_named_like_one(&Folder::propose(Path::new("/temp")).unwrap()));
        for name in [
            "wif-".to_owned(),
            "wif-0a".to_owned(),
            format!("wif-{digits}0"),
            format!("wif-{}g", digits.split_at(31).0),
            format!("wif_{digits}"),
            digits,
        ] {
            assert!(!Folder::is_named_like_one(Path::new(&name)), "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_cannot_be_looked_at_is_not_taken_for_removed() {
        let temp = tempfile::tempdir().unwrap();
        let parent = temp.path().join("file");
        fs::write(&parent, "x").unwrap();
        let path = Folder::propose(&parent).unwrap();
        let removed = Folder::remove(&parent, &path);
        assert!(matches!(removed, Err(FolderError::Io { action: "look at", .. })), "{removed:?}");
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

    /// A folder with a file in it, and a link to it that has the name of a session's folder.
    #[cfg(unix)]
    fn linked(temp: &Path) -> (PathBuf, PathBuf) {
        let precious = temp.join("precious");
        fs::create_dir(&precious).unwrap();
        fs::write(precious.join("file"), "x").unwrap();
        let link = Folder::propose(temp).unwrap();
        std::os::unix::fs::symlink(&precious, &link).unwrap();
        (precious, link)
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed_however_its_name_is_written() {
        let temp = tempfile::tempdir().unwrap();
        let (precious, link) = linked(temp.path());
        let name = link.file_name().unwrap().to_str().unwrap();
        let temp = temp.path().to_str().unwrap();
        for spelling in
            ["/NAME/", "/NAME//", "/NAME/.", "/NAME/./", "//NAME/", "/./NAME/", "/NAME/file", "/NAME/.."]
        {
            let path = format!("{temp}{}", spelling.replace("NAME", name));
            let removed = Folder::remove(Path::new(temp), Path::new(&path));
            assert!(matches!(removed, Err(FolderError::NotOurs { .. })), "{spelling}: {removed:?}");
            assert!(precious.join("file").exists() && link.is_symlink(), "{spelling}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_takes_the_folders_name_is_not_written_to() {
        let temp = tempfile::tempdir().unwrap();
        let (folder, path) = made(temp.path());
        let file = folder.write("id-token", &Secret::new("1".to_owned())).unwrap();
        let later = PrivateFile::open(&file, &Secret::new("1".to_owned())).unwrap();
        let inner = folder.inner("azure-cli").unwrap();
        let (moved, precious) = (temp.path().join("moved"), temp.path().join("precious"));
        fs::rename(&path, &moved).unwrap();
        fs::create_dir_all(precious.join("azure-cli")).unwrap();
        std::os::unix::fs::symlink(&precious, &path).unwrap();
        later.rewrite(&Secret::new("2".to_owned())).unwrap();
        folder.write("other", &Secret::new("3".to_owned())).unwrap();
        inner.write("config", &Secret::new("4".to_owned())).unwrap();
        let content = |name: &str| fs::read_to_string(moved.join(name)).unwrap();
        assert_eq!(
            (content("id-token"), content("other"), content("azure-cli/config")),
            ("2".into(), "3".into(), "4".into())
        );
        assert_eq!(fs::read_dir(&precious).unwrap().count(), 1, "only the folder that was there");
        assert_eq!(fs::read_dir(precious.join("azure-cli")).unwrap().count(), 0);
    }

    #[test]
    fn only_the_folder_in_which_the_file_was_written_is_opened() {
        let temp = tempfile::tempdir().unwrap();
        let token = Secret::new("token".to_owned());
        let (folder, path) = made(temp.path());
        let file = folder.write("id-token", &token).unwrap();
        assert!(PrivateFile::open(&file, &token).is_ok());
        for other in ["", "toke", "tokens", "other"] {
            folder.write("id-token", &Secret::new(other.to_owned())).unwrap();
            let opened = PrivateFile::open(&file, &token);
            assert!(matches!(opened, Err(FolderError::NotOurs { .. })), "'{other}': {opened:?}");
        }
        let absent = PrivateFile::open(&path.join("absent"), &token);
        assert!(matches!(absent, Err(FolderError::Io { .. })), "{absent:?}");
        assert!(PrivateFile::open(Path::new("/"), &token).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_or_file_that_is_a_link_is_not_opened() {
        let temp = tempfile::tempdir().unwrap();
        let (precious, link) = linked(temp.path());
        let content = Secret::new("x".to_owned());
        assert!(PrivateFile::open(&precious.join("file"), &content).is_ok());
        assert!(PrivateFile::open(&link.join("file"), &content).is_err());
        std::os::unix::fs::symlink(precious.join("file"), precious.join("link")).unwrap();
        assert!(PrivateFile::open(&precious.join("link"), &content).is_err());
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

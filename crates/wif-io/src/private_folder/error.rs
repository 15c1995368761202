//! Why a private folder, or a file in it, could not be written.

use std::{
    io,
    path::{Path, PathBuf},
};

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
    Random(#[source] crate::random::Error),
    /// The path is no folder that this program makes.
    #[error("{} is not a session's folder", path.display())]
    NotOurs {
        /// The path.
        path: PathBuf,
    },
}

/// Wraps an error of the operating system: what was tried, and on which path.
pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::Io { action, path, source }
}

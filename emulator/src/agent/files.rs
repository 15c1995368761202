//! Empties, copies and lists folders of the agent.

use std::fs;
use std::path::{Path, PathBuf};

/// Removes the content of a folder; what cannot be removed stays (`TempDirectoryManager.cs`).
pub(super) fn empty(folder: &Path) {
    for path in entries(folder) {
        // Not `is_dir`: a link to a folder is removed, never what it points to.
        let is_folder = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
        let _tolerated = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    }
}

/// Every file and empty folder below, sorted.
pub(super) fn leaves(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in entries(folder) {
        let is_folder = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
        let below = if is_folder { leaves(&path) } else { Vec::new() };
        if below.is_empty() { found.push(path) } else { found.extend(below) }
    }
    found.sort();
    found
}

/// Copies a tree without its execute bits, as .NET unpacks a zip file that has no Unix modes.
pub(super) fn copy_without_modes(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder for the task");
    for path in entries(from) {
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy_without_modes(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy of the task's file");
            set_mode(&target, 0o644);
        }
    }
}

/// Sets the mode of every folder in a tree, and of every file unless `None`.
pub(super) fn set_tree_mode(folder: &Path, folders: u32, files: Option<u32>) {
    // The folder must be readable for the walk below, which every mode in use allows.
    set_mode(folder, folders);
    for path in entries(folder) {
        match path.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => set_tree_mode(&path, folders, files),
            Ok(metadata) if metadata.is_file() => {
                if let Some(mode) = files {
                    set_mode(&path, mode);
                }
            }
            _ => {}
        }
    }
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    // An error means that another process has removed the file.
    let _gone = fs::set_permissions(path, fs::Permissions::from_mode(mode));
}

#[cfg(not(unix))]
fn set_mode(path: &Path, mode: u32) {
    if let Ok(metadata) = path.metadata() {
        let mut permissions = metadata.permissions();
        permissions.set_readonly(mode & 0o200 == 0);
        let _gone = fs::set_permissions(path, permissions);
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

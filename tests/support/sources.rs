//! The project's own text.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A source file.
pub(crate) struct Source {
    /// Its path below the project's folder, with slashes.
    pub(crate) path: String,
    /// Its text up to its tests.
    pub(crate) code: String,
}

/// The folders of what ships: the program, the library, and their crates.
pub(crate) const SHIPPED: [&str; 2] = ["src", "crates"];

/// Every Rust file below these folders of the project, files of tests and examples left out.
pub(crate) fn sources(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                if !matches!(name.as_str(), "target" | "tests" | "examples") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests.rs" {
                let text = fs::read_to_string(&path).unwrap();
                let code: Vec<_> = text.lines().take_while(|line| *line != "#[cfg(test)]").collect();
                let path = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                files.push(Source { path, code: code.join("\n") });
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

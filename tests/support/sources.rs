//! The program's own text.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every file of `src/` by its path below it, each up to its tests.
pub(crate) fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let text = fs::read_to_string(entry.path()).unwrap();
            let code: Vec<_> = text.lines().take_while(|line| *line != "#[cfg(test)]").collect();
            files.push((entry.path().strip_prefix(&root).unwrap().to_owned(), code.join("\n")));
        }
    }
    files
}

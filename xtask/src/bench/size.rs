//! What is installed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    bench::{
        peers::{Peers, size},
        table::Row,
    },
    package,
    process::{Result, root},
};

/// The most that a program may have, in bytes.
const MOST: u64 = 4_000_000;
/// The most that the extension with three programs may have, in bytes.
const MOST_PACKED: u64 = 6_000_000;

pub(super) fn rows(task: &Path, program: &Path, peers: &Peers) -> Result<Vec<Row>> {
    let bytes = fs::metadata(program).map_err(|error| format!("{}: {error}", program.display()))?.len();
    let bin = size(&task.join("bin"));
    let rest = size(task) - bin;
    let megabytes =
        |bytes: u64| format!("{:.2} MB", f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1e6);
    let peer = Row {
        what: "on disk: the program, shim and icon".to_owned(),
        ours: megabytes(bytes + rest),
        peer: "azure-pipelines-tasks-azure-arm-rest with what it depends on".to_owned(),
        theirs: megabytes(peers.arm_rest_size),
        ratio: None,
        aim: String::new(),
        met: None,
    };
    let mut rows = vec![Row::limited("the program", megabytes(bytes), "under 4 MB", bytes < MOST), peer];
    let Some(extension) = packed()? else {
        println!("  no extension in dist/, so that it is not measured: `cargo xtask package` makes one");
        return Ok(rows);
    };
    let bytes = fs::metadata(&extension).map_err(|error| format!("{}: {error}", extension.display()))?.len();
    rows.push(Row::limited(
        "the extension in dist/, packed",
        megabytes(bytes),
        "under 6 MB",
        bytes < MOST_PACKED,
    ));
    let unpacked = package::unpacked(&extension)?;
    let content = |bytes: u64, files: usize| format!("{}, {files} files", megabytes(bytes));
    rows.push(Row {
        what: "what an agent unpacks of it, the programs of all platforms".to_owned(),
        ours: content(size(&unpacked), files(&unpacked)),
        theirs: content(peers.arm_rest_size, files(&peers.arm_rest_folder())),
        peer: "azure-pipelines-tasks-azure-arm-rest with what it depends on".to_owned(),
        ratio: None,
        aim: String::new(),
        met: None,
    });
    Ok(rows)
}

/// The extension that was packed last.
fn packed() -> Result<Option<PathBuf>> {
    let dist = root().join("dist");
    let entries = dist.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    let mut extensions: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "vsix")).collect();
    match extensions.len() {
        0 | 1 => Ok(extensions.pop()),
        count => Err(format!("{} has {count} extensions: which one is meant?", dist.display())),
    }
}

/// How many files are below a folder.
fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

//! What is installed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    bench::{peers::Peers, table::Row},
    package,
    process::{Result, root},
};

/// The peer.
const ARM_REST: &str = "azure-pipelines-tasks-azure-arm-rest with what it depends on";

/// The packed extension, with both tasks on three platforms, in bytes.
const EXTENSION_AIM: u64 = 12_000_000;

pub(super) fn rows(task: &Path, program: &Path, peers: &Peers) -> Result<Vec<Row>> {
    let bytes = fs::metadata(program).map_err(|error| format!("{}: {error}", program.display()))?.len();
    let rest = Content::of(task).bytes - Content::of(&task.join("bin")).bytes;
    let arm_rest = Content::of(&peers.arm_rest_folder());
    let megabytes =
        |bytes: u64| format!("{:.2} MB", f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1e6);
    let peer = Row {
        what: "on disk: the program, shim and icon".to_owned(),
        ours: megabytes(bytes + rest),
        peer: ARM_REST.to_owned(),
        theirs: megabytes(arm_rest.bytes),
        ratio: None,
        aim: String::new(),
        met: None,
    };
    let mut rows = vec![
        Row::limited("the program", megabytes(bytes), "at most 4.5 MB", bytes < package::PROGRAMS[0].largest),
        peer,
    ];
    let Some(extension) = packed()? else {
        println!("  no extension in dist/, so that it is not measured: `cargo xtask package` makes one");
        return Ok(rows);
    };
    let bytes = fs::metadata(&extension).map_err(|error| format!("{}: {error}", extension.display()))?.len();
    rows.push(Row::limited(
        "the extension in dist/, packed",
        megabytes(bytes),
        "at most 12 MB",
        bytes <= EXTENSION_AIM,
    ));
    let unpacked = Content::of(&package::unpacked(&extension)?);
    let told = |content: &Content| format!("{}, {} files", megabytes(content.bytes), content.files);
    rows.push(Row {
        what: "what an agent unpacks of it for the first task, the programs of all platforms".to_owned(),
        ours: told(&unpacked),
        theirs: told(&arm_rest),
        peer: ARM_REST.to_owned(),
        ratio: None,
        aim: String::new(),
        met: None,
    });
    Ok(rows)
}

/// The only extension that is there.
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

/// What a folder holds, links aside.
#[derive(Default)]
struct Content {
    bytes: u64,
    files: usize,
}

impl Content {
    fn of(folder: &Path) -> Self {
        let mut content = Self::default();
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let more = match entry.file_type() {
                Ok(kind) if kind.is_dir() => Self::of(&entry.path()),
                Ok(kind) if kind.is_file() => {
                    Self { bytes: entry.metadata().map_or(0, |metadata| metadata.len()), files: 1 }
                }
                _ => Self::default(),
            };
            content.bytes += more.bytes;
            content.files += more.files;
        }
        content
    }
}

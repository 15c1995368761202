//! What is installed.

use std::{fs, path::Path};

use crate::{
    bench::{
        peers::{Peers, size},
        table::Row,
    },
    process::Result,
};

/// The most that a program may have, in bytes.
const MOST: u64 = 4_000_000;

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
    Ok(vec![Row::limited("the program", megabytes(bytes), "under 4 MB", bytes < MOST), peer])
}

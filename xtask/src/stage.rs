//! `stage`: this machine's program, where the shim looks for it.

use std::{fs, path::PathBuf};

use crate::{
    package::{COMMIT, PROGRAMS, commit},
    process::{Result, cargo, node, output, root, run, target},
};

/// Where the emulator is, for a task that signs in there.
pub(crate) const EMULATOR: (&str, &str) = ("allowedAuthorities", "127.0.0.1");

/// This machine's platform, in Node's words: `linux-x64`.
pub(crate) fn platform() -> Result<String> {
    output(&mut node(&["-p", "`${process.platform}-${process.arch}`"]))
}

/// Builds the program and puts it into `task/bin/<platform>-<arch>/`, in Node's words. Returns the task folder.
pub(crate) fn stage() -> Result<PathBuf> {
    let root = root();
    let platform = platform()?;
    println!("Building wif for {platform}");
    let [program, _operator] = &PROGRAMS;
    let mut build = cargo(&["build", "--release", "--locked"]);
    if let Ok(commit) = commit() {
        build.env(COMMIT, commit);
    }
    run(build.args(program.arguments))?;
    let name = format!("wif{}", std::env::consts::EXE_SUFFIX);
    let built = target()?.join("release").join(&name);

    let task = root.join("task");
    let folder = task.join("bin").join(platform);
    let staged = folder.join(name);
    let failed = |error: std::io::Error| format!("could not stage {}: {error}", staged.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    // A copy that is running may not be written to, but it may be replaced.
    let new = folder.join("wif.new");
    fs::copy(&built, &new).map_err(failed)?;
    fs::rename(&new, &staged).map_err(failed)?;
    let size = fs::metadata(&staged).map_err(failed)?.len();
    println!("Staged {} ({} KiB)", staged.strip_prefix(&root).unwrap_or(&staged).display(), size / 1024);
    Ok(task)
}

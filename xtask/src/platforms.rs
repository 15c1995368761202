//! `platforms`: the programs that ship, run: the one for Windows by Wine, the one for arm64 by qemu, and the static one
//! in an empty root folder. The emulator's agent runs the jobs, as in every other test.

mod arm;
mod bare;
mod checks;
mod program;
mod wine;

use std::path::Path;

use emulator::agent::Agent;

use crate::{package, process::Result};
use checks::{BASH_SCRIPT, Machine, SHELL_COMMAND, by_file};
use program::is_executable;
pub(crate) use wine::{has_wine, wine_says};

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
        command: SHELL_COMMAND,
        script: Some(BASH_SCRIPT),
    })
}

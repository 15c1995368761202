//! arm64: the program by qemu, which the kernel is told of (`binfmt_misc`), so that the program can start itself too.

use std::{fs, path::Path};

use emulator::agent::Agent;

use super::{
    checks::{self, Machine, SHELL_COMMAND, by_file},
    program::program,
};
use crate::{
    process::{Result, output, root},
    tools,
};

const PACKAGES: [&str; 1] = ["qemu-user-static"];
/// Where the kernel tells of it, and is told.
const BINFMT: &str = "/proc/sys/fs/binfmt_misc";
/// What the package would tell the kernel of a machine that systemd has booted.
const RULE: &str = "/usr/lib/binfmt.d/qemu-aarch64.conf";

/// Runs every check.
pub(super) fn run(task: &Path) -> Result<()> {
    if std::env::consts::ARCH != "aarch64" {
        tools::debian(&PACKAGES)?;
        tell_the_kernel()?;
    }
    let folder = tools::folder("arm")?;
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    // This machine's Node, which says of itself what Node on such a machine says.
    let preload = root().join("xtask/platforms/arm64.js");
    let node = program(&folder.join("node"), &format!("exec node --require '{}' \"$@\"", preload.display()))?;
    let agent = || Agent::new().node(&node);
    checks::all(&Machine {
        task,
        agent: &agent,
        trusting: &|ca| Ok(by_file(agent(), ca)),
        wif: "wif",
        command: SHELL_COMMAND,
        // qemu's user mode refuses `PR_SET_CHILD_SUBREAPER` (EINVAL), which Linux has had since 3.4.
        script: None,
    })
}

fn tell_the_kernel() -> Result<()> {
    let told = || Path::new(BINFMT).join("qemu-aarch64").exists();
    if !Path::new(BINFMT).join("register").exists() {
        output(std::process::Command::new("mount").args(["-t", "binfmt_misc", "binfmt_misc", BINFMT]))?;
    }
    if told() {
        return Ok(());
    }
    println!("  telling the kernel of qemu-aarch64 ({RULE})");
    tools::write(&Path::new(BINFMT).join("register"), tools::read(Path::new(RULE))?.trim_end())
}

//! The static program in a root folder with nothing in it but itself, the CA file, and the `/etc/hosts` and `/dev/null` that
//! every container has: no libraries, no shell, no `/etc/resolv.conf`, no `/proc`, no trust store.

use std::{fs, path::Path, process::Command};

use emulator::agent::Agent;

use super::{
    checks::{self, Machine},
    program::{executable, program},
};
use crate::{
    process::{Result, output},
    tools,
};

/// Runs every check; `chroot` needs root.
pub(super) fn run(task: &Path) -> Result<()> {
    let folder = tools::folder("bare")?;
    let root = folder.join("root");
    let failed = |error: std::io::Error| format!("{}: {error}", root.display());
    if root.exists() {
        fs::remove_dir_all(&root).map_err(failed)?;
    }
    fs::create_dir_all(root.join("etc")).map_err(failed)?;
    fs::copy(task.join("bin/linux-x64/wif"), root.join("wif")).map_err(failed)?;
    executable(&root.join("wif"))?;
    tools::write(&root.join("etc/hosts"), "127.0.0.1 localhost\n")?;
    fs::create_dir(root.join("dev")).map_err(failed)?;
    output(Command::new("mknod").arg(root.join("dev/null")).args(["c", "1", "3"]))?;
    // Node would need libraries: what it does, this does.
    let node = program(
        &folder.join("node"),
        &format!(
            "root='{}'
             case $1 in *post.js) stage=post ;; *) stage=run ;; esac
             if [ -n \"$AGENT_CAINFO\" ]; then cp \"$AGENT_CAINFO\" \"$root/ca.pem\"; export AGENT_CAINFO=/ca.pem; fi
             export AGENT_TEMPDIRECTORY=/
             exec chroot \"$root\" /wif task $stage",
            root.display()
        ),
    )?;
    let wif = format!("chroot {} /wif", root.display());
    let agent = || Agent::new().node(&node);
    let store = root.join("etc/ssl/certs/ca-certificates.crt");
    let trusting = |ca: &Path| {
        fs::create_dir_all(root.join("etc/ssl/certs")).and_then(|()| fs::copy(ca, &store)).map_err(failed)?;
        Ok(agent())
    };
    checks::all(&Machine {
        task,
        agent: &agent,
        trusting: &trusting,
        wif: &wif,
        command: ("/wif token arm", 0),
        // Nothing there could run one.
        script: None,
    })?;
    let mut left: Vec<_> =
        root.read_dir().map_err(failed)?.flatten().map(|entry| entry.file_name()).collect();
    left.sort();
    if left == ["ca.pem", "dev", "etc", "wif"] { Ok(()) } else { Err(format!("files are left: {left:?}")) }
}

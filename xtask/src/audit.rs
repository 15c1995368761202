//! `audit`: what is in the tree, and what the YAML files say.

use std::process::Command;

use crate::{
    process::{Result, cargo, output, root, run},
    tools,
};

const DENY: &str = "0.20.2";
const YAMLLINT: [&str; 3] = ["yamllint==1.38.0", "PyYAML==6.0.3", "pathspec==1.1.1"];

/// Crates, licences and sources by `deny.toml`; known vulnerabilities where their list can be had; YAML by `.yamllint`.
pub(crate) fn audit() -> Result<()> {
    let yamllint = tools::python("yamllint", &YAMLLINT)?.join("yamllint");
    run(Command::new(yamllint)
        .args(["--strict", "azure-pipelines.yml", "docs/examples"])
        .current_dir(root()))?;
    println!("YAML is as it should be");

    // A workspace of its own, which nothing else here locks.
    output(&mut cargo(&[
        "metadata",
        "--locked",
        "--format-version=1",
        "--manifest-path",
        "fuzz/Cargo.toml",
    ]))?;

    let deny = tools::crate_program("cargo-deny", DENY, &[])?;
    let deny = |arguments: &[&str]| {
        let mut command = Command::new(&deny);
        command.args(["--workspace", "--locked"]).args(arguments).current_dir(root());
        command
    };
    run(&mut deny(&["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))?;
    match output(&mut deny(&["fetch", "db"])) {
        Ok(_printed) => run(&mut deny(&["check", "advisories"])),
        Err(_offline) => {
            println!("advisories: NOT CHECKED, the list of known vulnerabilities cannot be fetched here");
            Ok(())
        }
    }
}

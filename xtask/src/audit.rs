//! `audit`: what is in the tree, and what the YAML files say.

use std::process::Command;

use crate::{
    process::{Result, cargo, output, root, run},
    rust_version, tools,
};

const DENY: &str = "0.20.2";
const YAMLLINT: [&str; 3] = ["yamllint==1.38.0", "PyYAML==6.0.3", "pathspec==1.1.1"];

/// Crates, licenses and sources by `deny.toml`; known vulnerabilities; YAML by `.yamllint`. With `require_advisories`, as
/// for a release, a list of vulnerabilities that cannot be fetched is a failure; without, it is only said.
pub(crate) fn audit(require_advisories: bool) -> Result<()> {
    let yamllint = tools::python("yamllint", &YAMLLINT)?.join("yamllint");
    run(Command::new(yamllint)
        .args(["--strict", "azure-pipelines.yml", "docs/examples"])
        .current_dir(root()))?;
    println!("YAML is as it should be");
    println!("{}", rust_version::check()?);

    // Workspaces of their own, which nothing else here locks.
    for manifest in ["fuzz/Cargo.toml", "xtask/judges/rust/Cargo.toml"] {
        output(&mut cargo(&["metadata", "--locked", "--format-version=1", "--manifest-path", manifest]))?;
    }

    let deny = tools::crate_program("cargo-deny", DENY, &[])?;
    let deny = |arguments: &[&str]| {
        let mut command = Command::new(&deny);
        command.args(["--workspace", "--locked"]).args(arguments).current_dir(root());
        command
    };
    run(&mut deny(&["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))?;
    match not_checked(output(&mut deny(&["fetch", "db"])), require_advisories)? {
        None => run(&mut deny(&["check", "advisories"])),
        Some(words) => {
            println!("{words}");
            Ok(())
        }
    }
}

/// What is said when the list of known vulnerabilities could not be fetched; a failure where it is required.
fn not_checked(fetched: Result<String>, required: bool) -> Result<Option<String>> {
    let Err(error) = fetched else { return Ok(None) };
    let words = format!(
        "advisories: NOT CHECKED, the list of known vulnerabilities cannot be fetched here:\n{}",
        error.trim_end()
    );
    if required { Err(words) } else { Ok(Some(format!("{words}\nA release is not made without it."))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreachable() -> Result<String> {
        Err("no route to github.com".to_owned())
    }

    #[test]
    fn a_release_fails_when_the_list_of_vulnerabilities_cannot_be_fetched() {
        let error = not_checked(unreachable(), true).unwrap_err();
        assert!(error.contains("NOT CHECKED") && error.contains("no route to github.com"), "{error}");
    }

    #[test]
    fn a_developer_is_told_that_the_list_cannot_be_fetched() {
        let words = not_checked(unreachable(), false).unwrap().unwrap();
        assert!(
            words.contains("NOT CHECKED") && words.contains("A release is not made without it"),
            "{words}"
        );
    }

    #[test]
    fn a_list_that_was_fetched_is_checked() {
        for required in [true, false] {
            assert_eq!(not_checked(Ok(String::new()), required), Ok(None));
        }
    }

    #[test]
    fn the_release_pipeline_requires_the_list() {
        let pipeline = tools::read(&root().join("azure-pipelines.yml")).unwrap();
        let audits: Vec<_> = pipeline.lines().filter(|line| line.contains("xtask audit")).collect();
        assert!(
            !audits.is_empty() && audits.iter().all(|line| line.ends_with(" --require-advisories")),
            "{audits:?}"
        );
    }
}

//! Running other programs, with errors that say what is needed.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// What a chore failed with: a sentence for the person at the terminal.
pub(crate) type Result<T> = std::result::Result<T, String>;

/// The project's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// Cargo, the very one that runs this chore. What it told this program of its own package would make some build
/// scripts (ring's) believe that something has changed, and with them all that depends on them.
#[expect(clippy::disallowed_methods, reason = "Cargo names itself in the environment")]
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    forget_package(&mut command);
    command
}

/// Takes from a command's environment what Cargo told this program of its own package.
#[expect(clippy::disallowed_methods, reason = "Cargo speaks through the environment")]
pub(crate) fn forget_package(command: &mut Command) {
    for (name, _) in env::vars_os() {
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|own| name.to_string_lossy().starts_with(own)) {
            command.env_remove(name);
        }
    }
}

/// Where Cargo puts what it builds.
pub(crate) fn target() -> Result<PathBuf> {
    let target = workspace()?["target_directory"].as_str().map(PathBuf::from);
    target.ok_or_else(|| "cargo metadata names no target directory".to_owned())
}

/// The manifests of the workspace's packages.
pub(crate) fn manifests() -> Result<Vec<PathBuf>> {
    let workspace = workspace()?;
    let packages = workspace["packages"].as_array().into_iter().flatten();
    Ok(packages.filter_map(|package| package["manifest_path"].as_str()).map(PathBuf::from).collect())
}

/// What `cargo metadata` says of the workspace alone.
fn workspace() -> Result<serde_json::Value> {
    let metadata = output(&mut cargo(&["metadata", "--format-version=1", "--no-deps", "--locked"]))?;
    serde_json::from_str(&metadata).map_err(|error| error.to_string())
}

/// Node, which is a prerequisite.
pub(crate) fn node(arguments: &[&str]) -> Command {
    let mut command = Command::new("node");
    command.args(arguments).current_dir(root());
    command
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            let arguments: Vec<_> = command.get_args().map(|text| text.to_string_lossy()).collect();
            Err(format!("`{name} {}` failed ({status})", arguments.join(" ")))
        }
        Err(error) => Err(needed(&name, &error)),
    }
}

/// Runs a command and gives back what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| needed(&name, &error))?;
    if !output.status.success() {
        return Err(format!(
            "`{name}` failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn needed(program: &str, error: &std::io::Error) -> String {
    format!(
        "`{program}` cannot be run ({error}); the prerequisites are Rust (https://rustup.rs) and Node 20 or later (https://nodejs.org)"
    )
}

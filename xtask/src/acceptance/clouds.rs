//! Clients of other clouds and of registries: each is a test of the suite that runs the real client where it is installed. Here the
//! pinned ones are installed first.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    install::{self, Found},
    table::{CloudRow, Outcome},
};
use crate::{
    process::{Result, cargo, output},
    tools::debian,
};

/// A client and the test that runs it.
struct Client {
    name: &'static str,
    /// The package that pins its version, or the program of the machine that tells it.
    version: Version,
    /// Packages of Debian that it needs.
    debian: &'static [&'static str],
    /// The test's path in the binary `main`.
    test: &'static str,
}

enum Version {
    Pinned(&'static str),
    PinnedForNode(&'static str),
    Told(&'static [&'static str]),
}

const CLIENTS: &[Client] = &[
    Client {
        name: "boto3",
        version: Version::Pinned("boto3"),
        debian: &[],
        test: "targets::boto3_finds_the_credentials_and_no_others",
    },
    Client {
        name: "AWS CLI",
        version: Version::Pinned("awscli"),
        debian: &[],
        test: "targets::clients::the_aws_cli_signs_its_requests_with_the_sessions_credentials",
    },
    Client {
        name: "Terraform, backend s3",
        version: Version::Told(&["terraform", "version"]),
        debian: &[],
        test: "targets::clients::terraforms_s3_backend_keeps_its_state_with_the_sessions_credentials",
    },
    Client {
        name: "@aws-sdk/client-ecr (Node)",
        version: Version::PinnedForNode("@aws-sdk/client-ecr"),
        debian: &[],
        test: "targets::node::awss_client_for_node_signs_with_new_credentials_when_the_first_have_ended",
    },
    Client {
        name: "google-auth (Python)",
        version: Version::Pinned("google-auth"),
        debian: &[],
        test: "targets::google_auth_gets_access_tokens_by_the_source_and_by_the_exchange",
    },
    Client {
        name: "google-auth-library (Node)",
        version: Version::PinnedForNode("google-auth-library"),
        debian: &[],
        test: "targets::node::googles_client_for_node_gets_new_tokens_when_the_first_have_ended",
    },
    Client {
        name: "gcloud",
        version: Version::Told(&["gcloud", "--version"]),
        debian: &[],
        test: "targets::clients::gcloud_gets_access_tokens_by_the_source_and_by_the_exchange",
    },
    Client {
        name: "hvac",
        version: Version::Pinned("hvac"),
        debian: &[],
        test: "vault::hvac_is_signed_in_by_the_variables",
    },
    Client {
        name: "docker CLI",
        version: Version::Told(&["docker", "--version"]),
        debian: &[],
        test: "targets::clients::the_docker_cli_is_signed_in_to_a_registry_by_its_own_configuration_alone",
    },
    Client {
        name: "skopeo",
        version: Version::Told(&["skopeo", "--version"]),
        debian: &["skopeo", "docker-registry"],
        test: "tool_clients::skopeo_pushes_to_debians_registry_and_pulls_when_the_first_token_has_ended",
    },
    Client {
        name: "git",
        version: Version::Told(&["git", "--version"]),
        debian: &[],
        test: "tool_credentials::git_finds_a_helper_for_azure_repos_beside_what_is_there_and_uses_what_it_can",
    },
    Client {
        name: "kubectl",
        version: Version::Told(&["kubectl", "version", "--client"]),
        debian: &[],
        test: "tool_credentials::kubectl_is_signed_in_by_a_kubeconfig_and_a_cluster_without_entra_is_told",
    },
    Client {
        name: "kubernetes (Python)",
        version: Version::Pinned("kubernetes"),
        debian: &[],
        test: "tool_clients::kubernetes_client_for_python_gets_a_new_token_when_its_first_has_ended",
    },
    Client {
        name: "pip",
        version: Version::Pinned("pip"),
        debian: &[],
        test: "tool_clients::pip_asks_the_keyring_anew_when_its_first_token_has_ended",
    },
    Client {
        name: "twine",
        version: Version::Pinned("twine"),
        debian: &[],
        test: "tool_clients::twine_uploads_with_what_the_keyring_gives_and_again_when_that_has_ended",
    },
    Client {
        name: "uv",
        version: Version::Pinned("uv"),
        debian: &[],
        test: "tool_clients::uv_asks_the_keyring_anew_when_its_first_token_has_ended",
    },
];

/// Runs those that are asked for, by a part of their names.
pub(super) fn run(folder: &Path, only: Option<&str>) -> Vec<CloudRow> {
    let wanted: Vec<_> =
        CLIENTS.iter().filter(|client| only.is_none_or(|only| client.name.contains(only))).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    println!("other clouds");
    let found = [install::clouds(folder), install::clouds_for_node(folder)];
    let mut rows = Vec::new();
    for client in wanted {
        let (version, outcome) = match &found[usize::from(client.is_for_node())] {
            Found::Ready(installed) => {
                let bin = installed.path.as_deref().unwrap_or(folder);
                client.try_out(bin)
            }
            Found::Missing(what) => (String::new(), Outcome::Skipped(what.clone())),
            Found::Broken(log) => (String::new(), Outcome::Failed(log.clone())),
        };
        let row = CloudRow { client: client.name, version, outcome };
        println!("  {}: {}", row.client, row.outcome.word());
        rows.push(row);
    }
    rows
}

impl Client {
    fn is_for_node(&self) -> bool {
        matches!(self.version, Version::PinnedForNode(_))
    }

    /// Its version, and how its test ended.
    fn try_out(&self, bin: &Path) -> (String, Outcome) {
        if let Err(lacks) = debian(self.debian) {
            return (String::new(), Outcome::Skipped(lacks));
        }
        (self.version(bin), self.run(bin).unwrap_or_else(Outcome::Failed))
    }

    /// `bin` is the folder of programs, for Node that of its packages.
    fn run(&self, bin: &Path) -> Result<Outcome> {
        let mut command = cargo(&["test", "--quiet", "--locked", "--package", "wif", "--test", "main", "--"]);
        command.args(["--exact", self.test, "--nocapture"]).env("PATH", path_with(bin)?);
        if self.is_for_node() {
            command.env("NODE_PATH", bin);
        }
        let printed = output(&mut command)?;
        if let Some((_, missing)) = printed.split_once("NOT TESTED: ") {
            return Ok(Outcome::Skipped(missing.lines().next().unwrap_or_default().to_owned()));
        }
        // A test that has another name now would be no test at all.
        if !printed.contains("1 passed") {
            return Err(format!("there is no test {}: {printed}", self.test));
        }
        Ok(Outcome::Ok)
    }

    fn version(&self, bin: &Path) -> String {
        match self.version {
            Version::Pinned(package) => install::cloud_version(package).unwrap_or_default(),
            Version::PinnedForNode(package) => install::cloud_version_for_node(package).unwrap_or_default(),
            Version::Told(command) => told(command, bin).unwrap_or_default(),
        }
    }
}

/// The first word with digits and dots that a program prints of itself.
fn told(command: &[&str], bin: &Path) -> Option<String> {
    let (program, arguments) = command.split_first()?;
    let printed = output(Command::new(program).args(arguments).env("PATH", path_with(bin).ok()?)).ok()?;
    let is_version = |word: &&str| word.contains('.') && word.chars().any(|c| c.is_ascii_digit());
    let word = printed.split_whitespace().find(is_version)?;
    Some(word.trim_matches(|c: char| !c.is_ascii_alphanumeric()).trim_start_matches('v').to_owned())
}

#[expect(clippy::disallowed_methods, reason = "the clients are found where this command is")]
fn path_with(bin: &Path) -> Result<std::ffi::OsString> {
    let rest = env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(PathBuf::from(bin)).chain(env::split_paths(&rest));
    env::join_paths(all).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_test_of_a_client_is_there() {
        for client in CLIENTS {
            let parts: Vec<_> = client.test.split("::").collect();
            let (name, modules) = parts.split_last().unwrap();
            let tests = crate::process::root().join("tests");
            let file = tests.join(modules.join("/"));
            let text = std::fs::read_to_string(file.with_extension("rs"))
                .or_else(|_| std::fs::read_to_string(file.join("mod.rs")))
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert!(text.contains(&format!("fn {name}()")), "{}", client.test);
        }
    }
}

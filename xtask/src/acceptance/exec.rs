//! `wif exec` around a client: no step signs in, and id tokens come from one of the sources that the emulator plays.

use std::path::{Path, PathBuf};

use emulator::{
    Emulator, Service,
    directory::{FederatedCredential, SourceIssuer},
    identity::entra_issuer,
};

use super::bash::{quoted, word};
use crate::{process::Result, tools::write};

/// Where the id tokens come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Azure DevOps, by the job token.
    AzurePipelines,
    /// The endpoint of GitHub Actions.
    GitHub,
    /// Buildkite's endpoint.
    Buildkite,
    /// The metadata server of Google Cloud.
    Google,
    /// A role of AWS, which signs its request itself.
    Aws,
    /// A variable with an id token, as GitLab makes one.
    GitLab,
    /// A file with an id token.
    File,
    /// The projected token of a pod.
    Kubernetes,
    /// The managed identity of the machine, which an application trusts.
    ManagedIdentity,
}

/// What Entra wants as the audience of an id token.
const AUDIENCE: &str = "api://AzureADTokenExchange";
/// Longer than a row takes, in seconds: such a token is not renewed.
const STATIC_TOKEN_LIVES: i64 = 600;

impl Source {
    /// As `--source` names it; a path comes after it, where it has one.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::AzurePipelines => "azure-pipelines",
            Self::GitHub => "github",
            Self::Buildkite => "buildkite",
            Self::Google => "google",
            Self::Aws => "aws",
            Self::GitLab => "gitlab",
            Self::File => "file",
            Self::Kubernetes => "kubernetes",
            Self::ManagedIdentity => "managed-identity",
        }
    }

    fn issuer(self) -> Option<SourceIssuer> {
        match self {
            Self::AzurePipelines | Self::ManagedIdentity => None,
            Self::GitHub => Some(SourceIssuer::GitHub),
            Self::Buildkite => Some(SourceIssuer::Buildkite),
            Self::Google => Some(SourceIssuer::Google),
            Self::Aws => Some(SourceIssuer::Aws),
            Self::GitLab => Some(SourceIssuer::GitLab),
            Self::File | Self::Kubernetes => Some(SourceIssuer::Kubernetes),
        }
    }

    /// The service that signs several times in a row; none, where the id token was put somewhere before, or outlives the row as
    /// those of AWS do, which are asked for with a life of five minutes.
    pub(super) fn service(self) -> Option<Service> {
        match self {
            Self::AzurePipelines => Some(Service::DevOps),
            Self::GitHub | Self::Buildkite => Some(Service::Sources),
            Self::Google | Self::ManagedIdentity => Some(Service::Machine),
            Self::Aws | Self::GitLab | Self::File | Self::Kubernetes => None,
        }
    }

    /// How the issuer of the id tokens begins; none, where it is the connection's.
    pub(super) fn signer(self) -> Option<&'static str> {
        match self {
            Self::ManagedIdentity => Some("https://login.microsoftonline.com/"),
            _ => self.issuer().map(SourceIssuer::issuer),
        }
    }

    /// Lets the usual identity trust the source.
    pub(super) fn trust(self, emulator: &Emulator) {
        let usual = emulator.usual();
        let mut directory = emulator.directory();
        if let Some(issuer) = self.issuer() {
            directory.trust_source(usual.client, issuer);
        }
        if self == Self::ManagedIdentity {
            directory.machine.identities = vec![usual.entra_client];
            let machine = directory.app(usual.entra_client).object_id;
            directory.app(usual.client).federated_credentials.push(FederatedCredential {
                name: "machine".to_owned(),
                issuer: entra_issuer(usual.tenant),
                subject: machine.to_string(),
                audience: AUDIENCE.to_owned(),
            });
        }
    }

    /// What the source reads.
    pub(super) fn variables(self, emulator: &Emulator) -> Result<Vec<(String, String)>> {
        let set = |name: &str, value: String| (name.to_owned(), value);
        let mut variables = self.issuer().map(|issuer| emulator.source_variables(issuer)).unwrap_or_default();
        let is_static = matches!(self, Self::GitLab | Self::File | Self::Kubernetes);
        let token = self.issuer().filter(|_| is_static);
        let token = token.map(|issuer| emulator.source_id_token(issuer, AUDIENCE, STATIC_TOKEN_LIVES));
        match (self, token) {
            (Self::AzurePipelines, _) => {
                variables.push(set("SYSTEM_ACCESSTOKEN", "$(System.AccessToken)".to_owned()));
            }
            (Self::ManagedIdentity, _) => {
                variables.push(set("AZURE_POD_IDENTITY_AUTHORITY_HOST", emulator.machine_url()));
            }
            (Self::GitLab, Some(token)) => variables.push(set("AZURE_ID_TOKEN", token)),
            (Self::File | Self::Kubernetes, Some(token)) => {
                write(&file(emulator), token)?;
                if self == Self::Kubernetes {
                    let path = file(emulator).display().to_string();
                    variables = vec![set("AZURE_FEDERATED_TOKEN_FILE", path)];
                }
            }
            _ => {}
        }
        Ok(variables)
    }

    /// The line of bash that runs the client in a session of this source, with these inputs of the task as options.
    pub(super) fn around(
        self,
        program: &Path,
        emulator: &Emulator,
        inputs: &[(&'static str, &'static str)],
        command: &str,
    ) -> String {
        let usual = emulator.usual();
        let source = match self {
            Self::File => format!("file:{}", file(emulator).display()),
            _ => self.as_str().to_owned(),
        };
        let mut options = vec![
            ("source", source),
            ("tenant", usual.tenant.to_string()),
            ("client", usual.client.to_string()),
            ("subscription", usual.subscription.to_string()),
            ("authority", emulator.entra_url()),
            ("resource-manager", emulator.arm_url()),
            ("allowed-authorities", "127.0.0.1".to_owned()),
        ];
        if self == Self::AzurePipelines {
            options.push(("connection", usual.connection.to_string()));
        }
        // Each of these names is one word, and so its option is the same.
        options.extend(inputs.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let options: Vec<_> =
            options.iter().map(|(name, value)| format!("--{name} {}", word(value))).collect();
        format!("{} exec {} -- bash -c {}", quoted(program), options.join(" "), word(command))
    }
}

/// Where an id token is put for a row, in the private folder of its emulator.
fn file(emulator: &Emulator) -> PathBuf {
    emulator.ca_file().with_file_name("id-token")
}

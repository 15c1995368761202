//! `wif exec` around a client: no step signs in, and id tokens come from one of the sources that the emulator plays.

use std::path::Path;

use emulator::{Emulator, Service, directory::SourceIssuer};

use super::bash::{quoted, word};

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
}

impl Source {
    /// As `--source` names it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::AzurePipelines => "azure-pipelines",
            Self::GitHub => "github",
            Self::Buildkite => "buildkite",
            Self::Google => "google",
        }
    }

    fn issuer(self) -> Option<SourceIssuer> {
        match self {
            Self::AzurePipelines => None,
            Self::GitHub => Some(SourceIssuer::GitHub),
            Self::Buildkite => Some(SourceIssuer::Buildkite),
            Self::Google => Some(SourceIssuer::Google),
        }
    }

    /// The service that signs.
    pub(super) fn service(self) -> Service {
        match self {
            Self::AzurePipelines => Service::DevOps,
            Self::GitHub | Self::Buildkite => Service::Sources,
            Self::Google => Service::Machine,
        }
    }

    /// The issuer of the id tokens; none, where it is the connection's.
    pub(super) fn signer(self) -> Option<&'static str> {
        self.issuer().map(SourceIssuer::issuer)
    }

    /// Lets the usual identity trust the source.
    pub(super) fn trust(self, emulator: &Emulator) {
        if let Some(issuer) = self.issuer() {
            emulator.directory().trust_source(emulator.usual().client, issuer);
        }
    }

    /// What the source reads.
    pub(super) fn variables(self, emulator: &Emulator) -> Vec<(String, String)> {
        match self.issuer() {
            Some(issuer) => emulator.source_variables(issuer),
            None => vec![("SYSTEM_ACCESSTOKEN".to_owned(), "$(System.AccessToken)".to_owned())],
        }
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
        let mut options = vec![
            ("source", self.as_str().to_owned()),
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

//! Which tools are tried, and how: a new one is an entry of [`TOOLS`] and a script in `xtask/acceptance/`.

use std::path::Path;

use super::install::{self, Found};

/// A tool, and the ways in which it signs in.
pub(super) struct Tool {
    /// As its registry calls it.
    pub(super) name: &'static str,
    /// Finds or installs it, below the given folder.
    pub(super) find: fn(&Path) -> Found,
    /// The variable by which it trusts a private CA.
    pub(super) trust: &'static str,
    /// How its user agent begins when it asks for tokens.
    pub(super) asks_as: &'static str,
    /// How the user agent of its call to ARM begins.
    pub(super) calls_as: &'static str,
    /// Its credentials.
    pub(super) clients: &'static [Client],
}

/// One way to sign in.
pub(super) struct Client {
    /// What the script is told.
    pub(super) credential: &'static str,
    /// Inputs of the sign-in step, beside the connection.
    pub(super) inputs: &'static [(&'static str, &'static str)],
    /// `env:` of the client's step, beside the CA.
    pub(super) env: &'static [(&'static str, &'static str)],
    /// Whether it asks Azure DevOps for an id token itself, and exchanges no exported one.
    pub(super) asks_id_token: bool,
    /// Whether it asks Entra for an access token itself.
    pub(super) asks_access_token: bool,
}

/// Nobody keeps the sign-in alive.
const SNAPSHOT: &[(&str, &str)] = &[("refresh", "false")];

/// Asks for everything itself, with the job token: no judge of what the task exports, but of the emulator.
const PIPELINES: Client = Client {
    credential: "AzurePipelinesCredential",
    inputs: SNAPSHOT,
    env: &[
        ("SYSTEM_ACCESSTOKEN", "$(System.AccessToken)"),
        ("SERVICE_CONNECTION_ID", "$(serviceConnectionId)"),
    ],
    asks_id_token: true,
    asks_access_token: true,
};

/// Exchanges the exported id token.
const WORKLOAD: Client = Client {
    credential: "WorkloadIdentityCredential",
    inputs: SNAPSHOT,
    env: &[],
    asks_id_token: false,
    asks_access_token: true,
};

/// Finds the exported id token by itself.
const DEFAULT: Client = Client { credential: "DefaultAzureCredential", ..WORKLOAD };

/// Uses the exported access token.
const ACCESS_TOKEN: Client = Client {
    credential: "AZURE_ACCESS_TOKEN",
    inputs: SNAPSHOT,
    env: &[("AZURE_ACCESS_TOKEN", "$(AZURE_ACCESS_TOKEN)")],
    asks_id_token: false,
    asks_access_token: false,
};

/// Every tool that is tried.
pub(super) const TOOLS: &[Tool] = &[
    Tool {
        name: "@azure/identity (Node)",
        find: install::node_identity,
        trust: "NODE_EXTRA_CA_CERTS",
        asks_as: "azsdk-js-identity/",
        calls_as: "node",
        clients: &[PIPELINES, WORKLOAD, DEFAULT],
    },
    Tool {
        name: "azure-identity (Python)",
        find: install::python_identity,
        trust: "REQUESTS_CA_BUNDLE",
        asks_as: "azsdk-python-identity/",
        calls_as: "python-requests/",
        clients: &[PIPELINES, WORKLOAD, DEFAULT],
    },
    Tool {
        name: "curl",
        find: install::curl,
        trust: "CURL_CA_BUNDLE",
        asks_as: "curl/",
        calls_as: "curl/",
        clients: &[ACCESS_TOKEN],
    },
];

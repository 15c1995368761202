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
    /// How the user agent of its calls to ARM or the blob store begins.
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
    /// How often it asks Entra for an access token itself.
    pub(super) exchanges: usize,
    /// What shows that its tokens are good.
    pub(super) proof: Proof,
}

/// What shows that a client's tokens are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// ARM answered, once.
    Arm,
    /// The blob store keeps its state.
    State,
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
    exchanges: 1,
    proof: Proof::Arm,
};

/// Exchanges the exported id token.
const WORKLOAD: Client = Client {
    credential: "WorkloadIdentityCredential",
    inputs: SNAPSHOT,
    env: &[],
    asks_id_token: false,
    exchanges: 1,
    proof: Proof::Arm,
};

/// Finds the exported id token by itself.
const DEFAULT: Client = Client { credential: "DefaultAzureCredential", ..WORKLOAD };

/// Uses the exported access token.
const ACCESS_TOKEN: Client = Client {
    credential: "AZURE_ACCESS_TOKEN",
    inputs: SNAPSHOT,
    env: &[("AZURE_ACCESS_TOKEN", "$(AZURE_ACCESS_TOKEN)")],
    asks_id_token: false,
    exchanges: 0,
    proof: Proof::Arm,
};

/// `init`, `apply`, `output`: each is a process of its own, which exchanges the exported id token for storage.
const BACKEND: Client = Client {
    credential: "ARM_OIDC_TOKEN_FILE_PATH",
    inputs: SNAPSHOT,
    env: &[
        // The account's host name, and Entra's, lead to the emulator.
        ("HTTPS_PROXY", "$(proxyUrl)"),
        ("TF_CLI_CONFIG_FILE", "/dev/null"),
        ("CHECKPOINT_DISABLE", "1"),
        ("TF_IN_AUTOMATION", "1"),
    ],
    asks_id_token: false,
    exchanges: 3,
    proof: Proof::State,
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
    Tool {
        name: "Terraform, azurerm backend",
        find: install::terraform,
        trust: "SSL_CERT_FILE",
        asks_as: "Go-http-client/",
        calls_as: "HashiCorp/go-azure-sdk",
        clients: &[BACKEND],
    },
];

/// For [`TOOLS`] when the task has its broker: `az` asks that one, and nobody else, for tokens.
#[expect(dead_code, reason = "needs the broker")]
pub(super) const AZURE_CLI: Tool = Tool {
    name: "azure-cli",
    find: install::azure_cli,
    trust: "REQUESTS_CA_BUNDLE",
    asks_as: "az asks nobody but the broker",
    calls_as: "AZURECLI/",
    clients: &[Client {
        credential: "AZURE_CONFIG_DIR",
        inputs: &[("exports", "azure-cli")],
        env: &[],
        asks_id_token: false,
        exchanges: 0,
        proof: Proof::Arm,
    }],
};

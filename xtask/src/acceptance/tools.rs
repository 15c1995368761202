//! Which tools are tried, and how: a new one is an entry of [`TOOLS`] and a script in `xtask/acceptance/`.

use std::{ops::RangeInclusive, path::Path};

use super::{
    container::Place,
    exec::Source,
    install::{self, Found},
    scheme::{ALL, FEDERATED, OTHERS, Scheme},
};

/// The display name of the step that runs `wif status`.
pub(super) const STATUS: &str = "Status";
/// Seconds, beside a broker.
pub(super) const ACCESS_TOKEN_LIVES: i64 = 8;

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
    /// Where the steps of the job run.
    pub(super) place: Place,
    /// Its credentials.
    pub(super) clients: &'static [Client],
}

/// One way to sign in.
pub(super) struct Client {
    /// Of which family the variables are that it finds.
    pub(super) family: &'static str,
    /// What the script is told.
    pub(super) credential: &'static str,
    /// Whether a broker keeps the sign-in alive.
    pub(super) mode: Mode,
    /// With which connections.
    pub(super) schemes: &'static [Scheme],
    /// Whether another connection's session, `hub`, is beside it.
    pub(super) two_sessions: bool,
    /// Inputs of the sign-in step, beside the connection and `refresh`.
    pub(super) inputs: &'static [(&'static str, &'static str)],
    /// `env:` of the client's steps, beside the CA.
    pub(super) env: &'static [(&'static str, &'static str)],
    /// How many steps run it, with a wait between them in which every token ends.
    pub(super) steps: usize,
    /// How often it asks in each of them, in one process, with a pause after each.
    pub(super) rounds: usize,
    /// Whether it asks Azure DevOps for an id token itself, and exchanges no exported one.
    pub(super) asks_id_token: bool,
    /// How often it asks Entra for an access token itself.
    pub(super) exchanges: RangeInclusive<usize>,
    /// How often it calls ARM or the blob store with an access token.
    pub(super) calls: RangeInclusive<usize>,
    /// What shows that its tokens are good.
    pub(super) proof: Proof,
}

/// Whether a broker keeps the sign-in alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// `refresh: false`: what was exported is all there is.
    Snapshot,
    /// `refresh: true`: the broker gives new tokens, and the old ones end all the time.
    Broker,
    /// The client is the command of `wif exec`, which has the broker. No step signs in.
    Exec(Source),
}

impl Mode {
    /// Whether there is a broker, and tokens end while the client runs.
    pub(super) fn has_broker(self) -> bool {
        self != Self::Snapshot
    }

    /// As the table names it.
    pub(super) fn words(self) -> String {
        match self {
            Self::Snapshot => "snapshot".to_owned(),
            Self::Broker => "broker".to_owned(),
            Self::Exec(source) => format!("wif exec, {}", source.as_str()),
        }
    }
}

/// What shows that a client's tokens are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// ARM answered.
    Arm,
    /// The blob store keeps its state.
    State,
    /// azurite took its files and gave them back.
    Files,
    /// Terraform planned, and its provider knows who it is.
    Plan,
}

/// Exchanges the exported id token.
const WORKLOAD: Client = Client {
    family: "azure-sdk",
    credential: "WorkloadIdentityCredential",
    mode: Mode::Snapshot,
    schemes: FEDERATED,
    two_sessions: false,
    inputs: &[],
    env: &[],
    steps: 1,
    rounds: 1,
    asks_id_token: false,
    exchanges: 1..=1,
    calls: 1..=1,
    proof: Proof::Arm,
};

/// Asks for everything itself, with the job token: no judge of what the task exports, but of the emulator.
const PIPELINES: Client = Client {
    credential: "AzurePipelinesCredential",
    env: &[
        ("SYSTEM_ACCESSTOKEN", "$(System.AccessToken)"),
        ("SERVICE_CONNECTION_ID", "$(serviceConnectionId)"),
    ],
    asks_id_token: true,
    ..WORKLOAD
};

/// Finds the exported id token by itself.
const DEFAULT: Client = Client { credential: "DefaultAzureCredential", ..WORKLOAD };

/// Uses the exported access token.
const ACCESS_TOKEN: Client = Client {
    family: "accessTokens",
    credential: "AZURE_ACCESS_TOKEN",
    env: &[("AZURE_ACCESS_TOKEN", "$(AZURE_ACCESS_TOKEN)")],
    exchanges: 0..=0,
    ..WORKLOAD
};

/// `init`, `apply`, `output`: each is a process of its own, which exchanges the exported id token for storage.
const BACKEND: Client = Client {
    family: "terraform",
    credential: "ARM_OIDC_TOKEN_FILE_PATH",
    env: TERRAFORM,
    exchanges: 3..=3,
    calls: 1..=usize::MAX,
    proof: Proof::State,
    ..WORKLOAD
};

/// Leads the public host names of storage accounts, of Entra and the others here, and no other anywhere.
const PUBLIC_NAMES: (&str, &str) = ("HTTPS_PROXY", "$(proxyUrl)");

/// Terraform's own settings.
const TERRAFORM: &[(&str, &str)] = &[
    PUBLIC_NAMES,
    ("TF_CLI_CONFIG_FILE", "/dev/null"),
    ("CHECKPOINT_DISABLE", "1"),
    ("TF_IN_AUTOMATION", "1"),
];

/// The same, and the first `apply` outlives its tokens.
const TERRAFORM_LONG: &[(&str, &str)] =
    &[TERRAFORM[0], TERRAFORM[1], TERRAFORM[2], TERRAFORM[3], ("TF_VAR_seconds", "10")];

/// Finds the broker by itself, and asks it for every access token, past the end of several.
const ENDPOINT: Client = Client {
    credential: "DefaultAzureCredential",
    mode: Mode::Broker,
    schemes: ALL,
    rounds: ROUNDS,
    exchanges: 0..=0,
    calls: ROUNDS..=ROUNDS,
    ..WORKLOAD
};

const IDENTITY: Client = Client { credential: "IDENTITY_ENDPOINT", ..ENDPOINT };
const WIF_TOKEN: Client = Client { family: "any", credential: "wif token", ..ENDPOINT };

/// The same client as the command of `wif exec`, with a source whose subject the usual identity trusts.
const fn under_exec(client: Client, source: Source) -> Client {
    Client { mode: Mode::Exec(source), schemes: &[Scheme::DevOps], ..client }
}

/// Only where the client runs differs from the rows on the machine, so one of each kind is enough.
const SHARED: &[Scheme] = &[Scheme::DevOps, Scheme::Secret];

/// The broker's dialects, and the program's own command.
const RAW: &[Client] = &[
    ACCESS_TOKEN,
    IDENTITY,
    WIF_TOKEN,
    Client { credential: "AZD_AUTH_ENDPOINT", ..ENDPOINT },
    Client { family: "terraform", credential: "ARM_MSI_ENDPOINT", schemes: OTHERS, ..ENDPOINT },
    // The file is read anew each time.
    Client {
        family: "token-file",
        credential: "AZURE_FEDERATED_TOKEN_FILE",
        schemes: FEDERATED,
        inputs: &[("exports", "token-file")],
        exchanges: ROUNDS..=ROUNDS,
        ..ENDPOINT
    },
    // An id token by GET, another by POST, each exchanged.
    Client {
        family: "terraform",
        credential: "ARM_OIDC_REQUEST_URL",
        schemes: FEDERATED,
        exchanges: 2 * ROUNDS..=2 * ROUNDS,
        calls: 2 * ROUNDS..=2 * ROUNDS,
        ..ENDPOINT
    },
    under_exec(IDENTITY, Source::AzurePipelines),
    under_exec(IDENTITY, Source::GitHub),
    under_exec(IDENTITY, Source::Buildkite),
    under_exec(IDENTITY, Source::Google),
    under_exec(IDENTITY, Source::Aws),
    under_exec(IDENTITY, Source::GitLab),
    under_exec(IDENTITY, Source::File),
    under_exec(IDENTITY, Source::Kubernetes),
    under_exec(IDENTITY, Source::ManagedIdentity),
    under_exec(WIF_TOKEN, Source::GitHub),
];

/// Asks the broker for an id token before each exchange; one `apply` outlives both tokens.
const REQUEST: Client = Client {
    credential: "ARM_OIDC_REQUEST_URL",
    mode: Mode::Broker,
    env: TERRAFORM_LONG,
    steps: 2,
    exchanges: 5..=usize::MAX,
    ..BACKEND
};

/// The same, and each run reads another state too, as the client of another connection: two sessions in one process.
const TWO_SESSIONS: Client = Client { credential: "ARM_* and HUB_ARM_*", two_sessions: true, ..REQUEST };

/// Gets every access token from the broker, by a path with the key in it.
const MSI: Client = Client { credential: "ARM_MSI_ENDPOINT", schemes: OTHERS, exchanges: 0..=0, ..REQUEST };

/// Makes a container, copies up, lists and copies down, each in a process of its own; one copy outlives its tokens.
const AZCOPY: Client = Client {
    credential: "AZCOPY_AUTO_LOGIN_TYPE",
    mode: Mode::Broker,
    schemes: ALL,
    env: &[PUBLIC_NAMES, ("SECONDS_LONG", "12")],
    steps: 2,
    exchanges: 0..=0,
    calls: 0..=0,
    proof: Proof::Files,
    ..WORKLOAD
};

/// The account, its resources, and those of another subscription that the identity sees.
const AZ_ACCOUNT: Client = Client {
    family: "azure-cli",
    credential: "AZURE_CONFIG_DIR",
    inputs: &[("exports", "azure-cli")],
    // Whatever else it looks for, the proxy would refuse, and the journal show.
    env: &[PUBLIC_NAMES],
    steps: 2,
    rounds: 1,
    // Three lists and a plain request in each step.
    calls: 8..=8,
    ..ENDPOINT
};

/// Compares and deploys a template; the operation takes longer than its tokens live.
const AZ_DEPLOYMENT: Client = Client {
    credential: "az deployment group",
    // In each step two comparisons, a validation, a deployment, and how it goes, until it is done.
    calls: 16..=usize::MAX,
    ..AZ_ACCOUNT
};

const AZ: Tool = Tool {
    name: "azure-cli",
    find: install::azure_cli,
    trust: "REQUESTS_CA_BUNDLE",
    asks_as: "az asks the broker only",
    calls_as: "AZURECLI/",
    place: Place::Machine,
    clients: &[AZ_ACCOUNT, AZ_DEPLOYMENT, under_exec(AZ_ACCOUNT, Source::GitHub)],
};

/// `init` from the mirror, and `plan`, each time with an id token of the broker.
const PLAN: Client = Client {
    steps: 3,
    exchanges: 3..=usize::MAX,
    calls: 0..=usize::MAX,
    env: &[TERRAFORM[0], TERRAFORM[2], TERRAFORM[3]],
    proof: Proof::Plan,
    ..REQUEST
};

/// The same with access tokens of the broker.
const PLAN_MSI: Client = Client { credential: "ARM_USE_MSI", schemes: OTHERS, exchanges: 0..=0, ..PLAN };

/// A provider from the folder that `WIF_PROVIDER_MIRROR` names.
const PROVIDER: Tool = Tool {
    name: "Terraform, provider azurerm",
    find: |_folder| install::provider("hashicorp", "azurerm"),
    trust: "SSL_CERT_FILE",
    asks_as: "Go-http-client/",
    calls_as: "HashiCorp/go-azure-sdk",
    place: Place::Machine,
    clients: &[PLAN, PLAN_MSI],
};

/// How often a client that is one process asks: with the pauses, for longer than any token lives.
const ROUNDS: usize = 6;

/// Every tool that is tried.
pub(super) const TOOLS: &[Tool] = &[
    Tool {
        name: "@azure/identity (Node)",
        find: install::node_identity,
        trust: "NODE_EXTRA_CA_CERTS",
        asks_as: "azsdk-js-identity/",
        calls_as: "node",
        place: Place::Machine,
        clients: &[PIPELINES, WORKLOAD, DEFAULT, ENDPOINT],
    },
    Tool {
        name: "@azure/identity (Node 22)",
        find: install::newest_node_identity,
        trust: "NODE_EXTRA_CA_CERTS",
        asks_as: "azsdk-js-identity/",
        calls_as: "node",
        place: Place::Machine,
        clients: &[WORKLOAD, DEFAULT, ENDPOINT],
    },
    Tool {
        name: "azure-identity (Python)",
        find: install::python_identity,
        trust: "REQUESTS_CA_BUNDLE",
        asks_as: "azsdk-python-identity/",
        calls_as: "python-requests/",
        place: Place::Machine,
        clients: &[
            PIPELINES,
            WORKLOAD,
            DEFAULT,
            ENDPOINT,
            under_exec(ENDPOINT, Source::AzurePipelines),
            under_exec(ENDPOINT, Source::GitHub),
        ],
    },
    Tool {
        name: "azure_identity (Rust)",
        find: install::rust_identity,
        trust: "SSL_CERT_FILE",
        asks_as: "azsdk-rust-",
        calls_as: "reqwest",
        place: Place::Machine,
        clients: &[Client { credential: "ManagedIdentityCredential", ..ENDPOINT }],
    },
    Tool {
        name: "curl",
        find: install::curl,
        trust: "CURL_CA_BUNDLE",
        asks_as: "curl/",
        calls_as: "curl/",
        place: Place::Machine,
        clients: RAW,
    },
    Tool {
        name: "curl, container job",
        find: install::curl_in_namespaces,
        trust: "CURL_CA_BUNDLE",
        asks_as: "curl/",
        calls_as: "curl/",
        place: Place::Namespaces,
        clients: &[IDENTITY, WIF_TOKEN],
    },
    Tool {
        name: "curl, container job of podman",
        find: install::curl_in_podman,
        trust: "CURL_CA_BUNDLE",
        asks_as: "curl/",
        calls_as: "curl/",
        place: Place::ContainerJob,
        clients: &[IDENTITY, WIF_TOKEN],
    },
    Tool {
        name: "curl, podman with the machine's network",
        find: install::curl_in_podman,
        trust: "CURL_CA_BUNDLE",
        asks_as: "curl/",
        calls_as: "curl/",
        place: Place::SharedNetwork,
        clients: &[Client { schemes: SHARED, ..IDENTITY }, Client { schemes: SHARED, ..WIF_TOKEN }],
    },
    Tool {
        name: "curl, podman run in a step",
        find: install::curl_in_podman,
        trust: "CURL_CA_BUNDLE",
        asks_as: "curl/",
        calls_as: "curl/",
        place: Place::Run,
        clients: &[Client { schemes: SHARED, ..IDENTITY }, Client { schemes: SHARED, ..WIF_TOKEN }],
    },
    Tool {
        name: "Terraform, azurerm backend",
        find: install::terraform,
        trust: "SSL_CERT_FILE",
        asks_as: "Go-http-client/",
        calls_as: "HashiCorp/go-azure-sdk",
        place: Place::Machine,
        clients: &[BACKEND, REQUEST, TWO_SESSIONS, MSI, under_exec(REQUEST, Source::GitHub)],
    },
    Tool {
        name: "azcopy",
        find: install::azcopy,
        trust: "SSL_CERT_FILE",
        asks_as: "azsdk-go-azidentity/",
        calls_as: "AzCopy/",
        place: Place::Machine,
        clients: &[
            Client {
                mode: Mode::Snapshot,
                schemes: FEDERATED,
                env: &[PUBLIC_NAMES],
                steps: 1,
                exchanges: 4..=usize::MAX,
                ..AZCOPY
            },
            AZCOPY,
        ],
    },
    PROVIDER,
    Tool {
        name: "Terraform, provider azapi",
        find: |_folder| install::provider("Azure", "azapi"),
        asks_as: "azsdk-go-",
        calls_as: "terraform-provider-azapi/",
        ..PROVIDER
    },
    Tool {
        name: "Terraform, provider azuread",
        find: |_folder| install::provider("hashicorp", "azuread"),
        ..PROVIDER
    },
    Tool {
        name: "Terraform, provider azuredevops",
        find: |_folder| install::provider("microsoft", "azuredevops"),
        asks_as: "azsdk-go-",
        calls_as: "azure-devops-go-api/",
        ..PROVIDER
    },
    AZ,
    Tool { name: "azure-cli, first version", find: install::first_azure_cli, ..AZ },
];

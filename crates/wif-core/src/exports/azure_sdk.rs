//! `azure-sdk`: `DefaultAzureCredential`, through its workload identity credential.

use super::{
    broker_endpoint::BrokerEndpoint,
    conflict::{ALWAYS, Conflict, LIVE, Remedy, SessionKind, Values},
    definition::{Definition, LeadsTo, Marker, VARIABLES_ONLY, YieldingVariable},
    token_file,
    variable::{Facts, Variable},
};

/// What the family is.
pub(super) const FAMILY: Definition = Definition {
    name: "azure-sdk",
    summary: "the Azure SDKs and what is built with them",
    by_default: (true, true),
    live,
    snapshot: Ok(snapshot),
    conflicts: CONFLICTS,
    markers: &[
        Marker {
            variable: "AZD_AUTH_ENDPOINT",
            leads_to: LeadsTo::Broker(Some("AZD_AUTH_KEY")),
            sessions: LIVE,
        },
        Marker {
            variable: "AZURE_FEDERATED_TOKEN_FILE",
            leads_to: LeadsTo::Folder,
            sessions: &[SessionKind::Snapshot],
        },
    ],
    programs: &["azcopy"],
    yielding: Some(YieldingVariable {
        variable: AZCOPY,
        own_values: &AZCOPY_VALUES,
        effect: "azcopy signs in that way, and not by this session",
    }),
    ..VARIABLES_ONLY
};

/// How azcopy is told to sign in without being asked to.
const AZCOPY: &str = "AZCOPY_AUTO_LOGIN_TYPE";
/// Its values in a session with a broker, and in a snapshot.
const AZCOPY_VALUES: [&str; 2] = ["MSI", "WORKLOAD"];

/// Source: the chain of `DefaultAzureCredential` in azure-identity (Python), @azure/identity, azidentity (Go) and Azure.Identity
/// (.NET): environment, workload identity, managed identity; Azure/azure-storage-azcopy, `common/oauthTokenManager.go`;
/// Azure/azure-dev, `cli/azd/pkg/auth`.
const CONFLICTS: &[Conflict] = &[
    Conflict {
        variables: &["AZURE_FEDERATED_TOKEN_FILE"],
        sessions: LIVE,
        from_machine: Remedy::Empty,
        effect: "the Azure SDKs present the token in that file with this connection's client id, and are refused. Go and Java take \
                 an empty text for a file too: for their programs, add token-file to exports.",
        ..WINS
    },
    Conflict {
        variables: &["AZURE_CLIENT_SECRET"],
        effect: "DefaultAzureCredential signs in with this client secret, and not by the session.",
        ..WINS
    },
    Conflict {
        variables: &["AZURE_CLIENT_CERTIFICATE_PATH"],
        effect: "DefaultAzureCredential signs in with that certificate, and not by the session.",
        ..WINS
    },
    Conflict {
        variables: &["AZURE_USERNAME", "AZURE_PASSWORD"],
        effect: "DefaultAzureCredential signs in as that user, and tries nothing else when that fails.",
        ..WINS
    },
    Conflict {
        variables: &["AZURE_TOKEN_CREDENTIALS"],
        values: Values::AllBut(&["prod", "ManagedIdentityCredential"]),
        sessions: LIVE,
        effect: "newer versions of DefaultAzureCredential do not ask the session; prod and ManagedIdentityCredential do.",
        ..WINS
    },
    Conflict {
        variables: &["AZURE_TOKEN_CREDENTIALS"],
        values: Values::AllBut(&["prod", "WorkloadIdentityCredential"]),
        sessions: &[SessionKind::Snapshot],
        effect: "newer versions of DefaultAzureCredential do not use the id token; prod and WorkloadIdentityCredential do.",
        ..WINS
    },
    Conflict {
        variables: &["IDENTITY_SERVER_THUMBPRINT"],
        sessions: LIVE,
        effect: "the Azure SDKs take IDENTITY_ENDPOINT for that of Service Fabric, which speaks another protocol, and fail.",
        ..WINS
    },
    Conflict {
        variables: &["AZCOPY_MSI_CLIENT_ID"],
        values: Values::AllButOurs(|facts| facts.client.map(|id| id.to_string())),
        from_machine: Remedy::Empty,
        ..AZCOPY_IDENTITY
    },
    Conflict { variables: &["AZCOPY_MSI_RESOURCE_STRING"], ..AZCOPY_IDENTITY },
    Conflict { variables: &["AZCOPY_MSI_OBJECT_ID"], ..AZCOPY_IDENTITY },
    Conflict {
        variables: &["AZD_AUTH_CERT"],
        sessions: LIVE,
        from_machine: Remedy::Empty,
        effect: "azd wants an https address in AZD_AUTH_ENDPOINT, and the session's is on loopback, without TLS.",
        ..WINS
    },
];

const WINS: Conflict = Conflict {
    variables: &[],
    values: Values::Any,
    sessions: ALWAYS,
    from_machine: Remedy::Warn,
    effect: "",
};
const AZCOPY_IDENTITY: Conflict = Conflict {
    sessions: LIVE,
    from_machine: Remedy::Empty,
    effect: "azcopy asks for that identity, which this session does not give.",
    ..WINS
};

fn live(_: &Facts, endpoint: &BrokerEndpoint) -> Vec<Variable> {
    let mut variables = endpoint.identity_pair();
    variables.push(Variable::plain("AZD_AUTH_ENDPOINT", format!("{}{}", endpoint.url, endpoint.azd)));
    variables.push(endpoint.keyed("AZD_AUTH_KEY"));
    let [managed_identity, _] = AZCOPY_VALUES;
    variables.push(Variable::plain(AZCOPY, managed_identity));
    variables
}

fn snapshot(facts: &Facts) -> Vec<Variable> {
    let mut variables = token_file::variables(facts);
    let [_, workload] = AZCOPY_VALUES;
    variables.push(Variable::plain(AZCOPY, workload));
    variables
}

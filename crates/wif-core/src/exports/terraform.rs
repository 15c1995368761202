//! `terraform`: the azurerm and azuread providers and the azurerm backend.
//!
//! Where the id token may not leave, Terraform is served as a machine's managed identity is, resource by resource.
//!
//! Source: hashicorp/go-azure-sdk, `sdk/auth`. A static token is read once, so it is good for as long as the id
//! token lives: a snapshot. It also wins over the request pair, and a service connection's id would send the broker's
//! key to Azure DevOps: with a broker, neither is exported.

use super::{
    broker_endpoint::BrokerEndpoint,
    conflict::{ALWAYS, Conflict, LIVE, Remedy, SessionKind, Values},
    definition::{Definition, LeadsTo, Marker, VARIABLES_ONLY},
    token_file,
    variable::{Facts, Value, Variable},
};

/// What the family is.
pub(super) const FAMILY: Definition = Definition {
    name: "terraform",
    summary: "the azurerm and azuread providers and the backend, and those that read the same variables",
    by_default: (true, true),
    live,
    snapshot: Ok(snapshot),
    conflicts: CONFLICTS,
    markers: &[
        Marker {
            variable: "ARM_OIDC_REQUEST_URL",
            leads_to: LeadsTo::Broker(Some("ARM_OIDC_REQUEST_TOKEN")),
            sessions: &[SessionKind::IdToken],
        },
        Marker {
            variable: "ARM_MSI_ENDPOINT",
            leads_to: LeadsTo::Broker(None),
            sessions: &[SessionKind::AccessTokens],
        },
        Marker {
            variable: "ARM_OIDC_TOKEN_FILE_PATH",
            leads_to: LeadsTo::Folder,
            sessions: &[SessionKind::Snapshot],
        },
    ],
    programs: &["terraform"],
    // hashicorp/terraform-provider-azurerm, `internal/clients/account.go`
    resource_at_start: Some((
        "graph",
        "allowedResources lacks graph: Terraform's azurerm provider asks for Microsoft Graph whenever it starts, and will be \
         refused. Add graph to allowedResources (allowedResources: arm, graph) where Terraform runs.",
    )),
    ..VARIABLES_ONLY
};

/// Every reader of an `ARM_*` variable takes an empty text for none.
///
/// Source: hashicorp/go-azure-sdk, `NewAuthorizerFromCredentials` (azurerm, azuread and the backend); Azure/entrauth (azapi and
/// azuredevops); opentofu/opentofu, the azurerm backend.
const CONFLICTS: &[Conflict] = &[
    Conflict {
        variables: &["AZURE_FEDERATED_TOKEN_FILE"],
        sessions: &[SessionKind::IdToken],
        effect: "azapi, azuredevops and OpenTofu present the token in that file with this connection's client id, and are refused. \
                 azapi and azuredevops take an empty text for a file too: where they run, add token-file to exports.",
        ..USED
    },
    Conflict { variables: &["ARM_CLIENT_SECRET"], ..SECRET },
    Conflict { variables: &["ARM_CLIENT_SECRET_FILE_PATH"], ..SECRET },
    Conflict { variables: &["ARM_CLIENT_CERTIFICATE"], ..CERTIFICATE },
    Conflict { variables: &["ARM_CLIENT_CERTIFICATE_PATH"], ..CERTIFICATE },
    Conflict {
        variables: &["ARM_CLIENT_ID_FILE_PATH"],
        effect: "Terraform reads the client id in that file too, and fails when it is not this connection's.",
        ..USED
    },
    Conflict {
        variables: &["ARM_OIDC_TOKEN"],
        effect: "Terraform uses this id token instead of the session's, and cannot renew it.",
        ..USED
    },
    Conflict {
        variables: &["ARM_OIDC_TOKEN_FILE_PATH"],
        sessions: LIVE,
        effect: "Terraform uses the id token in that file instead of the session's, and cannot renew it.",
        ..USED
    },
    Conflict {
        variables: &["ARM_USE_AKS_WORKLOAD_IDENTITY"],
        values: Values::Only(&["true", "1"]),
        effect: "Terraform takes the token in AZURE_FEDERATED_TOKEN_FILE before the session's.",
        ..USED
    },
    Conflict { variables: &["ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID"], ..CONNECTION_ID },
    Conflict { variables: &["ARM_OIDC_AZURE_SERVICE_CONNECTION_ID"], ..CONNECTION_ID },
    Conflict { variables: &["AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"], ..CONNECTION_ID },
    Conflict {
        variables: &["ARM_USE_OIDC"],
        values: Values::Only(&["true", "1"]),
        sessions: &[SessionKind::AccessTokens],
        effect: "Terraform prefers any id token that it finds (ARM_OIDC_*) to the managed identity of this session.",
        ..USED
    },
    Conflict {
        variables: &["ARM_METADATA_HOSTNAME"],
        // A connection of a cloud that is not known needs it.
        values: Values::AllButOurs(|facts| facts.cloud.map(|_| String::new())),
        from_machine: Remedy::Warn,
        effect: "Terraform takes the cloud's addresses from that host, and ARM_ENVIRONMENT does not count.",
        ..USED
    },
    Conflict {
        variables: &["ARM_ACCESS_KEY"],
        from_machine: Remedy::Warn,
        effect: "Terraform's azurerm backend opens the state by this key, and not by the session.",
        ..USED
    },
    Conflict {
        variables: &["ARM_SAS_TOKEN"],
        from_machine: Remedy::Warn,
        effect: "Terraform's azurerm backend opens the state by this signature, and not by the session.",
        ..USED
    },
    Conflict {
        variables: &["AZDO_PERSONAL_ACCESS_TOKEN"],
        from_machine: Remedy::Warn,
        effect: "Terraform's azuredevops provider uses this token before the session.",
        ..USED
    },
];

const USED: Conflict = Conflict {
    variables: &[],
    values: Values::Any,
    sessions: ALWAYS,
    from_machine: Remedy::Empty,
    effect: "",
};
const SECRET: Conflict =
    Conflict { effect: "Terraform signs in with this client secret, and not by the session.", ..USED };
const CERTIFICATE: Conflict =
    Conflict { effect: "Terraform signs in with this certificate, and not by the session.", ..USED };
const CONNECTION_ID: Conflict = Conflict {
    sessions: &[SessionKind::IdToken],
    effect: "azapi, azuredevops and OpenTofu ask Azure DevOps themselves, and send it this session's key, which it refuses.",
    ..USED
};

fn snapshot(facts: &Facts) -> Vec<Variable> {
    let mut variables = identity_variables(facts);
    variables.push(Variable::plain("ARM_USE_OIDC", "true"));
    variables.extend(token_file::file_variable("ARM_OIDC_TOKEN_FILE_PATH", facts));
    variables
}

fn live(facts: &Facts, endpoint: &BrokerEndpoint) -> Vec<Variable> {
    let mut variables = identity_variables(facts);
    if endpoint.gives_id_token {
        // Clients append `&audience=…`, so the URL has a query already.
        let url = format!("{}{}?session=1", endpoint.url, endpoint.id_token);
        variables.push(Variable::plain("ARM_USE_OIDC", "true"));
        variables.push(Variable::plain("ARM_OIDC_REQUEST_URL", url));
        variables.push(endpoint.keyed("ARM_OIDC_REQUEST_TOKEN"));
    } else {
        variables.push(Variable::plain("ARM_USE_MSI", "true"));
        variables
            .push(Variable { name: "ARM_MSI_ENDPOINT".to_owned(), value: Value::Masked(endpoint.msi_url()) });
        // azapi and azuredevops do not read the address above.
        variables.extend(endpoint.identity_pair());
    }
    variables
}

fn identity_variables(facts: &Facts) -> Vec<Variable> {
    let client = facts.client.map(|id| Variable::plain("ARM_CLIENT_ID", id.to_string()));
    let subscription = facts.subscription.map(|id| Variable::plain("ARM_SUBSCRIPTION_ID", id.to_string()));
    let environment =
        facts.cloud.map(|cloud| Variable::plain("ARM_ENVIRONMENT", cloud.terraform_environment()));
    client
        .into_iter()
        .chain([Variable::plain("ARM_TENANT_ID", facts.tenant.to_string())])
        .chain(subscription)
        .chain(environment)
        .collect()
}

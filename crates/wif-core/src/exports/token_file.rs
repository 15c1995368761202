//! `token-file`: the id token in a private file, as Kubernetes gives it to pods.

use super::{
    broker_endpoint::BrokerEndpoint,
    conflict::SessionKind,
    definition::{Definition, LeadsTo, Marker, Need, VARIABLES_ONLY},
    variable::{Facts, Variable},
};

/// What the family is.
pub(super) const FAMILY: Definition = Definition {
    name: "token-file",
    summary: "a file with the id token, which a broker keeps fresh",
    needs_live: &[Need::IdToken, Need::File],
    live,
    snapshot: Ok(variables),
    // In a snapshot it is not told from azure-sdk, which exports the same file.
    markers: &[Marker {
        variable: "AZURE_FEDERATED_TOKEN_FILE",
        leads_to: LeadsTo::Folder,
        sessions: &[SessionKind::IdToken],
    }],
    warnings_beside: &[(
        "azure-sdk",
        "exports has token-file beside azure-sdk: SDKs prefer the file and keep what they read for 5 to 10 minutes, longer than \
         a short id token lives",
    )],
    instead: Some("DefaultAzureCredential finds the broker by azure-sdk"),
    ..VARIABLES_ONLY
};

fn live(facts: &Facts, _: &BrokerEndpoint) -> Vec<Variable> {
    variables(facts)
}

pub(super) fn variables(facts: &Facts) -> Vec<Variable> {
    file_variable("AZURE_FEDERATED_TOKEN_FILE", facts).into_iter().collect()
}

pub(super) fn file_variable(name: &str, facts: &Facts) -> Option<Variable> {
    // The folder was made from a variable, so its path is text.
    facts.id_token_file.as_ref().map(|path| Variable::plain(name, path.to_string_lossy()))
}

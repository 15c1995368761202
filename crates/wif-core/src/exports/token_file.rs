//! `token-file`: the id token in a private file, as Kubernetes gives it to pods.

use super::{
    broker_endpoint::BrokerEndpoint,
    definition::{Definition, Need},
    variable::{Facts, Variable},
};

/// What the family is.
pub(super) const FAMILY: Definition = Definition {
    name: "token-file",
    summary: "a file with the id token, which a broker keeps fresh",
    asked_by: None,
    by_default: (false, false),
    needs_live: &[Need::IdToken, Need::File],
    live,
    snapshot: Some(variables),
    conflicts: &[],
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

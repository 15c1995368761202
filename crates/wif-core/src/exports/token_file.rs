//! `token-file`: the id token in a private file, as Kubernetes gives it to pods.

use super::{Facts, Variable};

pub(super) fn variables(facts: &Facts) -> Vec<Variable> {
    under("AZURE_FEDERATED_TOKEN_FILE", facts).into_iter().collect()
}

pub(super) fn under(name: &str, facts: &Facts) -> Option<Variable> {
    // The folder was made from a variable, so its path is text.
    facts.id_token_file.as_ref().map(|path| Variable::plain(name, path.to_string_lossy()))
}

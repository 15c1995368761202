//! `azure-sdk`: `DefaultAzureCredential`, through its workload identity credential.

use super::{Facts, Variable, token_file};

pub(super) fn snapshot(facts: &Facts) -> Vec<Variable> {
    token_file::variables(facts)
}

//! `terraform`: the azurerm and azuread providers and the azurerm backend.
//!
//! Source: hashicorp/go-azure-sdk, `sdk/auth`. A static token is read once, so it is good for as long as the id
//! token lives: a snapshot.

use super::{Facts, Variable, token_file};

pub(super) fn snapshot(facts: &Facts) -> Vec<Variable> {
    let subscription = facts.subscription.map(|id| Variable::plain("ARM_SUBSCRIPTION_ID", id.to_string()));
    let environment =
        facts.cloud.map(|cloud| Variable::plain("ARM_ENVIRONMENT", cloud.terraform_environment()));
    [
        Variable::plain("ARM_CLIENT_ID", facts.client.to_string()),
        Variable::plain("ARM_TENANT_ID", facts.tenant.to_string()),
    ]
    .into_iter()
    .chain(subscription)
    .chain(environment)
    .chain([Variable::plain("ARM_USE_OIDC", "true")])
    .chain(token_file::under("ARM_OIDC_TOKEN_FILE_PATH", facts))
    .collect()
}

//! What every session exports, whatever its families: client, tenant, subscription, authority.

use super::variable::{Facts, Variable};

pub(super) fn variables(facts: &Facts) -> Vec<Variable> {
    let client = facts.client.map(|id| Variable::plain("AZURE_CLIENT_ID", id.to_string()));
    let subscription = facts.subscription.map(|id| Variable::plain("AZURE_SUBSCRIPTION_ID", id.to_string()));
    client
        .into_iter()
        .chain([Variable::plain("AZURE_TENANT_ID", facts.tenant.to_string())])
        .chain(subscription)
        .chain([Variable::plain("AZURE_AUTHORITY_HOST", &facts.authority)])
        .collect()
}

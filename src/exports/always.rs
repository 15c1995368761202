//! Who we are: in every session, whatever its families.

use super::{Facts, Variable};

pub(super) fn variables(facts: &Facts) -> Vec<Variable> {
    let subscription = facts.subscription.map(|id| Variable::plain("AZURE_SUBSCRIPTION_ID", id.to_string()));
    [
        Variable::plain("AZURE_CLIENT_ID", facts.client.to_string()),
        Variable::plain("AZURE_TENANT_ID", facts.tenant.to_string()),
    ]
    .into_iter()
    .chain(subscription)
    .chain([Variable::plain("AZURE_AUTHORITY_HOST", &facts.authority)])
    .collect()
}

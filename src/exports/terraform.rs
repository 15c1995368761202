//! `terraform`: the azurerm and azuread providers and the azurerm backend.
//!
//! Where the id token may not leave, Terraform is served as a machine's managed identity is, resource by resource.
//!
//! Source: hashicorp/go-azure-sdk, `sdk/auth`. A static token is read once, so it is good for as long as the id
//! token lives: a snapshot. It also wins over the request pair, and a service connection's id would send the broker's
//! key to Azure DevOps: with a broker, neither is exported.

use super::{Door, Facts, Value, Variable, token_file};

pub(super) fn snapshot(facts: &Facts) -> Vec<Variable> {
    let mut variables = who(facts);
    variables.push(Variable::plain("ARM_USE_OIDC", "true"));
    variables.extend(token_file::under("ARM_OIDC_TOKEN_FILE_PATH", facts));
    variables
}

pub(super) fn live(facts: &Facts, door: &Door) -> Vec<Variable> {
    let mut variables = who(facts);
    if door.gives_id_token {
        // Clients append `&audience=…`, so the URL has a query already.
        let url = format!("{}{}?session=1", door.url, door.id_token);
        variables.push(Variable::plain("ARM_USE_OIDC", "true"));
        variables.push(Variable::plain("ARM_OIDC_REQUEST_URL", url));
        variables.push(door.keyed("ARM_OIDC_REQUEST_TOKEN"));
    } else {
        variables.push(Variable::plain("ARM_USE_MSI", "true"));
        variables
            .push(Variable { name: "ARM_MSI_ENDPOINT".to_owned(), value: Value::Masked(door.msi_url()) });
        // azapi and azuredevops do not read the address above.
        variables.extend(door.identity_pair());
    }
    variables
}

fn who(facts: &Facts) -> Vec<Variable> {
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

//! Role assignments, and managed identities with their federated credentials.

use serde_json::{Value, json};
use uuid::{Uuid, uuid};

use crate::services::arm::checks::Refusal;
use crate::world::directory::Directory;
use crate::world::directory::entra::{App, Kind, Subscription};

/// Contributor, in every tenant.
const CONTRIBUTOR: Uuid = uuid!("b24988ac-6180-42a0-ab88-20f7382dd24c");

/// The role assignments of a principal (`principalId eq '…'`), or all.
pub(super) fn role_assignments(directory: &Directory, subscription: &Subscription, filter: &str) -> Value {
    let principal = filter.split('\'').nth(1).and_then(|id| Uuid::try_parse(id).ok());
    let apps = directory.tenants.iter().flat_map(|tenant| &tenant.apps);
    let list: Vec<_> = apps
        .filter(|app| subscription.roles.contains(&app.client_id))
        .filter(|app| principal.is_none_or(|principal| principal == app.object_id))
        .map(|app| {
            let scope = format!("/subscriptions/{}", subscription.id);
            json!({
                "id": format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{}", app.object_id),
                "type": "Microsoft.Authorization/roleAssignments",
                "name": app.object_id,
                "properties": {
                    "roleDefinitionId":
                        format!("{scope}/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR}"),
                    "principalId": app.object_id, "principalType": "ServicePrincipal", "scope": scope,
                },
            })
        })
        .collect();
    json!({ "value": list })
}

/// The managed identities of a subscription: all of its tenant, in one group.
pub(super) fn managed(directory: &Directory, subscription: &Subscription) -> Value {
    let tenants = directory.tenants.iter().filter(|tenant| tenant.id == subscription.tenant);
    let apps = tenants.flat_map(|tenant| &tenant.apps).filter(|app| app.kind == Kind::ManagedIdentity);
    let list: Vec<_> = apps
        .map(|app| {
            json!({
                "id": format!(
                    "/subscriptions/{}/resourcegroups/rg-app/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{}",
                    subscription.id,
                    name(app)
                ),
                "name": name(app),
                "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
                "location": "westeurope",
                "properties": {
                    "tenantId": subscription.tenant, "clientId": app.client_id, "principalId": app.object_id,
                },
            })
        })
        .collect();
    json!({ "value": list })
}

/// The federated credentials of one of them.
pub(super) fn federated_credentials(directory: &Directory, identity: &str) -> Result<Value, Refusal> {
    let mut apps = directory.tenants.iter().flat_map(|tenant| &tenant.apps);
    let app = apps
        .find(|app| app.kind == Kind::ManagedIdentity && name(app) == identity)
        .ok_or_else(Refusal::no_such_path)?;
    let list: Vec<_> = app
        .federated_credentials
        .iter()
        .map(|one| {
            json!({
                "name": one.name,
                "type": "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
                "properties": { "issuer": one.issuer, "subject": one.subject, "audiences": [one.audience] },
            })
        })
        .collect();
    Ok(json!({ "value": list }))
}

fn name(app: &App) -> String {
    format!("id-{}", app.client_id.simple())
}

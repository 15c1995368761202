//! Role assignments, and managed identities with their federated credentials.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use uuid::{Uuid, uuid};

use crate::services::arm::answer::answered;
use crate::services::arm::checks;
use crate::services::arm::refusal::Refusal;
use crate::services::request;
use crate::world::World;
use crate::world::directory::Directory;
use crate::world::directory::entra::{App, Kind, Subscription};

type Shared = State<Arc<World>>;

pub(super) async fn role_assignments(
    State(world): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let query = request::query(request.uri());
    let filter = request::value(&query, "$filter").unwrap_or_default();
    let answer = checks::authenticate(&world, request).and_then(|caller| {
        let directory = world.directory();
        let action = "Microsoft.Authorization/roleAssignments/read";
        let subscription = checks::authorize(&directory, &caller, &id, action)?;
        Ok(role_assignment_list(&directory, subscription, filter))
    });
    answered(&world, answer)
}

pub(super) async fn managed_identities(
    State(world): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let answer = checks::authenticate(&world, request).and_then(|caller| {
        let directory = world.directory();
        let action = "Microsoft.ManagedIdentity/userAssignedIdentities/read";
        let subscription = checks::authorize(&directory, &caller, &id, action)?;
        Ok(managed_identity_list(&directory, subscription))
    });
    answered(&world, answer)
}

pub(super) async fn federated_credentials(
    State(world): Shared,
    Path((id, _group, name)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    let answer = checks::authenticate(&world, request).and_then(|caller| {
        let directory = world.directory();
        let action = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read";
        checks::authorize(&directory, &caller, &id, action)?;
        federated_credential_list(&directory, &name)
    });
    answered(&world, answer)
}

/// The role assignments of the principal in the filter (`principalId eq '…'`), or of all principals.
fn role_assignment_list(directory: &Directory, subscription: &Subscription, filter: &str) -> Value {
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

/// Every managed identity of the subscription's tenant, in one resource group.
fn managed_identity_list(directory: &Directory, subscription: &Subscription) -> Value {
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

/// The federated credentials of a managed identity.
fn federated_credential_list(directory: &Directory, identity: &str) -> Result<Value, Refusal> {
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

/// The id of the role Contributor, the same in every tenant.
const CONTRIBUTOR: Uuid = uuid!("b24988ac-6180-42a0-ab88-20f7382dd24c");

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
use crate::world::directory::entra::{FederatedCredential, Kind, Subscription};
use crate::world::directory::records::RoleAssignment;

pub(super) async fn role_assignments(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (address, query) = place(&request);
    let filter = request::value(&query, "$filter").unwrap_or_default().to_owned();
    let list = checks::authenticate(&world, request).and_then(|caller| {
        let directory = world.directory();
        let action = "Microsoft.Authorization/roleAssignments/read";
        let subscription = checks::authorize(&directory, &caller, &id, action)?;
        Ok(role_assignment_list(&directory, subscription, &filter))
    });
    answered(&world, list.and_then(|list| paged(&world, &address, &query, &list)))
}

pub(super) async fn managed_identities(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (address, query) = place(&request);
    let list = checks::authenticate(&world, request).and_then(|caller| {
        let directory = world.directory();
        let action = "Microsoft.ManagedIdentity/userAssignedIdentities/read";
        let subscription = checks::authorize(&directory, &caller, &id, action)?;
        Ok(managed_identity_list(&directory, subscription))
    });
    answered(&world, list.and_then(|list| paged(&world, &address, &query, &list)))
}

pub(super) async fn federated_credentials(
    State(world): State<Arc<World>>,
    Path((id, _groups, _group, name)): Path<(String, String, String, String)>,
    request: Request,
) -> Response {
    let (address, query) = place(&request);
    let list = checks::authenticate(&world, request).and_then(|caller| {
        let directory = world.directory();
        let action = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read";
        checks::authorize(&directory, &caller, &id, action)?;
        federated_credential_list(&directory, &name)
    });
    answered(&world, list.and_then(|list| paged(&world, &address, &query, &list)))
}

/// One federated credential: read, made or changed, deleted.
pub(super) async fn federated_credential(
    State(world): State<Arc<World>>,
    Path((id, _groups, _group, name, credential)): Path<(String, String, String, String, String)>,
    request: Request,
) -> Response {
    let (request, bytes) = request::take_body(request).await;
    let method = request.method().clone();
    let sent: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let answer = checks::authenticate(&world, request).and_then(|caller| {
        let mut directory = world.directory();
        let right = match method.as_str() {
            "GET" => "read",
            "PUT" => "write",
            "DELETE" => "delete",
            _ => return Err(Refusal::no_such_path()),
        };
        let action =
            format!("Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/{right}");
        checks::authorize(&directory, &caller, &id, &action)?;
        let lags = (directory.quirks.credential_lag, directory.quirks.trust_lag);
        let deletion_lag = directory.quirks.deletion_lag;
        let mut apps = directory.tenants.iter_mut().flat_map(|tenant| &mut tenant.apps);
        let app = apps
            .find(|app| app.kind == Kind::ManagedIdentity && app.name() == name)
            .ok_or_else(Refusal::no_such_path)?;
        match right {
            "write" => {
                let properties = &sent["properties"];
                let text = |field: &str| properties[field].as_str().unwrap_or_default().to_owned();
                let audience = properties["audiences"][0].as_str().unwrap_or_default().to_owned();
                let new = FederatedCredential {
                    name: credential.clone(),
                    issuer: text("issuer"),
                    subject: text("subject"),
                    audience,
                };
                let others = || app.federated_credentials.iter().filter(|one| one.name != new.name);
                if others().any(|one| one.issuer == new.issuer && one.subject == new.subject) {
                    let message = "Issuer and subject combination already exists for this Managed Identity.";
                    return Err(Refusal::new(409, "Conflict", message));
                }
                if others().count() >= 20 {
                    let message = "Too many Federated Identity Credentials: the limit is 20.";
                    return Err(Refusal::new(400, "BadRequest", message));
                }
                app.register(new.clone(), lags);
                Ok(shown_credential(&new))
            }
            "delete" => {
                app.unregister(&credential, deletion_lag);
                Ok(Value::Null)
            }
            _ => {
                let found = app.credentials_read().into_iter().find(|one| one.name == credential);
                found.map(|one| shown_credential(&one)).ok_or_else(|| {
                    Refusal::new(404, "NotFound", "The federated identity credential was not found.")
                })
            }
        }
    });
    answered(&world, answer)
}

fn shown_credential(one: &FederatedCredential) -> Value {
    json!({
        "name": one.name,
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        "properties": { "issuer": one.issuer, "subject": one.subject, "audiences": [one.audience] },
    })
}

/// The address of a request, without and with its query.
fn place(request: &Request) -> (String, Vec<(String, String)>) {
    let host = request.headers().get("host").and_then(|host| host.to_str().ok());
    let authority = request.uri().authority().map(ToString::to_string).or_else(|| host.map(str::to_owned));
    let address = format!("https://{}{}", authority.unwrap_or_default(), request.uri().path());
    (address, request::query(request.uri()))
}

/// The role assignments of the principal in the filter (`principalId eq '…'`), or of all principals.
fn role_assignment_list(directory: &Directory, subscription: &Subscription, filter: &str) -> Vec<Value> {
    let principal = filter.split('\'').nth(1).and_then(|id| Uuid::try_parse(id).ok());
    let scope = format!("/subscriptions/{}", subscription.id);
    let is_here = |one: &RoleAssignment| {
        // What is above is listed too.
        let other = one.scope.strip_prefix("/subscriptions/").and_then(|rest| rest.split('/').next());
        other.is_none_or(|other| other.eq_ignore_ascii_case(&subscription.id.to_string()))
    };
    role_assignments_of(directory)
        .filter(is_here)
        .filter(|one| principal.is_none_or(|principal| principal == one.principal))
        .map(|one| {
            let mut properties = json!({
                "roleDefinitionId":
                    format!("{scope}/providers/Microsoft.Authorization/roleDefinitions/{}", one.role),
                "principalId": one.principal, "principalType": one.principal_type, "scope": one.scope,
            });
            if let Some(condition) = &one.condition {
                properties["condition"] = json!(condition);
                properties["conditionVersion"] = json!("2.0");
            }
            json!({
                "id": format!("{}/providers/Microsoft.Authorization/roleAssignments/{}", one.scope, one.id),
                "type": "Microsoft.Authorization/roleAssignments",
                "name": one.id,
                "properties": properties,
            })
        })
        .collect()
}

/// Every role assignment: those that are registered, and `Contributor` for those with a role in a subscription.
pub(super) fn role_assignments_of(directory: &Directory) -> impl Iterator<Item = RoleAssignment> {
    let apps = || directory.tenants.iter().flat_map(|tenant| &tenant.apps);
    let plain = directory.subscriptions.iter().flat_map(move |subscription| {
        apps().filter(|app| subscription.roles.contains(&app.client_id)).map(|app| RoleAssignment {
            id: app.object_id,
            principal: app.object_id,
            principal_type: "ServicePrincipal".to_owned(),
            role: CONTRIBUTOR,
            role_name: "Contributor".to_owned(),
            scope: format!("/subscriptions/{}", subscription.id),
            condition: None,
            condition_version: None,
            description: None,
            delegated: None,
        })
    });
    plain.chain(directory.role_assignments.iter().cloned())
}

/// Every managed identity of the subscription's tenant, in one resource group.
pub(super) fn managed_identity_list(directory: &Directory, subscription: &Subscription) -> Vec<Value> {
    let tenants = directory.tenants.iter().filter(|tenant| tenant.id == subscription.tenant);
    let apps = tenants.flat_map(|tenant| &tenant.apps).filter(|app| {
        app.kind == Kind::ManagedIdentity && app.record.subscription.is_none_or(|own| own == subscription.id)
    });
    apps.map(|app| {
            json!({
                "id": format!(
                    "/subscriptions/{}/resourcegroups/{}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{}",
                    subscription.id,
                    app.resource_group(),
                    app.name()
                ),
                "name": app.name(),
                "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
                "location": "westeurope",
                "properties": {
                    "tenantId": subscription.tenant, "clientId": app.client_id, "principalId": app.object_id,
                },
            })
        })
        .collect()
}

/// The federated credentials of a managed identity.
fn federated_credential_list(directory: &Directory, identity: &str) -> Result<Vec<Value>, Refusal> {
    let mut apps = directory.tenants.iter().flat_map(|tenant| &tenant.apps);
    let app = apps
        .find(|app| app.kind == Kind::ManagedIdentity && app.name() == identity)
        .ok_or_else(Refusal::no_such_path)?;
    Ok(app.credentials_read().iter().map(shown_credential).collect())
}

/// A list, in pages where the directory says so.
fn paged(world: &World, address: &str, query: &[(String, String)], list: &[Value]) -> Result<Value, Refusal> {
    const SKIP_TOKEN: &str = "$skiptoken";
    let Some(size) = world.directory().quirks.arm_page else { return Ok(json!({ "value": list })) };
    let begin = request::value(query, SKIP_TOKEN).map_or(Ok(0), str::parse::<usize>);
    let begin = begin.map_err(|_error| Refusal::wrong_skip_token())?;
    let end = (begin + size).min(list.len());
    let mut page = json!({ "value": list.get(begin..end).unwrap_or_default() });
    if end < list.len() {
        let mut next = url::form_urlencoded::Serializer::new(String::new());
        next.extend_pairs(query.iter().filter(|(name, _)| name != SKIP_TOKEN));
        next.append_pair(SKIP_TOKEN, &end.to_string());
        page["nextLink"] = json!(format!("{address}?{}", next.finish()));
    }
    Ok(page)
}

/// The id of the role Contributor, the same in every tenant.
const CONTRIBUTOR: Uuid = uuid!("b24988ac-6180-42a0-ab88-20f7382dd24c");

//! Role definitions by name, and role assignments at any scope: read, made, deleted.

use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value, json};
use uuid::{Uuid, uuid};

use crate::services::arm::answer::answered;
use crate::services::arm::checks;
use crate::services::arm::identities::role_assignments_of;
use crate::services::arm::refusal::Refusal;
use crate::services::request;
use crate::world::World;
use crate::world::directory::Directory;
use crate::world::directory::records::RoleAssignment;

/// What stands between a scope and its roles, in lower case.
pub(super) const PROVIDER: &str = "/providers/microsoft.authorization/";

/// Roles that are in every tenant.
const ROLES: [(&str, Uuid); 6] = [
    ("Owner", uuid!("8e3af657-a8ff-443c-a75c-2fe8c4bcb635")),
    ("Contributor", uuid!("b24988ac-6180-42a0-ab88-20f7382dd24c")),
    ("Reader", uuid!("acdd72a7-3385-48ef-bd42-f606fba81ae7")),
    ("User Access Administrator", uuid!("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9")),
    ("Role Based Access Control Administrator", uuid!("f58310d9-a9f6-439a-9e8d-f62e7b41a168")),
    ("Storage Blob Data Reader", uuid!("2a2b9908-6ea1-4ae2-8e65-a410df84e7d1")),
];

pub(super) async fn answer(world: &World, request: Request) -> Response {
    let (request, bytes) = request::take_body(request).await;
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let sent: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let query = request::query(&uri);
    let filter = request::value(&query, "$filter").unwrap_or_default().to_owned();
    let path = request::decode_pairs(format!("path={}", uri.path().replace('+', "%2B")).as_bytes());
    let path = path.into_iter().next().map(|(_, path)| path).unwrap_or_default();
    let answer = checks::authenticate(world, request).and_then(|caller| {
        let at = path.to_lowercase().rfind(PROVIDER).ok_or_else(Refusal::no_such_path)?;
        let (scope, rest) = (&path[..at], &path[at + PROVIDER.len()..]);
        let mut directory = world.directory();
        if let Some(id) = scope.strip_prefix("/subscriptions/").and_then(|rest| rest.split('/').next()) {
            let right = if method == "GET" { "read" } else { "write" };
            let action = format!("Microsoft.Authorization/roleAssignments/{right}");
            checks::authorize(&directory, &caller, id, &action)?;
            if right == "write" && assigns_no_roles(&directory, caller.client) {
                return Err(checks::not_authorized(&caller, &action, id));
            }
        }
        let segments: Vec<_> = rest.split('/').collect();
        match (method.as_str(), segments.as_slice()) {
            ("GET", ["roleDefinitions"]) => Ok(definitions(&filter)),
            ("GET", ["permissions"]) => {
                let is_contributor = assigns_no_roles(&directory, caller.client);
                let left_out =
                    if is_contributor { json!(["Microsoft.Authorization/*/Write"]) } else { json!([]) };
                Ok(json!({ "value": [{ "actions": ["*"], "notActions": left_out }] }))
            }
            ("GET", ["roleAssignments"]) => Ok(list(&directory, scope, &filter)),
            ("GET", ["roleEligibilityScheduleInstances"]) => Ok(eligible(&directory, scope, &filter)),
            (method, ["roleAssignments", name]) => {
                let name = Uuid::try_parse(name).map_err(|_error| {
                    Refusal::new(400, "InvalidRoleAssignmentId", "The role assignment ID must be a GUID.")
                })?;
                one(&mut directory, method, scope, name, &sent["properties"])
            }
            _ => Err(Refusal::no_such_path()),
        }
    });
    answered(world, answer)
}

fn assigns_no_roles(directory: &Directory, client: Uuid) -> bool {
    let mut apps = directory.tenants.iter().flat_map(|tenant| &tenant.apps);
    apps.any(|app| app.client_id == client && app.record.assigns_no_roles)
}

fn definitions(filter: &str) -> Value {
    let wanted = filter.split('\'').nth(1).unwrap_or_default();
    let found = ROLES.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let all: Vec<_> = found
        .map(|(name, id)| {
            json!({
                "id": format!("/providers/Microsoft.Authorization/roleDefinitions/{id}"), "name": id,
                "type": "Microsoft.Authorization/roleDefinitions",
                "properties": { "roleName": name, "type": "BuiltInRole" },
            })
        })
        .collect();
    json!({ "value": all })
}

fn list(directory: &Directory, scope: &str, filter: &str) -> Value {
    let principal = filter.split('\'').nth(1).and_then(|id| Uuid::try_parse(id).ok());
    let scope = scope.to_lowercase();
    // At, above and below the scope.
    let is_near = |one: &RoleAssignment| {
        let own = one.scope.to_lowercase();
        own.starts_with(&scope) || scope.starts_with(&own)
    };
    let all: Vec<_> = role_assignments_of(directory)
        .filter(is_near)
        .filter(|one| principal.is_none_or(|principal| principal == one.principal))
        .map(|one| shown(&one))
        .collect();
    json!({ "value": all })
}

/// Those at and below the scope.
fn eligible(directory: &Directory, scope: &str, filter: &str) -> Value {
    let principal = filter.split('\'').nth(1).and_then(|id| Uuid::try_parse(id).ok());
    let is_it = |one: &&RoleAssignment| {
        Some(one.principal) == principal && one.scope.to_lowercase().starts_with(&scope.to_lowercase())
    };
    let all: Vec<_> = directory
        .eligible_roles
        .iter()
        .filter(is_it)
        .map(|one| {
            json!({
                "id": format!("{}/providers/Microsoft.Authorization/roleEligibilityScheduleInstances/{}", one.scope, one.id),
                "name": one.id,
                "type": "Microsoft.Authorization/roleEligibilityScheduleInstances",
                "properties": {
                    "principalId": one.principal, "scope": one.scope,
                    "roleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{}", one.role),
                    "expandedProperties": { "roleDefinition": { "displayName": one.role_name } },
                },
            })
        })
        .collect();
    json!({ "value": all })
}

fn one(
    directory: &mut Directory,
    method: &str,
    scope: &str,
    name: Uuid,
    sent: &Value,
) -> Result<Value, Refusal> {
    let known = directory.role_assignments.iter().find(|one| one.id == name).cloned();
    match method {
        "GET" => {
            let known = role_assignments_of(directory).find(|one| one.id == name);
            known.as_ref().map(shown).ok_or_else(|| gone(name))
        }
        "DELETE" => {
            directory.role_assignments.retain(|one| one.id != name);
            Ok(known.as_ref().map(shown).unwrap_or_default())
        }
        "PUT" => {
            let role = sent["roleDefinitionId"].as_str().and_then(|id| id.rsplit('/').next());
            let role = role.and_then(|id| Uuid::try_parse(id).ok()).unwrap_or_default();
            let (role_name, _) = ROLES.iter().find(|(_, id)| *id == role).ok_or_else(|| {
                Refusal::new(
                    400,
                    "RoleDefinitionDoesNotExist",
                    "The specified role definition does not exist.",
                )
            })?;
            let principal = sent["principalId"].as_str().and_then(|id| Uuid::try_parse(id).ok());
            let principal = principal.unwrap_or_default();
            let mut apps = directory.tenants.iter().flat_map(|tenant| &tenant.apps);
            let is_known = apps.any(|app| {
                app.object_id == principal
                    && !app.record.without_principal
                    && !app.record.deleted
                    && !app.record.principal_unknown.take()
            });
            if !is_known {
                let message = format!(
                    "Principal {} does not exist in the directory. Check that you have the correct principal ID.",
                    principal.simple()
                );
                return Err(Refusal::new(400, "PrincipalNotFound", message));
            }
            let is_same = |one: &RoleAssignment| {
                one.principal == principal && one.role == role && one.scope.eq_ignore_ascii_case(scope)
            };
            if known.as_ref().is_some_and(|one| !is_same(one)) {
                let message =
                    "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.";
                return Err(Refusal::new(400, "RoleAssignmentUpdateNotPermitted", message));
            }
            if role_assignments_of(directory).any(|one| one.id != name && is_same(&one)) {
                let message = "The role assignment already exists.";
                return Err(Refusal::new(409, "RoleAssignmentExists", message));
            }
            let text = |name: &str| sent[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
            let made = RoleAssignment {
                id: name,
                principal,
                principal_type: "ServicePrincipal".to_owned(),
                role,
                role_name: (*role_name).to_owned(),
                scope: scope.to_owned(),
                condition: text("condition"),
                condition_version: text("conditionVersion"),
                description: text("description"),
                delegated: text("delegatedManagedIdentityResourceId"),
            };
            if known.is_none() {
                directory.role_assignments.push(made.clone());
            }
            Ok(shown(&made))
        }
        _ => Err(Refusal::no_such_path()),
    }
}

fn gone(name: Uuid) -> Refusal {
    Refusal::new(404, "RoleAssignmentNotFound", format!("The role assignment '{name}' is not found."))
}

fn shown(one: &RoleAssignment) -> Value {
    json!({
        "id": format!("{}/providers/Microsoft.Authorization/roleAssignments/{}", one.scope, one.id),
        "name": one.id,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{}", one.role),
            "principalId": one.principal, "principalType": one.principal_type, "scope": one.scope,
            "condition": one.condition, "conditionVersion": one.condition_version,
            "description": one.description, "delegatedManagedIdentityResourceId": one.delegated,
        },
    })
}

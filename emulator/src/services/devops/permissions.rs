//! Who may use and administer a connection: permissions of pipelines, approvals and checks, roles.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::services::devops::answers::{exception, list, no_such_version, refuse_token, success};
use crate::services::devops::callers::{Caller, find_organization};
use crate::services::devops::endpoints::ProjectRequest;
use crate::services::devops::versions;
use crate::services::request;
use crate::world::World;
use crate::world::directory::devops::Connection;

/// `GET …/_apis/pipelines/pipelinePermissions/endpoint/{id}`
pub(super) async fn pipelines(
    State(world): State<Arc<World>>,
    Path((organization, project, kind, id)): Path<(String, String, String, String)>,
    request: Request,
) -> Response {
    let caller = Caller::of(&world, request.headers());
    let directory = world.directory();
    let path = (organization.as_str(), project.as_str());
    let asked = match ProjectRequest::check(&directory, caller, &request, path, &versions::PREVIEWS) {
        Ok(asked) => asked,
        Err(answer) => return *answer,
    };
    let resource = json!({ "type": kind, "id": id, "name": "" });
    let Some((place, _)) = asked.connection(&id).filter(|_| kind.eq_ignore_ascii_case("endpoint")) else {
        return success(&json!({ "resource": resource, "pipelines": [] }));
    };
    let record = &place.connection.record;
    let granted = |id: Option<u32>| {
        let by =
            record.created_by.as_ref().map(|person| json!({ "id": person.id, "displayName": person.name }));
        let mut one =
            json!({ "authorized": true, "authorizedBy": by, "authorizedOn": "2026-02-03T09:00:00Z" });
        if let Some(id) = id {
            one["id"] = json!(id);
        }
        one
    };
    let here = asked.project.id;
    let is_owner = place.project.id == here;
    let elsewhere = record.pipelines_elsewhere.iter().filter(|(project, _)| *project == here);
    let allowed: Vec<u32> =
        if is_owner { record.pipelines.clone() } else { elsewhere.map(|(_, id)| *id).collect() };
    let pipelines: Vec<_> = allowed.into_iter().map(|id| granted(Some(id))).collect();
    let mut answer = json!({ "resource": resource, "pipelines": pipelines });
    if is_owner && record.open_to_all {
        answer["allPipelines"] = granted(None);
    }
    success(&answer)
}

/// `GET …/_apis/pipelines/checks/configurations?resourceType=endpoint&resourceId=…`
pub(super) async fn checks(
    State(world): State<Arc<World>>,
    Path((organization, project)): Path<(String, String)>,
    request: Request,
) -> Response {
    let caller = Caller::of(&world, request.headers());
    let directory = world.directory();
    let path = (organization.as_str(), project.as_str());
    let asked = match ProjectRequest::check(&directory, caller, &request, path, &versions::PREVIEWS) {
        Ok(asked) => asked,
        Err(answer) => return *answer,
    };
    let found = asked.value("resourceId").and_then(|id| asked.connection(id));
    list(&found.map(|(place, _)| check_list(place.connection, is_expanded(&asked))).unwrap_or_default())
}

/// `POST …/_apis/pipelines/checks/queryconfigurations`: those of many resources of a project.
pub(super) async fn query_checks(
    State(world): State<Arc<World>>,
    Path((organization, project)): Path<(String, String)>,
    request: Request,
) -> Response {
    let (request, bytes) = request::take_body(request).await;
    let caller = Caller::of(&world, request.headers());
    let directory = world.directory();
    let path = (organization.as_str(), project.as_str());
    let asked = match ProjectRequest::check(&directory, caller, &request, path, &versions::PREVIEWS) {
        Ok(asked) => asked,
        Err(answer) => return *answer,
    };
    let Ok(Value::Array(resources)) = serde_json::from_slice(&bytes) else {
        let message = "Value cannot be null. (Parameter 'resources')";
        return exception(&directory.quirks, 400, "ArgumentNullException", message);
    };
    let all: Vec<_> = resources
        .iter()
        .filter(|resource| resource["type"] == "endpoint")
        .filter_map(|resource| asked.connection(resource["id"].as_str()?))
        .flat_map(|(place, _)| check_list(place.connection, is_expanded(&asked)))
        .collect();
    list(&all)
}

/// `GET …/_apis/securityroles/scopes/{scope}/roleassignments/resources/{project}_{connection}`
pub(super) async fn roles(
    State(world): State<Arc<World>>,
    Path((organization, scope, resource)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    let caller = Caller::of(&world, request.headers());
    let directory = world.directory();
    let quirks = &directory.quirks;
    let query = request::query(request.uri());
    let (Some(caller), Some(found)) = (caller, find_organization(&directory, &organization)) else {
        return refuse_token(quirks, request.headers());
    };
    if let Err(version) = versions::PREVIEWS.has(&query, request.headers()) {
        return no_such_version(quirks, &version);
    }
    let (project, id) = resource.split_once('_').unwrap_or((resource.as_str(), ""));
    let id = Uuid::try_parse(id).ok();
    let project = Uuid::try_parse(project).ok();
    let is_there = found.projects.iter().any(|one| Some(one.id) == project && caller.sees_project(one));
    let connections = || found.projects.iter().flat_map(|project| &project.connections);
    let connection = connections().find(|one| Some(one.id) == id);
    let (Some(connection), true, "distributedtask.serviceendpointrole") =
        (connection, is_there, scope.as_str())
    else {
        let message = format!("Cannot find the resource {resource} of scope {scope}.");
        return exception(quirks, 404, "SecurityRoleNotFoundException", &message);
    };
    let record = &connection.record;
    let all: Vec<_> = record
        .roles
        .iter()
        .filter(|_| !quirks.roles_are_hidden)
        .map(|one| {
            let name = format!("{scope}.{}", one.role);
            json!({
                "identity": {
                    "id": Uuid::from_u128(one.identity.bytes().fold(7_u128, |sum, byte| sum.wrapping_mul(31).wrapping_add(u128::from(byte)))),
                    "displayName": one.identity, "uniqueName": one.identity,
                },
                "role": {
                    "displayName": one.role, "name": one.role, "allowPermissions": 1, "denyPermissions": 0,
                    "identifier": name, "description": "", "scope": scope,
                },
                "access": if one.inherited { "inherited" } else { "assigned" },
                "accessDisplayName": if one.inherited { "Inherited" } else { "Assigned" },
            })
        })
        .collect();
    list(&all)
}

fn is_expanded(asked: &ProjectRequest<'_>) -> bool {
    asked.value("$expand").is_some_and(|what| what.eq_ignore_ascii_case("settings"))
}

pub(super) fn check_list(connection: &Connection, with_settings: bool) -> Vec<Value> {
    let checks = connection.record.checks.iter().enumerate();
    checks
        .map(|(at, check)| {
            let mut check = check.clone();
            if check["id"].is_null() {
                check["id"] = json!(at + 1);
            }
            check["resource"] = json!({ "type": "endpoint", "id": connection.id, "name": connection.name });
            if !with_settings && let Some(check) = check.as_object_mut() {
                check.remove("settings");
            }
            check
        })
        .collect()
}

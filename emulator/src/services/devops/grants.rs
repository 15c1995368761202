//! Pipelines authorized, checks made and deleted, people and groups found by their names.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::services::devops::answers::{exception, list, refuse_token, success};
use crate::services::devops::callers::{Caller, find_organization};
use crate::services::devops::endpoints::ProjectRequest;
use crate::services::devops::permissions;
use crate::services::devops::versions;
use crate::services::request;
use crate::world::World;

/// The body, and the request without it.
async fn parts(request: Request) -> (Value, Request) {
    let (request, bytes) = request::take_body(request).await;
    (serde_json::from_slice(&bytes).unwrap_or_default(), request)
}

/// A connection of a project that the caller may change.
fn connection(
    world: &World,
    request: &Request,
    (organization, project): (&str, &str),
    id: Option<&str>,
) -> Result<Option<Uuid>, Box<Response>> {
    let caller = Caller::of(world, request.headers());
    let directory = world.directory();
    let path = (organization, project);
    let asked = ProjectRequest::check(&directory, caller, request, path, &versions::PREVIEWS)?;
    let Some(id) = id else { return Ok(None) };
    let Some((place, _)) = asked.connection(id) else {
        let message = format!("No resource found with identifier {id}.");
        return Err(Box::new(exception(&directory.quirks, 404, "ResourceNotFoundException", &message)));
    };
    if place.connection.record.read_only {
        let message = "The user does not have the permission to manage this resource.";
        return Err(Box::new(exception(&directory.quirks, 403, "AccessDeniedException", message)));
    }
    Ok(Some(place.connection.id))
}

/// `PATCH …/_apis/pipelines/pipelinePermissions/endpoint/{id}`
pub(super) async fn authorize(
    State(world): State<Arc<World>>,
    Path((organization, project, kind, id)): Path<(String, String, String, String)>,
    request: Request,
) -> Response {
    let (sent, request) = parts(request).await;
    let found = match connection(&world, &request, (&organization, &project), Some(&id)) {
        Ok(found) => found.expect("it was asked for"),
        Err(answer) => return *answer,
    };
    {
        let mut directory = world.directory();
        let owner = directory.find(found).expect("it was found").project.id;
        let here = Uuid::try_parse(&project).unwrap_or(owner);
        let record = &mut directory.connection(found).record;
        if let Some(all) = sent["allPipelines"]["authorized"].as_bool() {
            record.open_to_all = all;
        }
        for one in sent["pipelines"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let id = one["id"].as_u64().and_then(|id| u32::try_from(id).ok()).unwrap_or_default();
            let is_authorized = one["authorized"] == true;
            if here == owner {
                record.pipelines.retain(|known| *known != id);
                record.pipelines.extend(is_authorized.then_some(id));
            } else {
                record.pipelines_elsewhere.retain(|known| *known != (here, id));
                record.pipelines_elsewhere.extend(is_authorized.then_some((here, id)));
            }
        }
    }
    permissions::pipelines(State(world), Path((organization, project, kind, id)), request).await
}

/// `POST …/_apis/pipelines/checks/configurations`
pub(super) async fn make_check(
    State(world): State<Arc<World>>,
    Path((organization, project)): Path<(String, String)>,
    request: Request,
) -> Response {
    let (mut sent, request) = parts(request).await;
    let id = sent["resource"]["id"].as_str().unwrap_or_default().to_owned();
    let found = match connection(&world, &request, (&organization, &project), Some(&id)) {
        Ok(found) => found.expect("it was asked for"),
        Err(answer) => return *answer,
    };
    let mut directory = world.directory();
    let known = directory.known_identities.clone();
    for approver in sent["settings"]["approvers"].as_array_mut().into_iter().flatten() {
        let id = approver["id"].as_str().and_then(|id| Uuid::try_parse(id).ok());
        let Some(person) = known.iter().find(|one| Some(one.id) == id) else {
            let message = "The approver is not an identity of Azure DevOps.";
            return exception(&directory.quirks, 400, "InvalidApprover", message);
        };
        approver["displayName"] = json!(person.name);
        approver["uniqueName"] = json!(person.unique_name);
    }
    // Ids of checks are numbers; those that were planted count from 1.
    let number = 1000 + directory.connections().map(|one| one.record.checks.len()).sum::<usize>();
    sent["id"] = json!(number);
    directory.connection(found).record.checks.push(sent.clone());
    success(&sent)
}

/// `DELETE …/_apis/pipelines/checks/configurations/{id}`
pub(super) async fn delete_check(
    State(world): State<Arc<World>>,
    Path((organization, project, id)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    if let Err(answer) = connection(&world, &request, (&organization, &project), None) {
        return *answer;
    }
    let mut directory = world.directory();
    let all: Vec<_> = directory.connections().map(|one| one.id).collect();
    for connection in all {
        let checks = &mut directory.connection(connection).record.checks;
        let mut at = 0;
        checks.retain(|check| {
            at += 1;
            let own = check["id"].as_u64().unwrap_or(at);
            own.to_string() != id
        });
    }
    success(&Value::Null)
}

/// `GET /{organization}/_apis/identities?searchFilter=General&filterValue=NAME`
pub(super) async fn identities(
    State(world): State<Arc<World>>,
    Path(organization): Path<String>,
    request: Request,
) -> Response {
    let caller = Caller::of(&world, request.headers());
    let directory = world.directory();
    let query = request::query(request.uri());
    if caller.is_none() || find_organization(&directory, &organization).is_none() {
        return refuse_token(&directory.quirks, request.headers());
    }
    let wanted = request::value_in_any_case(&query, "filterValue").unwrap_or_default().to_lowercase();
    let is_it = |name: &str| name.to_lowercase() == wanted;
    let found = directory.known_identities.iter().filter(|one| is_it(&one.name) || is_it(&one.unique_name));
    let all: Vec<_> = found
        .map(|one| {
            json!({
                "id": one.id, "providerDisplayName": one.name, "isActive": true,
                "isContainer": one.name.starts_with('['), "properties": {},
            })
        })
        .collect();
    list(&all)
}

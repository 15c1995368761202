//! Service connections over REST, as far as the caller may see them.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::services::answer::json_answer;
use crate::services::bearer;
use crate::services::devops::answers::{ask_for_sign_in, with_trace_headers};
use crate::services::jobs;
use crate::services::request;
use crate::world::World;
use crate::world::directory::Directory;
use crate::world::directory::devops::{Connection, Project};
use crate::world::identity::DEVOPS_APPLICATION;

/// What a caller may see of a project's connections.
enum Visibility {
    All,
    /// Ids and names, which is all that a job token is shown.
    IdsAndNames,
}

pub(super) async fn get(
    State(world): State<Arc<World>>,
    Path((organization, project, id)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    let Some(visibility) = visibility(&world, &headers) else { return ask_for_sign_in(&headers) };
    let directory = world.directory();
    let Some(found) = find_project(&directory, &organization, &project) else {
        return project_not_found(&project);
    };
    let id = Uuid::try_parse(&id).ok();
    match found.connections.iter().find(|connection| Some(connection.id) == id) {
        Some(connection) => with_trace_headers(json_answer(
            200,
            &connection_json(&world, &directory, connection, &visibility),
        )),
        // The real server was seen to answer 200 with `null`.
        None => with_trace_headers(json_answer(200, &Value::Null)),
    }
}

pub(super) async fn list(
    State(world): State<Arc<World>>,
    Path((organization, project)): Path<(String, String)>,
    request: Request,
) -> Response {
    let headers = request.headers().clone();
    let query = request::query(request.uri());
    let Some(visibility) = visibility(&world, &headers) else { return ask_for_sign_in(&headers) };
    let directory = world.directory();
    let Some(found) = find_project(&directory, &organization, &project) else {
        return project_not_found(&project);
    };
    let names = request::value_in_any_case(&query, "endpointNames");
    let is_meant = |connection: &&Connection| {
        names.is_none_or(|names| names.split(',').any(|name| name.eq_ignore_ascii_case(&connection.name)))
    };
    let list: Vec<_> = found
        .connections
        .iter()
        .filter(is_meant)
        .map(|connection| connection_json(&world, &directory, connection, &visibility))
        .collect();
    with_trace_headers(json_answer(200, &json!({ "count": list.len(), "value": list })))
}

/// The last use of a connection; the real server keeps more than one.
pub(super) async fn history(
    State(world): State<Arc<World>>,
    Path((organization, project, id)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    let Some(_visibility) = visibility(&world, &headers) else { return ask_for_sign_in(&headers) };
    let directory = world.directory();
    let Some(found) = find_project(&directory, &organization, &project) else {
        return project_not_found(&project);
    };
    let id = Uuid::try_parse(&id).ok();
    let connection = found.connections.iter().find(|connection| Some(connection.id) == id);
    let used = connection.and_then(|connection| connection.last_used);
    let records: Vec<_> = used
        .into_iter()
        .map(|at| {
            let at = at.format(&Rfc3339).expect("a moment of today's years");
            json!({
                "endpointId": id,
                "data": { "id": 1, "planType": "Build", "startTime": at, "finishTime": at, "result": "succeeded" },
            })
        })
        .collect();
    with_trace_headers(json_answer(200, &json!({ "count": records.len(), "value": records })))
}

/// Whether the request carries a token that is accepted.
pub(super) fn is_authenticated(world: &World, headers: &HeaderMap) -> bool {
    visibility(world, headers).is_some()
}

/// What the caller may see, by a job token, a personal access token (Basic) or an access token of Entra.
fn visibility(world: &World, headers: &HeaderMap) -> Option<Visibility> {
    let token =
        bearer::token(headers).map(str::to_owned).or_else(|| basic_password(headers)).unwrap_or_default();
    let directory = world.directory();
    if let Some(job) = directory.job_of(&token) {
        let valid = job.token_expires.is_none_or(|end| world.clock.now() < end);
        return valid.then_some(Visibility::IdsAndNames);
    }
    if directory.personal_tokens.contains(&token) {
        return Some(Visibility::All);
    }
    drop(directory);
    let is_ours = |audience: &str| audience == DEVOPS_APPLICATION.to_string();
    bearer::caller(world, headers, is_ours).ok().map(|_caller| Visibility::All)
}

fn basic_password(headers: &HeaderMap) -> Option<String> {
    let (scheme, encoded) = headers.get("authorization")?.to_str().ok()?.split_once(' ')?;
    let decoded = STANDARD.decode(encoded).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    String::from_utf8(decoded).ok()?.split_once(':').map(|(_user, token)| token.to_owned())
}

fn find_project<'a>(directory: &'a Directory, organization: &str, project: &str) -> Option<&'a Project> {
    let known = directory.organizations.iter().find(|one| one.name.eq_ignore_ascii_case(organization))?;
    let is_meant = |one: &&Project| {
        one.name.eq_ignore_ascii_case(project) || Uuid::try_parse(project).is_ok_and(|id| id == one.id)
    };
    known.projects.iter().find(is_meant)
}

fn project_not_found(project: &str) -> Response {
    let message = format!(
        "VS800075: The project with id 'vstfs:///Classification/TeamProject/{project}' does not exist, or you do not have \
         permission to access it."
    );
    with_trace_headers(json_answer(
        404,
        &json!({ "$id": "1", "message": message, "typeKey": "ProjectDoesNotExistException", "errorCode": 0 }),
    ))
}

fn connection_json(
    world: &World,
    directory: &Directory,
    connection: &Connection,
    visibility: &Visibility,
) -> Value {
    if matches!(visibility, Visibility::IdsAndNames) {
        return json!({ "id": connection.id, "name": connection.name, "type": null, "data": null, "authorization": null });
    }
    let message = jobs::endpoint(directory, &world.urls, connection.id);
    let mut parameters = message.parameters;
    // Secrets are never returned.
    for secret in ["serviceprincipalkey", "servicePrincipalCertificate", "idToken"] {
        parameters.remove(secret);
    }
    json!({
        "id": connection.id,
        "name": connection.name,
        "type": "azurerm",
        "url": message.url,
        "authorization": { "scheme": message.scheme, "parameters": parameters },
        "data": message.data,
        "isShared": false,
        "isReady": true,
        "isDisabled": connection.disabled,
    })
}

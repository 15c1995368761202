//! Service connections over REST, as far as the caller may see them.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::services::answer::set_header;
use crate::services::devops::answers::{
    exception, list as list_answer, no_such_version, project_not_found, refuse_token, success,
};
use crate::services::devops::callers::{Caller, find_organization, find_project};
use crate::services::devops::versions::{self, Versions};
use crate::services::jobs;
use crate::services::request;
use crate::world::World;
use crate::world::directory::Directory;
use crate::world::directory::devops::{Connection, Organization, Place, Project};
use crate::world::directory::quirks::{Quirks, UnknownConnection};
use crate::world::directory::records::{Execution, Person, Sight};

/// A request about one project, whose caller may see it.
pub(super) struct ProjectRequest<'a> {
    pub(super) caller: Caller,
    pub(super) query: Vec<(String, String)>,
    pub(super) organization: &'a Organization,
    pub(super) project: &'a Project,
}

impl<'a> ProjectRequest<'a> {
    /// Checks token, version and project, in the server's order.
    pub(super) fn check(
        directory: &'a Directory,
        caller: Option<Caller>,
        request: &Request,
        (organization, project): (&str, &str),
        versions: &Versions,
    ) -> Result<Self, Box<Response>> {
        let quirks = &directory.quirks;
        let query = request::query(request.uri());
        let (Some(caller), Some(organization)) = (caller, find_organization(directory, organization)) else {
            return Err(Box::new(refuse_token(quirks, request.headers())));
        };
        versions
            .has(&query, request.headers())
            .map_err(|version| Box::new(no_such_version(quirks, &version)))?;
        let found = find_project(organization, project)
            .filter(|project| caller.sees_project(project) && project.record.sight != Sight::Nothing)
            .ok_or_else(|| Box::new(project_not_found(quirks, project)))?;
        if found.record.sight == Sight::Partial {
            let message = format!(
                "TF400813: The user 'auditor' is not authorized to access this resource in project {}.",
                found.name
            );
            return Err(Box::new(exception(quirks, 403, "UnauthorizedRequestException", &message)));
        }
        Ok(Self { caller, query, organization, project: found })
    }

    /// The parameter of this name.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        request::value_in_any_case(&self.query, name)
    }

    /// The connections of the project, its own and those that are shared with it, with their owners and their names here.
    fn connections(&self) -> impl Iterator<Item = (Place<'a>, &'a str)> {
        let (organization, here) = (self.organization, self.project.id);
        organization.projects.iter().flat_map(move |project| {
            project.connections.iter().filter_map(move |connection| {
                let place = Place { organization, project, connection };
                if project.id == here {
                    return Some((place, connection.name.as_str()));
                }
                let shared = connection.record.shared_with.iter().find(|shared| shared.project == here)?;
                Some((place, shared.name.as_str()))
            })
        })
    }

    /// A connection of the project that the caller may see.
    pub(super) fn connection(&self, id: &str) -> Option<(Place<'a>, &'a str)> {
        let id = Uuid::try_parse(id).ok()?;
        let mut all = self.connections();
        all.find(|(place, _)| {
            place.connection.id == id && self.caller.sight(place.connection) != Sight::Nothing
        })
    }
}

pub(super) async fn get(
    State(world): State<Arc<World>>,
    Path((organization, project, id)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    let caller = Caller::of(&world, request.headers());
    let directory = world.directory();
    let quirks = &directory.quirks;
    let path = (organization.as_str(), project.as_str());
    let asked = match check_connections(&directory, caller, &request, path) {
        Ok(asked) => asked,
        Err(answer) => return *answer,
    };
    match (asked.connection(&id), quirks.unknown_connection) {
        (Some((place, name)), _) => {
            let is_stale = place.connection.stale.as_ref().filter(|(lag, _)| lag.take());
            let mut json = match is_stale {
                Some((_, before)) => {
                    let place = Place { connection: before, ..place };
                    connection_json(&world, &directory, &asked, (place, name))
                }
                None => connection_json(&world, &directory, &asked, (place, name)),
            };
            if is_stale.is_some() && quirks.conversion_is_told {
                json["operationStatus"]["state"] = json!("InProgress");
            }
            success(&json)
        }
        // The real server was seen to answer in each of these ways.
        (None, UnknownConnection::Null) => success(&Value::Null),
        (None, UnknownConnection::NullId) => {
            success(&json!({ "id": null, "name": null, "type": null, "data": null, "authorization": null }))
        }
        (None, UnknownConnection::NotFound) => {
            let message = format!("No service connection found with identifier {id}.");
            exception(quirks, 404, "ServiceEndpointNotFoundException", &message)
        }
    }
}

pub(super) async fn list(
    State(world): State<Arc<World>>,
    Path((organization, project)): Path<(String, String)>,
    request: Request,
) -> Response {
    let caller = Caller::of(&world, request.headers());
    let directory = world.directory();
    let path = (organization.as_str(), project.as_str());
    let asked = match check_connections(&directory, caller, &request, path) {
        Ok(asked) => asked,
        Err(answer) => return *answer,
    };
    let listed = |name: &str, value: &str| {
        asked.value(name).is_none_or(|all| all.split(',').any(|one| one.trim().eq_ignore_ascii_case(value)))
    };
    let with_failed = asked.value("includeFailed").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let is_meant = |(place, name): &(Place<'_>, &str)| {
        let connection = place.connection;
        let record = &connection.record;
        asked.caller.sight(connection) != Sight::Nothing
            && listed("endpointNames", name)
            && listed("endpointIds", &connection.id.to_string())
            && listed("type", &record.kind)
            && listed("authSchemes", &connection.scheme)
            && !(record.read_only
                && asked.value("actionFilter").is_some_and(|filter| filter.eq_ignore_ascii_case("manage")))
            && asked.value("owner").is_none_or(|owner| owner.eq_ignore_ascii_case("library"))
            && (with_failed || record.unready.as_deref() != Some("Failed"))
    };
    let found = asked.connections().filter(is_meant);
    let all: Vec<_> = found.map(|found| connection_json(&world, &directory, &asked, found)).collect();
    list_answer(&all)
}

/// The uses of a connection in this project, newest first.
pub(super) async fn history(
    State(world): State<Arc<World>>,
    Path((organization, project, id)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    let caller = Caller::of(&world, request.headers());
    let directory = world.directory();
    let path = (organization.as_str(), project.as_str());
    let asked = match ProjectRequest::check(&directory, caller, &request, path, &versions::HISTORY) {
        Ok(asked) => asked,
        Err(answer) => return *answer,
    };
    let Some((place, _)) = asked.connection(&id) else { return list_answer(&[]) };
    let last = place.connection.last_used.map(|at| Execution {
        pipeline: 1,
        started: at,
        finished: Some(at),
        result: "succeeded".to_owned(),
    });
    let all: Vec<_> = last.iter().chain(&place.connection.record.history).collect();
    // The token counts down: it is the number of the newest record that was not sent yet.
    let next = asked.value("continuationToken").and_then(|token| token.parse().ok()).unwrap_or(all.len());
    let top = asked.value("top").and_then(|top| top.parse().ok()).unwrap_or(usize::MAX);
    let size = top.min(directory.quirks.executions_per_page).max(1);
    let begin = all.len().saturating_sub(next);
    let records: Vec<_> = all
        .iter()
        .enumerate()
        .skip(begin)
        .take(size)
        .map(|(at, one)| execution(place.connection.id, all.len() - at, one))
        .collect();
    let rest = all.len().saturating_sub(begin + records.len());
    let mut answer = list_answer(&records);
    if rest > 0 {
        set_header(answer.headers_mut(), "x-ms-continuationtoken", &rest.to_string());
    }
    answer
}

fn check_connections<'a>(
    directory: &'a Directory,
    caller: Option<Caller>,
    request: &Request,
    path: (&str, &str),
) -> Result<ProjectRequest<'a>, Box<Response>> {
    let asked = ProjectRequest::check(directory, caller, request, path, &versions::CONNECTIONS)?;
    let version = asked.value("api-version").unwrap_or_default();
    if directory.quirks.only_version_7_1 && version.starts_with("7.2") {
        let message = format!("The requested version '{version}' is not supported by the service.");
        return Err(Box::new(exception(&directory.quirks, 400, "VssVersionOutOfRangeException", &message)));
    }
    Ok(asked)
}

fn execution(connection: Uuid, id: usize, one: &Execution) -> Value {
    let reference = |id: u32, name: String| json!({ "id": id, "name": name, "_links": {} });
    json!({
        "endpointId": connection,
        "data": {
            "id": id,
            "planType": "Build",
            "definition": reference(one.pipeline, format!("pipeline-{}", one.pipeline)),
            "owner": reference(u32::try_from(id).unwrap_or_default(), format!("run-{id}")),
            "startTime": moment(one.started),
            "finishTime": one.finished.map(moment),
            "result": one.finished.map(|_| &one.result),
            "ownerDetails": "",
        },
    })
}

pub(super) fn connection_json(
    world: &World,
    directory: &Directory,
    asked: &ProjectRequest<'_>,
    (place, name): (Place<'_>, &str),
) -> Value {
    let connection = place.connection;
    if asked.caller.sight(connection) == Sight::Partial {
        return json!({ "id": connection.id, "name": name, "type": null, "data": null, "authorization": null });
    }
    let quirks = &directory.quirks;
    let record = &connection.record;
    let (url, parameters, data) = contents(world, directory, &place);
    let references: Vec<_> = std::iter::once((place.project.id, connection.name.as_str()))
        .chain(record.shared_with.iter().map(|shared| (shared.project, shared.name.as_str())))
        .map(|(project, name)| {
            let known = place.organization.projects.iter().find(|one| one.id == project);
            json!({
                "projectReference": { "id": project, "name": known.map(|one| &one.name) },
                "name": name,
                "description": record.description,
            })
        })
        .collect();
    let is_pending = record.pending.take();
    let ready = if is_pending { "InProgress" } else { "Ready" };
    let state = record.unready.as_deref().unwrap_or(ready);
    let message = if state == "Failed" { "The service principal could not be created." } else { "" };
    let mut json = json!({
        "id": connection.id,
        "name": name,
        "type": if quirks.other_case && record.kind == "azurerm" { "AzureRM" } else { &record.kind },
        "url": url,
        "owner": "library",
        "description": record.description,
        "createdBy": record.created_by.as_ref().map(person),
        "authorization": { "scheme": connection.scheme, "parameters": parameters },
        "data": data,
        "isShared": references.len() > 1,
        "isReady": record.unready.is_none() && !is_pending,
        "isOutdated": false,
        "operationStatus": { "state": state, "statusMessage": message, "severity": null, "errorCode": null },
        "serviceEndpointProjectReferences": references,
        "serviceManagementReference": null,
    });
    let version = asked.value("api-version").unwrap_or_default();
    if !(quirks.version_7_1_tells_less && version.starts_with("7.1")) {
        json["isDisabled"] = json!(connection.disabled);
        json["creationDate"] = json!(record.created.map(moment));
        json["modificationDate"] = json!(record.modified.map(moment));
        json["modifiedBy"] = json!(record.created_by.as_ref().map(person));
    }
    json
}

/// URL, authorization parameters and data.
fn contents(world: &World, directory: &Directory, place: &Place<'_>) -> (String, Value, Value) {
    let Connection { record, parameters, data, .. } = place.connection;
    if !record.kind.eq_ignore_ascii_case("azurerm") {
        let url = data.get("url").cloned().unwrap_or_else(|| "https://registry.example/".to_owned());
        return (url, shown(&directory.quirks, parameters.clone()), json!(data));
    }
    let message = jobs::endpoint_at(directory, &world.urls, place);
    let mut data: Map<_, _> =
        message.data.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
    if directory.quirks.empty_values {
        for name in EMPTY_VALUES {
            data.entry(name).or_insert_with(|| json!(""));
        }
    }
    (message.url, shown(&directory.quirks, message.parameters), Value::Object(data))
}

/// Parameters as they are shown: secrets are null.
fn shown(quirks: &Quirks, parameters: impl IntoIterator<Item = (String, String)>) -> Value {
    let respell = |name: String| match name.as_str() {
        "tenantid" if quirks.other_case => "tenantId".to_owned(),
        "serviceprincipalid" if quirks.other_case => "servicePrincipalId".to_owned(),
        _ => name,
    };
    let hide = |(name, value): (String, String)| {
        let is_secret = SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret));
        (respell(name), if is_secret { Value::Null } else { Value::String(value) })
    };
    Value::Object(parameters.into_iter().filter(|(name, _)| name != "idToken").map(hide).collect())
}

fn person(person: &Person) -> Value {
    let mut told = json!({
        "displayName": person.name,
        "url": format!("https://spsprodweu1.vssps.visualstudio.com/_apis/Identities/{}", person.id),
        "_links": { "avatar": { "href": "" } },
        "id": person.id,
        "uniqueName": person.unique_name,
        "imageUrl": "",
        "descriptor": format!("aad.{}", person.id.simple()),
    });
    // Said of these only.
    if person.gone {
        told["inactive"] = true.into();
    }
    told
}

/// A moment as Azure DevOps spells it.
pub(super) fn moment(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).expect("a moment of today's years")
}

/// Parameters that are never returned.
const SECRETS: [&str; 6] = [
    "serviceprincipalkey",
    "servicePrincipalCertificate",
    "password",
    "apitoken",
    "accesstoken",
    "certificate",
];

/// Data entries that the real server was seen to send empty instead of leaving them out.
const EMPTY_VALUES: [&str; 6] =
    ["revertSchemeDeadline", "appObjectId", "spnObjectId", "managementGroupId", "identityType", "isDraft"];

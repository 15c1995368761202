//! Connections made, shared with projects, taken from projects, deleted.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use uuid::{Uuid, uuid};

use crate::services::devops::answers::{exception, no_such_version, refuse_token, success};
use crate::services::devops::callers::{Caller, find_organization, find_project};
use crate::services::devops::changes::{Refusal, argument};
use crate::services::devops::endpoints::{ProjectRequest, connection_json};
use crate::services::devops::versions;
use crate::services::request;
use crate::world::World;
use crate::world::directory::Directory;
use crate::world::directory::devops::{Connection, Organization, Scope};
use crate::world::directory::records::{Lag, Person, SharedWith};

/// What a change is sent with, after token and version were checked.
struct Sent {
    caller: Caller,
    query: Vec<(String, String)>,
    body: Value,
}

async fn sent(world: &World, name: &str, request: Request) -> Result<Sent, Response> {
    let (request, bytes) = request::take_body(request).await;
    let parts = request.into_parts().0;
    let query = request::query(&parts.uri);
    let caller = Caller::of(world, &parts.headers);
    let directory = world.directory();
    let (Some(caller), Some(_)) = (caller, find_organization(&directory, name)) else {
        return Err(refuse_token(&directory.quirks, &parts.headers));
    };
    versions::CONNECTIONS
        .has(&query, &parts.headers)
        .map_err(|version| no_such_version(&directory.quirks, &version))?;
    Ok(Sent { caller, query, body: serde_json::from_slice(&bytes).unwrap_or_default() })
}

fn refused(directory: &Directory, (status, kind, message): &Refusal) -> Response {
    exception(&directory.quirks, *status, kind, message)
}

/// `POST /{organization}/_apis/serviceendpoint/endpoints`
pub(super) async fn make(
    State(world): State<Arc<World>>,
    Path(organization): Path<String>,
    request: Request,
) -> Response {
    let Sent { caller, query, body } = match sent(&world, &organization, request).await {
        Ok(sent) => sent,
        Err(answer) => return answer,
    };
    let now = world.clock.now();
    let mut directory = world.directory();
    let made = made(&directory, find_organization(&directory, &organization), &body);
    let (project, mut connection) = match made {
        Ok(made) => made,
        Err(refusal) => return refused(&directory, &refusal),
    };
    connection.record.created = Some(now);
    connection.record.modified = Some(now);
    connection.record.created_by = Some(creator());
    connection.record.pending = Lag::new(directory.quirks.creation_lag);
    let id = directory.add_connection(project, connection);
    let place = directory.find(id).expect("it was made");
    let asked = ProjectRequest { caller, query, organization: place.organization, project: place.project };
    success(&connection_json(&world, &directory, &asked, (place, &place.connection.name)))
}

/// Who makes connections: a caller here has rights, and no name.
fn creator() -> Person {
    Person {
        id: uuid!("6a3f0c1e-52d7-4b8e-9a44-0d1b7c5e2f90"),
        name: "Noor Bakker".to_owned(),
        unique_name: "noor@contoso.com".to_owned(),
        disabled: false,
        gone: false,
    }
}

fn made(
    directory: &Directory,
    organization: Option<&Organization>,
    body: &Value,
) -> Result<(Uuid, Connection), Refusal> {
    let organization = organization.expect("it was found");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let parameters = &body["authorization"]["parameters"];
    let id = |name: &str| Uuid::try_parse(parameters[name].as_str()?).ok();
    let name = text(&body["name"]);
    let references = body["serviceEndpointProjectReferences"].as_array().cloned().unwrap_or_default();
    let mut projects = Vec::new();
    for reference in &references {
        let project = find_project(organization, &text(&reference["projectReference"]["id"]));
        let project = project.ok_or_else(|| {
            (404, "ProjectDoesNotExistException", "VS800075: The project does not exist.".to_owned())
        })?;
        projects.push((project, text(&reference["name"])));
    }
    let (Some((owner, _)), false) = (projects.first(), name.is_empty()) else {
        return Err(argument("Value cannot be null. (Parameter 'endpoint')"));
    };
    if !body["type"].as_str().unwrap_or_default().eq_ignore_ascii_case("azurerm")
        || body["authorization"]["scheme"] != "WorkloadIdentityFederation"
        || body["data"]["creationMode"] != "Manual"
    {
        return Err(argument("Only manual connections with workload identity federation are emulated."));
    }
    if parameters.get("serviceprincipalkey").is_some() {
        return Err(argument("Parameter serviceprincipalkey is not valid for this scheme."));
    }
    let (Some(tenant), Some(client)) = (id("tenantid"), id("serviceprincipalid")) else {
        return Err(argument("Parameters tenantid and serviceprincipalid are required."));
    };
    let is_there = owner.connections.iter().any(|one| one.name.eq_ignore_ascii_case(&name));
    if directory.quirks.connection_names_are_unique && is_there {
        let message = format!("Service connection with name {name} already exists.");
        return Err((409, "DuplicateServiceConnectionException", message));
    }
    let data = &body["data"];
    let scope = match data["scopeLevel"].as_str() {
        Some("ManagementGroup") => {
            Scope::ManagementGroup(text(&data["managementGroupId"]), text(&data["managementGroupName"]))
        }
        _ => Scope::Subscription(Uuid::try_parse(&text(&data["subscriptionId"])).unwrap_or_default()),
    };
    let made = Connection::federated(&name, directory.quirks.creation_yields, tenant, client, Uuid::nil());
    let mut connection = Connection { scope, custom: false, ..made };
    if let Some(scope) = parameters["scope"].as_str() {
        connection.parameters.insert("scope".to_owned(), scope.to_owned());
    }
    connection.record.description = text(&body["description"]);
    let shared = projects.iter().skip(1);
    connection.record.shared_with =
        shared.map(|(project, name)| SharedWith { project: project.id, name: name.clone() }).collect();
    Ok((owner.id, connection))
}

fn not_found(id: &str) -> Refusal {
    (404, "ServiceEndpointNotFoundException", format!("No service connection found with identifier {id}."))
}

/// `PATCH …/endpoints/{id}`: shares it with the projects of a list.
pub(super) async fn share(
    State(world): State<Arc<World>>,
    Path((organization, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    let Sent { body, .. } = match sent(&world, &organization, request).await {
        Ok(sent) => sent,
        Err(answer) => return answer,
    };
    let mut directory = world.directory();
    let found = Uuid::try_parse(&id).ok().filter(|id| directory.find(*id).is_some());
    let Some(found) = found else { return refused(&directory, &not_found(&id)) };
    if directory.connection(found).record.read_only {
        let refusal =
            (403, "AccessDeniedException", "You must be an administrator of the endpoint.".to_owned());
        return refused(&directory, &refusal);
    }
    for reference in body.as_array().map(Vec::as_slice).unwrap_or_default() {
        let project = reference["projectReference"]["id"].as_str().and_then(|id| Uuid::try_parse(id).ok());
        let Some(project) = project else {
            return refused(&directory, &argument("Value cannot be null. (Parameter 'projectReference')"));
        };
        let name = reference["name"].as_str().unwrap_or_default().to_owned();
        let shared = &mut directory.connection(found).record.shared_with;
        if shared.iter().all(|one| one.project != project) {
            shared.push(SharedWith { project, name });
        }
    }
    success(&Value::Null)
}

/// `DELETE …/endpoints/{id}?projectIds=…`: takes it from projects; from the one that owns it, it is deleted.
pub(super) async fn delete(
    State(world): State<Arc<World>>,
    Path((organization, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    let Sent { query, .. } = match sent(&world, &organization, request).await {
        Ok(sent) => sent,
        Err(answer) => return answer,
    };
    let mut directory = world.directory();
    let projects = request::value_in_any_case(&query, "projectIds").unwrap_or_default();
    let projects: Vec<_> = projects.split(',').filter_map(|id| Uuid::try_parse(id).ok()).collect();
    let found = Uuid::try_parse(&id).ok().and_then(|id| directory.find(id));
    let Some(place) = found else { return refused(&directory, &not_found(&id)) };
    let (id, owner, client) = (place.connection.id, place.project.id, place.connection.client);
    if projects.is_empty() {
        return refused(&directory, &argument("Value cannot be null. (Parameter 'projectIds')"));
    }
    if !projects.contains(&owner) {
        directory.connection(id).record.shared_with.retain(|one| !projects.contains(&one.project));
        return success(&Value::Null);
    }
    let (issuer, subject) = (place.issuer(), place.subject());
    let mut apps = directory.tenants.iter().flat_map(|tenant| &tenant.apps);
    let is_trusted = apps.any(|app| {
        app.client_id == client
            && app.credentials_read().iter().any(|one| one.issuer == issuer && one.subject == subject)
    });
    if is_trusted {
        let message = format!(
            "Cannot delete this service connection while federated credentials for app {client} exist in Entra tenant."
        );
        return refused(&directory, &(400, "ServiceEndpointException", message));
    }
    directory.project(owner).connections.retain(|one| one.id != id);
    success(&json!(null))
}

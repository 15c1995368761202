//! Changes of a service connection: saved, converted, converted back.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::Value;
use time::Duration;
use uuid::Uuid;

use crate::services::devops::answers::{exception, no_such_version, refuse_token, success};
use crate::services::devops::callers::{Caller, find_organization, find_project};
use crate::services::devops::endpoints::{ProjectRequest, connection_json};
use crate::services::devops::versions;
use crate::services::request;
use crate::world::World;
use crate::world::clock::graph_moment;
use crate::world::directory::Directory;
use crate::world::directory::devops::{Connection, Issuer, Place};
use crate::world::directory::entra::FederatedCredential;
use crate::world::directory::quirks::{IssuerMove, Quirks};
use crate::world::directory::records::Lag;
use crate::world::identity::EXCHANGE_AUDIENCE;

/// A refusal: status, type and message.
pub(super) type Refusal = (u16, &'static str, String);

const FEDERATION: &str = "WorkloadIdentityFederation";
const SECRET: &str = "ServicePrincipal";
/// How long a connection can be converted back.
const REVERT_DAYS: i64 = 7;
/// The most federated credentials of an application.
const MAX_CREDENTIALS: usize = 20;

pub(super) async fn put(
    State(world): State<Arc<World>>,
    Path((organization, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    change(&world, &organization, None, &id, request).await
}

pub(super) async fn put_in_project(
    State(world): State<Arc<World>>,
    Path((organization, project, id)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    change(&world, &organization, Some(&project), &id, request).await
}

async fn change(world: &World, name: &str, project: Option<&str>, id: &str, request: Request) -> Response {
    let (request, bytes) = request::take_body(request).await;
    let parts = request.into_parts().0;
    let query = request::query(&parts.uri);
    let caller = Caller::of(world, &parts.headers);
    let mut directory = world.directory();
    let quirks = directory.quirks.clone();
    let (Some(caller), Some(organization)) = (caller, find_organization(&directory, name)) else {
        return refuse_token(&quirks, &parts.headers);
    };
    if let Err(version) = versions::CONNECTIONS.has(&query, &parts.headers) {
        return no_such_version(&quirks, &version);
    }
    // A project that is not there has no connections of its own.
    let here =
        project.map(|project| find_project(organization, project).map_or(Uuid::nil(), |found| found.id));
    let organization = organization.id;
    let sent: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let operation = request::value_in_any_case(&query, "operation");
    if let Err((status, kind, message)) =
        changed(world, &mut directory, (organization, here, id), operation, &sent)
    {
        return exception(&quirks, status, kind, &message);
    }
    let place = Uuid::try_parse(id).ok().and_then(|id| directory.find(id)).expect("it was changed");
    let asked = ProjectRequest { caller, query, organization: place.organization, project: place.project };
    success(&connection_json(world, &directory, &asked, (place, &place.connection.name)))
}

fn changed(
    world: &World,
    directory: &mut Directory,
    (organization, here, id): (Uuid, Option<Uuid>, &str),
    operation: Option<&str>,
    sent: &Value,
) -> Result<(), Refusal> {
    let not_found = || {
        (
            404,
            "ServiceEndpointNotFoundException",
            format!("No service connection found with identifier {id}."),
        )
    };
    let id = Uuid::try_parse(id).map_err(|_error| not_found())?;
    let place =
        directory.find(id).filter(|place| place.organization.id == organization).ok_or_else(not_found)?;
    if here.is_some_and(|here| here != place.project.id) {
        return Err(argument(
            "The service connection is shared with this project; update it in the project that owns it.",
        ));
    }
    if place.connection.record.read_only {
        let message = "The user does not have the permission to manage this service endpoint: you must be an administrator of the endpoint at the organization level.";
        return Err((403, "AccessDeniedException", message.to_owned()));
    }
    let is_same = sent["id"].as_str().and_then(|sent| Uuid::try_parse(sent).ok()) == Some(id);
    if !is_same || sent["serviceEndpointProjectReferences"].as_array().is_none_or(Vec::is_empty) {
        return Err(argument("Value cannot be null. (Parameter 'endpoint')"));
    }
    let before = Connection { stale: None, ..place.connection.clone() };
    let wanted = sent["authorization"]["scheme"].as_str().unwrap_or_default().to_owned();
    match operation {
        None | Some("") => save(directory, id, &wanted, sent)?,
        Some("ConvertAuthenticationScheme") => convert(world, directory, id, &wanted)?,
        Some(other) => return Err(argument(&format!("Unknown operation {other}."))),
    }
    let lag = directory.quirks.conversion_lag;
    let now = world.clock.now();
    let connection = directory.connection(id);
    connection.record.modified = Some(now);
    let is_late = (operation.is_some() || connection.issuer != before.issuer) && lag > 0;
    connection.stale = is_late.then(|| (Lag::new(lag), Box::new(before)));
    Ok(())
}

pub(super) fn argument(message: &str) -> Refusal {
    (400, "ArgumentException", message.to_owned())
}

/// Saves what was sent as it is. To save a connection of the Azure DevOps issuer may move it to that of Entra.
fn save(directory: &mut Directory, id: Uuid, wanted: &str, sent: &Value) -> Result<(), Refusal> {
    let quirks = directory.quirks.clone();
    let connection = directory.connection(id);
    if !wanted.eq_ignore_ascii_case(&connection.scheme) {
        return Err(argument("The authorization scheme cannot be changed by an update."));
    }
    rename(directory, id, sent)?;
    let connection = directory.connection(id);
    if let Some(text) = sent["description"].as_str() {
        text.clone_into(&mut connection.record.description);
    }
    let parameters = &sent["authorization"]["parameters"];
    let parameter = |name: &str| {
        let all = parameters.as_object()?;
        all.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_str())
    };
    if let Some(client) = parameter("serviceprincipalid").and_then(|id| Uuid::try_parse(id).ok()) {
        connection.client = client;
    }
    if let Some(scope) = parameter("scope") {
        connection.parameters.insert("scope".to_owned(), scope.to_owned());
    }
    if let Some(disabled) = sent["isDisabled"].as_bool() {
        connection.disabled = disabled;
    }
    if quirks.null_clears_secret && sent["authorization"]["parameters"]["serviceprincipalkey"].is_null() {
        connection.parameters.remove("serviceprincipalkey");
    }
    let parameter = |name: &str| &sent["authorization"]["parameters"][name];
    let is_moving = match quirks.issuer_moves_by {
        IssuerMove::Save => true,
        IssuerMove::SaveOfType => {
            parameter("workloadIdentityFederationIssuerType") == "EntraID"
                && parameter("workloadIdentityFederationIssuer").is_null()
                && parameter("workloadIdentityFederationSubject").is_null()
        }
        IssuerMove::Operation | IssuerMove::Person => false,
    };
    let is_moved = is_moving && connection.scheme.eq_ignore_ascii_case(FEDERATION);
    if is_moved && connection.issuer == Issuer::DevOps {
        connection.issuer = Issuer::Entra;
    }
    Ok(())
}

/// Gives a connection the names that the references have; the owner's is that of the whole.
fn rename(directory: &mut Directory, id: Uuid, sent: &Value) -> Result<(), Refusal> {
    let place = directory.find(id).expect("it was found");
    let (organization, owner) = (place.organization, place.project.id);
    let mut names: Vec<(Uuid, String)> = Vec::new();
    for reference in sent["serviceEndpointProjectReferences"].as_array().into_iter().flatten() {
        let project = reference["projectReference"]["id"].as_str().and_then(|id| Uuid::try_parse(id).ok());
        if let (Some(project), Some(name)) = (project, reference["name"].as_str()) {
            names.push((project, name.to_owned()));
        }
    }
    for (project, name) in &names {
        let is_taken = organization.projects.iter().any(|one| {
            let own = one.id == *project;
            one.connections.iter().filter(|other| other.id != id).any(|other| {
                let shared = other.record.shared_with.iter().find(|shared| shared.project == *project);
                own && other.name.eq_ignore_ascii_case(name)
                    || shared.is_some_and(|shared| shared.name.eq_ignore_ascii_case(name))
            })
        });
        if directory.quirks.connection_names_are_unique && is_taken {
            let message = format!("Service connection with name {name} already exists.");
            return Err((409, "DuplicateServiceConnectionException", message));
        }
    }
    let connection = directory.connection(id);
    for (project, name) in names {
        if project == owner {
            connection.name = name;
        } else if let Some(shared) =
            connection.record.shared_with.iter_mut().find(|one| one.project == project)
        {
            shared.name = name;
        }
    }
    Ok(())
}

fn convert(world: &World, directory: &mut Directory, id: Uuid, wanted: &str) -> Result<(), Refusal> {
    let quirks = directory.quirks.clone();
    let now = world.clock.now();
    let connection = directory.connection(id);
    let scheme = connection.scheme.clone();
    if wanted.eq_ignore_ascii_case(&scheme) {
        let is_moved = quirks.issuer_moves_by == IssuerMove::Operation && connection.issuer == Issuer::DevOps;
        if is_moved && scheme.eq_ignore_ascii_case(FEDERATION) {
            connection.issuer = Issuer::Entra;
            return Ok(());
        }
        return Err(argument(&format!(
            "Converting authorization scheme from {scheme} to {wanted} is neither an upgrade nor a downgrade and is not supported."
        )));
    }
    if wanted.eq_ignore_ascii_case(FEDERATION) && scheme.eq_ignore_ascii_case(SECRET) {
        to_federation(directory, id, &quirks, now)
    } else if wanted.eq_ignore_ascii_case(SECRET) && scheme.eq_ignore_ascii_case(FEDERATION) {
        to_secret(directory, id, &quirks, now)
    } else {
        Err(argument(&format!("Converting authorization scheme from {scheme} to {wanted} is not supported.")))
    }
}

fn to_federation(
    directory: &mut Directory,
    id: Uuid,
    quirks: &Quirks,
    now: time::OffsetDateTime,
) -> Result<(), Refusal> {
    let place = directory.find(id).expect("it was found");
    if place.connection.environment != "AzureCloud" {
        let message = "Unable to connect to the Azure Stack environment.";
        return Err((400, "ServiceEndpointException", message.to_owned()));
    }
    let of = |issuer: Issuer| {
        let connection = Connection { issuer, ..place.connection.clone() };
        let place = Place { connection: &connection, ..place };
        (place.issuer(), place.subject())
    };
    let (issuer, subject) = of(quirks.conversion_yields);
    let client = place.connection.client;
    let is_automatic = place.connection.data.get("creationMode").is_some_and(|mode| mode == "Automatic");
    let app = directory.app(client);
    let is_trusted =
        app.federated_credentials.iter().any(|one| one.issuer == issuer && one.subject == subject);
    if !is_trusted {
        let is_full = app.federated_credentials.len() >= MAX_CREDENTIALS;
        if !(is_automatic && quirks.conversion_writes_credential) || is_full {
            return Err(argument(
                "The authorization scheme could not be upgraded to WorkloadIdentityFederation because the service principal could not be configured automatically, and no valid configuration exists.",
            ));
        }
        let credential = FederatedCredential {
            name: id.to_string(),
            issuer,
            subject,
            audience: EXCHANGE_AUDIENCE.to_owned(),
        };
        app.register(credential, (quirks.credential_lag, quirks.trust_lag));
    }
    let connection = directory.connection(id);
    connection.record.parameters_before = Some(connection.parameters.clone());
    for name in ["authenticationType", "serviceprincipalkey", "servicePrincipalCertificate"] {
        connection.parameters.remove(name);
    }
    FEDERATION.clone_into(&mut connection.scheme);
    connection.issuer = quirks.conversion_yields;
    if is_automatic || quirks.manual_can_be_reverted {
        let until = graph_moment(now + Duration::days(REVERT_DAYS));
        connection.data.insert("revertSchemeDeadline".to_owned(), until);
    }
    Ok(())
}

fn to_secret(
    directory: &mut Directory,
    id: Uuid,
    quirks: &Quirks,
    now: time::OffsetDateTime,
) -> Result<(), Refusal> {
    let place = directory.find(id).expect("it was found");
    let (issuer, subject) = (place.issuer(), place.subject());
    let deadline = place.connection.data.get("revertSchemeDeadline").cloned().unwrap_or_default();
    if deadline <= graph_moment(now) {
        return Err(argument("The authorization scheme can no longer be reverted."));
    }
    let client = place.connection.client;
    let connection = directory.connection(id);
    let before = connection.record.parameters_before.take();
    let parameters = before.ok_or_else(|| argument("There is no authorization scheme to revert to."))?;
    connection.parameters = parameters;
    connection.data.remove("revertSchemeDeadline");
    SECRET.clone_into(&mut connection.scheme);
    if quirks.revert_removes_credential {
        let app = directory.app(client);
        app.federated_credentials.retain(|one| one.issuer != issuer || one.subject != subject);
    }
    Ok(())
}

//! Applications made once by their unique names, or each time, their owners, their service principals, and applications deleted.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::services::graph::objects::Set;
use crate::services::graph::refusal::Refusal;
use crate::world::World;
use crate::world::directory::Directory;
use crate::world::directory::entra::{App, Kind};
use crate::world::directory::quirks::Quirks;
use crate::world::directory::records::{Lag, Person};

/// The name of `applications(uniqueName='…')`, in which a quotation mark is doubled.
pub(super) fn unique_name(segment: &str) -> Option<String> {
    let name = segment.split_once("(uniqueName='")?.1.strip_suffix("')")?;
    Some(name.replace("''", "'"))
}

pub(super) fn gone(id: &str) -> Refusal {
    let message = format!(
        "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
    );
    (404, "Request_ResourceNotFound", message)
}

/// The answer to a change of an application or service principal itself. None, if it is about something else.
pub(super) fn change(
    world: &World,
    tenant: Uuid,
    (method, path): (&str, &str),
    sent: &Value,
    is_upsert: bool,
) -> Option<Result<(u16, Value), Refusal>> {
    let segments: Vec<_> = path.strip_prefix("/v1.0/")?.split('/').collect();
    match (method, segments.as_slice()) {
        ("POST", ["applications"]) => Some(make(world, tenant, sent)),
        ("PATCH", ["applications", id]) => Some(update(world, tenant, id, sent)),
        ("DELETE", ["applications", id, "owners", owner, "$ref"]) => {
            Some(remove_owner(world, tenant, id, owner))
        }
        ("PATCH", [first]) => {
            let name = unique_name(first)?;
            Some(upsert(world, tenant, &name, sent, is_upsert))
        }
        ("POST", ["servicePrincipals"]) => Some(make_principal(world, tenant, sent)),
        ("DELETE", [first]) if first.starts_with("applications(") => Some(delete(world, tenant, first)),
        ("DELETE", ["applications", id]) => Some(delete(world, tenant, id)),
        ("POST", ["directory", "deletedItems", id, "restore"]) => Some(restore(world, tenant, id)),
        _ => None,
    }
}

fn upsert(
    world: &World,
    tenant: Uuid,
    name: &str,
    sent: &Value,
    is_upsert: bool,
) -> Result<(u16, Value), Refusal> {
    let mut directory = world.directory();
    let is_it = |app: &&mut App| app.record.unique_name.as_deref() == Some(name) && !app.record.deleted;
    if let Some(app) = directory.tenant(tenant).apps.iter_mut().find(is_it) {
        describe(app, sent);
        return Ok((204, Value::Null));
    }
    if !is_upsert {
        return Err(gone(name));
    }
    let mut app = new(&directory.quirks, sent)?;
    app.record.unique_name = Some(name.to_owned());
    let shown = Set::Applications.object(&app);
    directory.tenant(tenant).apps.push(app);
    Ok((201, shown))
}

/// An application of its own for each call.
fn make(world: &World, tenant: Uuid, sent: &Value) -> Result<(u16, Value), Refusal> {
    let mut directory = world.directory();
    let app = new(&directory.quirks, sent)?;
    let shown = Set::Applications.object(&app);
    directory.tenant(tenant).apps.push(app);
    Ok((201, shown))
}

fn new(quirks: &Quirks, sent: &Value) -> Result<App, Refusal> {
    if sent["displayName"].as_str().unwrap_or_default().is_empty() {
        let message = "Property displayName is required.".to_owned();
        return Err((400, "Request_BadRequest", message));
    }
    let mut app = App::new(Uuid::new_v4(), Kind::Application);
    app.multi_tenant = sent["signInAudience"].as_str() != Some("AzureADMyOrg");
    app.record.without_principal = true;
    app.record.unknown = Lag::new(quirks.application_lag);
    app.record.principal_unknown = Lag::new(quirks.principal_lag);
    let bound = sent["owners@odata.bind"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ids = bound.iter().filter_map(|url| Uuid::try_parse(url.as_str()?.rsplit('/').next()?).ok());
    app.record.owners = ids
        .map(|id| Person {
            id,
            name: id.to_string(),
            unique_name: id.to_string(),
            disabled: false,
            gone: false,
        })
        .collect();
    describe(&mut app, sent);
    Ok(app)
}

fn describe(app: &mut App, sent: &Value) {
    if let Some(tags) = sent["tags"].as_array() {
        app.record.tags = tags.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    }
    if let Some(name) = sent["displayName"].as_str() {
        name.clone_into(&mut app.record.name);
    }
}

fn by_object<'a>(directory: &'a mut Directory, tenant: Uuid, id: &str) -> Result<&'a mut App, Refusal> {
    let wanted = Uuid::try_parse(id).ok();
    let is_it = |app: &&mut App| Set::Applications.has(app) && Some(app.application_object()) == wanted;
    let app = directory.tenant(tenant).apps.iter_mut().find(is_it);
    app.filter(|app| !app.record.unknown.take()).ok_or_else(|| gone(id))
}

fn update(world: &World, tenant: Uuid, id: &str, sent: &Value) -> Result<(u16, Value), Refusal> {
    describe(by_object(&mut world.directory(), tenant, id)?, sent);
    Ok((204, Value::Null))
}

fn remove_owner(world: &World, tenant: Uuid, id: &str, owner: &str) -> Result<(u16, Value), Refusal> {
    let mut directory = world.directory();
    let owners = &mut by_object(&mut directory, tenant, id)?.record.owners;
    let wanted = Uuid::try_parse(owner).ok();
    let at = owners.iter().position(|one| Some(one.id) == wanted).ok_or_else(|| gone(owner))?;
    owners.remove(at);
    Ok((204, Value::Null))
}

fn make_principal(world: &World, tenant: Uuid, sent: &Value) -> Result<(u16, Value), Refusal> {
    let mut directory = world.directory();
    let id = sent["appId"].as_str().unwrap_or_default().to_owned();
    let wanted = Uuid::try_parse(&id).ok();
    let is_it = |app: &&mut App| Some(app.client_id) == wanted && app.kind == Kind::Application;
    let app = directory.tenant(tenant).apps.iter_mut().find(is_it);
    let Some(app) = app.filter(|app| !app.record.deleted && !app.record.unknown.take()) else {
        let message = format!(
            "The appId '{id}' of the service principal does not reference a valid application object."
        );
        return Err((400, "Request_BadRequest", message));
    };
    if !app.record.without_principal {
        let message = "The service principal cannot be created, updated, or restored because the service principal name is already in use.";
        return Err((409, "Request_MultipleObjectsWithSameKeyValue", message.to_owned()));
    }
    app.record.without_principal = false;
    Ok((201, Set::ServicePrincipals.object(app)))
}

fn delete(world: &World, tenant: Uuid, id: &str) -> Result<(u16, Value), Refusal> {
    let mut directory = world.directory();
    let unique = unique_name(id);
    let client = id.split_once("(appId='").and_then(|(_, rest)| rest.strip_suffix("')"));
    let wanted = Uuid::try_parse(client.unwrap_or(id)).ok();
    let is_it = |app: &&mut App| match &unique {
        Some(_) => app.record.unique_name == unique,
        None if client.is_some() => Some(app.client_id) == wanted,
        None => Some(app.application_object()) == wanted,
    };
    let mut apps = directory.tenant(tenant).apps.iter_mut().filter(|app| !app.record.deleted);
    let app = apps.find(is_it).ok_or_else(|| gone(id))?;
    app.record.deleted = true;
    Ok((204, json!(null)))
}

/// Takes an application out of the bin, with its service principal.
fn restore(world: &World, tenant: Uuid, id: &str) -> Result<(u16, Value), Refusal> {
    let mut directory = world.directory();
    let wanted = Uuid::try_parse(id).ok();
    let mut apps = directory.tenant(tenant).apps.iter_mut().filter(|app| Set::DeletedApplications.has(app));
    let app = apps.find(|app| Some(app.application_object()) == wanted).ok_or_else(|| gone(id))?;
    app.record.deleted = false;
    Ok((200, Set::Applications.object(app)))
}

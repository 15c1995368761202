//! Changes of federated credentials: made or changed by name, made, deleted.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::services::answer::{json_answer, set_header};
use crate::services::graph::applications::{self, gone};
use crate::services::graph::objects::Set;
use crate::services::graph::refusal::Refusal;
use crate::services::graph::{authorize_as, not_found, refusal_body};
use crate::services::request::{self, decode_pairs};
use crate::world::World;
use crate::world::directory::entra::{App, FederatedCredential};

/// The most federated credentials of an application.
const MAX_CREDENTIALS: usize = 20;

pub(super) async fn change(world: &Arc<World>, request: Request) -> Response {
    let (request, bytes) = request::take_body(request).await;
    let parts = request.into_parts().0;
    let decoded = decode_pairs(format!("path={}", parts.uri.path().replace('+', "%2B")).as_bytes());
    let path = decoded.into_iter().next().map(|(_, path)| path).unwrap_or_default();
    let prefer = parts.headers.get("prefer").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_upsert = prefer.split(',').any(|one| one.trim().eq_ignore_ascii_case("create-if-missing"));
    let sent: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let answer = authorize_as(world, &parts.headers, |app| app.writes_applications)
        .and_then(|tenant| answer(world, tenant, (parts.method.as_str(), &path), &sent, is_upsert));
    let mut answer = match answer {
        Ok((status, Value::Null)) => {
            let mut answer = Response::new(Body::empty());
            *answer.status_mut() =
                axum::http::StatusCode::from_u16(status).expect("a status has three digits");
            answer
        }
        Ok((status, value)) => json_answer(status, &value),
        Err(refusal) => json_answer(refusal.0, &refusal_body(&refusal)),
    };
    set_header(answer.headers_mut(), "request-id", &Uuid::new_v4().to_string());
    answer
}

fn answer(
    world: &World,
    tenant: Uuid,
    (method, path): (&str, &str),
    sent: &Value,
    is_upsert: bool,
) -> Result<(u16, Value), Refusal> {
    if let Some(answer) = applications::change(world, tenant, (method, path), sent, is_upsert) {
        return answer;
    }
    let mut directory = world.directory();
    let lags = (directory.quirks.credential_lag, directory.quirks.trust_lag);
    let deletion_lag = directory.quirks.deletion_lag;
    let path = path.strip_prefix("/v1.0/applications").ok_or_else(not_found)?;
    let (application, list) = path.trim_start_matches('/').split_once('/').ok_or_else(not_found)?;
    let by_client = application.strip_prefix("(appId='").and_then(|rest| rest.strip_suffix("')"));
    let wanted = Uuid::try_parse(by_client.unwrap_or(application)).ok();
    let is_it = |app: &&mut App| {
        let id = if by_client.is_some() { app.client_id } else { app.application_object() };
        Set::Applications.has(app) && Some(id) == wanted
    };
    let apps = directory.tenant(tenant).apps.iter_mut();
    let app = apps.into_iter().find(is_it).filter(|app| !app.record.unknown.take());
    let app = app.ok_or_else(|| gone(application))?;
    let list = list.strip_prefix("federatedIdentityCredentials").ok_or_else(not_found)?;
    let name = list.strip_prefix("(name='").and_then(|rest| rest.strip_suffix("')"));
    match (method, name) {
        ("PATCH", Some(name)) => {
            let is_there = app.federated_credentials.iter().any(|one| one.name == name);
            if !is_there && !is_upsert {
                return Err(gone(name));
            }
            let credential = checked(app, name, sent)?;
            app.register(credential.clone(), lags);
            if is_there { Ok((204, Value::Null)) } else { Ok((201, shown(app, &credential))) }
        }
        ("POST", None) if list.is_empty() => {
            let name = sent["name"].as_str().unwrap_or_default();
            if app.federated_credentials.iter().any(|one| one.name == name) {
                let message = format!("FederatedIdentityCredential with name {name} already exists.");
                return Err((409, "Request_MultipleObjectsWithSameKeyValue", message));
            }
            let credential = checked(app, name, sent)?;
            app.register(credential.clone(), lags);
            Ok((201, shown(app, &credential)))
        }
        ("PATCH", None) => {
            let found = find(app, list.trim_start_matches('/'))?.clone();
            if sent["name"].as_str().is_some_and(|name| name != found.name) {
                return Err((400, "Request_BadRequest", "Property 'name' cannot be changed.".to_owned()));
            }
            let mut whole = shown(app, &found);
            if let (Some(whole), Some(sent)) = (whole.as_object_mut(), sent.as_object()) {
                whole.extend(sent.clone());
            }
            let credential = checked(app, &found.name, &whole)?;
            app.register(credential, lags);
            Ok((204, Value::Null))
        }
        ("DELETE", _) => {
            let key = name.unwrap_or_else(|| list.trim_start_matches('/'));
            let name = find(app, key)?.name.clone();
            app.unregister(&name, deletion_lag);
            Ok((204, Value::Null))
        }
        _ => Err((405, "Request_BadRequest", "Specified HTTP method is not allowed.".to_owned())),
    }
}

/// A federated credential by its name or id.
fn find<'a>(app: &'a App, key: &str) -> Result<&'a FederatedCredential, Refusal> {
    let is_it = |one: &&FederatedCredential| {
        one.name == key || app.credential_id(&one.name).to_string().eq_ignore_ascii_case(key)
    };
    app.federated_credentials.iter().find(is_it).ok_or_else(|| gone(key))
}

fn shown(app: &App, one: &FederatedCredential) -> Value {
    json!({
        "id": app.credential_id(&one.name), "name": one.name, "issuer": one.issuer, "subject": one.subject,
        "description": null, "audiences": [one.audience],
    })
}

/// The credential that is sent, if an application may have it.
fn checked(app: &App, name: &str, sent: &Value) -> Result<FederatedCredential, Refusal> {
    let bad = |message: String| (400, "Request_BadRequest", message);
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !(3..=120).contains(&name.len()) || !name.chars().all(is_name) {
        return Err(bad(format!("FederatedIdentityCredential name '{name}' is invalid.")));
    }
    let text = |field: &str| {
        let text = sent[field].as_str().unwrap_or_default();
        if text.is_empty() || text.len() > 600 {
            return Err(bad(format!("Property '{field}' is empty or has more than 600 characters.")));
        }
        Ok(text.to_owned())
    };
    let (issuer, subject) = (text("issuer")?, text("subject")?);
    let audiences = sent["audiences"].as_array().map(Vec::as_slice).unwrap_or_default();
    let [audience] = audiences else {
        return Err(bad("FederatedIdentityCredential must have exactly one audience.".to_owned()));
    };
    let others = || app.federated_credentials.iter().filter(|one| one.name != name);
    if others().any(|one| one.issuer == issuer && one.subject == subject) {
        return Err(bad(format!(
            "FederatedIdentityCredential with issuer {issuer} and subject {subject} already exists."
        )));
    }
    if others().count() >= MAX_CREDENTIALS {
        return Err(bad("Application object can have at most 20 federated identity credentials.".to_owned()));
    }
    let audience = audience.as_str().unwrap_or_default().to_owned();
    Ok(FederatedCredential { name: name.to_owned(), issuer, subject, audience })
}

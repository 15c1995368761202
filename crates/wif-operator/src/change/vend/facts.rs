//! The facts by which it is found out whether the world has changed since the plan of a request was made.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    asked::Asked,
    guards::{allowed, is_open},
    known::projects_of,
    look::{self, Found, Identity},
};
use crate::change::{
    digest::hex,
    observe,
    plan::{Facts, IdentityFacts},
    service::{CallError, Services},
};

/// Reads everything that the steps of a request follow from: the connection itself, and a digest of the rest.
///
/// # Errors
///
/// Something cannot be read.
pub async fn facts(services: &Services, asked: &Asked, known: Uuid) -> Result<Facts, CallError> {
    let (mut facts, raw) = match look::connection(services, asked, known).await? {
        Found::There(raw) => (observe::facts(&raw, IdentityFacts::default()), Some(raw)),
        Found::Absent => (Facts::default(), None),
        Found::Foreign => (Facts { scheme: Some("of another".to_owned()), ..Facts::default() }, None),
    };
    facts.identity.resource = asked.resource();
    let identity = look::identity(services, &asked.request.identity, &asked.key).await?;
    let of_identity = match &identity {
        Some(identity) => of_identity(services, asked, identity).await?,
        None => Value::Null,
    };
    let of_connection = match &raw {
        Some(raw) => of_connection(services, asked, raw).await?,
        None => Value::Null,
    };
    facts.around = Some(hex(json!([of_identity, of_connection]).to_string().as_bytes()));
    Ok(facts)
}

/// The identity; of one that was made for the request its roles and credentials, too. Another one may serve several requests of
/// a plan, which change these.
async fn of_identity(services: &Services, asked: &Asked, identity: &Identity) -> Result<Value, CallError> {
    let own = json!([identity.client, identity.principal, identity.is_own]);
    if !identity.is_own {
        return Ok(own);
    }
    let mut credentials = look::credentials(services, &identity.holder).await?;
    credentials.sort();
    let mut roles = Vec::new();
    for one in &asked.request.access {
        let Some(principal) = identity.principal else { break };
        let all = services.role_assignments(&one.scope, principal).await?;
        roles.extend(all.iter().filter_map(|role| Some(role.get("id")?.as_str()?.to_lowercase())));
    }
    roles.sort();
    roles.dedup();
    Ok(json!([own, credentials, roles]))
}

/// Who may use the connection, and its checks.
async fn of_connection(services: &Services, asked: &Asked, raw: &Value) -> Result<Value, CallError> {
    let Some(id) = look::id(raw, "id") else { return Ok(Value::Null) };
    let mut permissions = Vec::new();
    for project in projects_of(raw) {
        let now = services.permissions(project.id, id).await?;
        let mut pipelines = allowed(&now);
        pipelines.sort_unstable();
        permissions.push(json!([project.id, is_open(&now), pipelines]));
    }
    permissions.sort_by_key(Value::to_string);
    let checks = services.checks(asked.owner(), id).await?;
    let part = |check: &Value, name: &str| check.get(name).cloned().unwrap_or_default();
    let mut checks: Vec<_> = checks
        .iter()
        .map(|check| json!(["id", "type", "settings", "isDisabled"].map(|name| part(check, name))))
        .collect();
    checks.sort_by_key(Value::to_string);
    Ok(json!([permissions, checks]))
}

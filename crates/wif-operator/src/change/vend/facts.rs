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
    project::PlannedProject,
    service::{CallError, Services},
};

/// What the steps of a request follow from.
pub struct Looked {
    /// The connection, and a digest of the rest.
    pub facts: Facts,
    /// The connection, if it is there.
    pub raw: Option<Value>,
    /// The identity, if it is there.
    pub identity: Option<Identity>,
    /// The pipeline permissions of each of its projects.
    pub permissions: Vec<(PlannedProject, Value)>,
    /// Its checks.
    pub checks: Vec<Value>,
}

/// The facts alone.
///
/// # Errors
///
/// Something cannot be read.
pub async fn facts(services: &Services, asked: &Asked, known: Uuid) -> Result<Facts, CallError> {
    Ok(look_at(services, asked, known).await?.facts)
}

/// Reads what the steps of a request follow from.
///
/// # Errors
///
/// Something cannot be read.
pub async fn look_at(services: &Services, asked: &Asked, known: Uuid) -> Result<Looked, CallError> {
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
    let (mut permissions, mut checks, mut of_connection) = (Vec::new(), Vec::new(), Value::Null);
    if let Some((raw, id)) = raw.as_ref().and_then(|raw| Some((raw, look::id(raw, "id")?))) {
        for project in projects_of(raw) {
            let now = services.permissions(project.id, id).await?;
            permissions.push((project, now));
        }
        checks = services.checks(asked.owner(), id).await?;
        of_connection = digested(&permissions, &checks);
    }
    facts.around = Some(hex(json!([of_identity, of_connection]).to_string().as_bytes()));
    Ok(Looked { facts, raw, identity, permissions, checks })
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

/// Who may use the connection, and its checks, as far as they decide.
fn digested(permissions: &[(PlannedProject, Value)], checks: &[Value]) -> Value {
    let of_project = |(project, now): &(PlannedProject, Value)| {
        let mut pipelines = allowed(now);
        pipelines.sort_unstable();
        json!([project.id, is_open(now), pipelines])
    };
    let part = |check: &Value, name: &str| check.get(name).cloned().unwrap_or_default();
    let of_check =
        |check: &Value| json!(["id", "type", "settings", "isDisabled"].map(|name| part(check, name)));
    let mut permissions: Vec<_> = permissions.iter().map(of_project).collect();
    permissions.sort_by_key(Value::to_string);
    let mut checks: Vec<_> = checks.iter().map(of_check).collect();
    checks.sort_by_key(Value::to_string);
    json!([permissions, checks])
}

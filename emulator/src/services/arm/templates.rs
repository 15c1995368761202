//! Deployments of JSON templates to a resource group: they are validated, compared with the last deployment (what-if),
//! and made by an asynchronous operation that the caller polls. Validation and comparison are answered at once.
//!
//! Expressions in a template are not evaluated, and no resource is made. Source: "Deployments" of the
//! REST API, "Track asynchronous Azure operations".

use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::services::arm::refusal::Refusal;
use crate::world::directory::Directory;
use crate::world::directory::deployment::Deployment;

/// An answer about a deployment.
pub(super) struct DeploymentAnswer {
    pub(super) status: u16,
    pub(super) body: Value,
    /// Where to poll for the state of the operation: a header's name, and a path.
    pub(super) poll: Option<(&'static str, String)>,
}

/// The deployment that a path names.
pub(super) struct DeploymentName {
    pub(super) subscription: Uuid,
    pub(super) group: String,
    pub(super) name: String,
}

impl DeploymentName {
    /// The id of the deployment, which is its path too.
    fn id(&self) -> String {
        let Self { subscription, group, name } = self;
        format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Resources/deployments/{name}"
        )
    }

    fn is(&self, other: &Deployment) -> bool {
        (self.subscription, self.name.as_str()) == (other.subscription, other.name.as_str())
            && self.group.eq_ignore_ascii_case(&other.group)
    }
}

/// `PUT`, `GET` and `HEAD` of a deployment.
pub(super) fn deployment(
    directory: &mut Directory,
    named: &DeploymentName,
    method: &Method,
    body: &Value,
    now: i64,
) -> Result<DeploymentAnswer, Refusal> {
    if method != Method::PUT {
        let known = directory.deployments.iter().find(|one| named.is(one)).ok_or_else(|| missing(named))?;
        return Ok(done(200, object(named, known, now)));
    }
    let resources = resources(body)?;
    let operation = operation(named);
    let was_there = directory.deployments.iter().any(|one| named.is(one));
    directory.deployments.retain(|one| !named.is(one));
    let made = Deployment {
        subscription: named.subscription,
        group: named.group.clone(),
        name: named.name.clone(),
        resources,
        done: now + directory.deployment_seconds,
    };
    let status = if was_there { 200 } else { 201 };
    let body = object(named, &made, now);
    directory.deployments.push(made);
    Ok(DeploymentAnswer { poll: Some(("azure-asyncoperation", operation)), ..done(status, body) })
}

/// `POST` of `validate` and `whatIf`.
pub(super) fn action(
    directory: &Directory,
    named: &DeploymentName,
    action: &str,
    body: &Value,
) -> Result<DeploymentAnswer, Refusal> {
    let resources = resources(body)?;
    match action {
        "validate" => {
            let properties = json!({ "mode": "Incremental", "provisioningState": "Succeeded" });
            Ok(done(
                200,
                json!({ "id": named.id(), "name": named.name, "type": DEPLOYMENT_TYPE, "properties": properties }),
            ))
        }
        "whatif" => {
            let before: Vec<_> = directory
                .deployments
                .iter()
                .filter(|one| named.is(one))
                .flat_map(|one| &one.resources)
                .collect();
            let changes: Vec<_> = resources.iter().map(|resource| change(named, &before, resource)).collect();
            Ok(done(200, json!({ "status": "Succeeded", "properties": { "changes": changes } })))
        }
        _ => Err(Refusal::no_such_path()),
    }
}

/// `GET` of the state of the operation that makes a deployment.
pub(super) fn state(
    directory: &Directory,
    named: &DeploymentName,
    now: i64,
) -> Result<DeploymentAnswer, Refusal> {
    let known = directory.deployments.iter().find(|one| named.is(one)).ok_or_else(|| missing(named))?;
    let status = if known.done <= now { "Succeeded" } else { "Running" };
    Ok(DeploymentAnswer {
        poll: (known.done > now).then(|| ("azure-asyncoperation", operation(named))),
        ..done(200, json!({ "status": status }))
    })
}

fn done(status: u16, body: Value) -> DeploymentAnswer {
    DeploymentAnswer { status, body, poll: None }
}

fn operation(named: &DeploymentName) -> String {
    format!("{}/operationStatuses/{}", named.id(), Uuid::new_v4().simple())
}

fn object(named: &DeploymentName, known: &Deployment, now: i64) -> Value {
    let state = if known.done <= now { "Succeeded" } else { "Running" };
    let outputs: Vec<_> =
        known.resources.iter().map(|resource| json!({ "id": id(named, resource) })).collect();
    json!({
        "id": named.id(), "name": named.name, "type": DEPLOYMENT_TYPE,
        "properties": { "mode": "Incremental", "provisioningState": state, "outputResources": outputs },
    })
}

fn change(named: &DeploymentName, before: &[&Value], resource: &Value) -> Value {
    let same = |one: &&&Value| one["type"] == resource["type"] && one["name"] == resource["name"];
    let (kind, before) = match before.iter().find(same) {
        None => ("Create", Value::Null),
        Some(before) if *before == resource => ("NoChange", resource.clone()),
        Some(before) => ("Modify", (*before).clone()),
    };
    json!({ "resourceId": id(named, resource), "changeType": kind, "before": before, "after": resource })
}

fn id(named: &DeploymentName, resource: &Value) -> String {
    let text = |field: &str| resource[field].as_str().unwrap_or_default();
    let DeploymentName { subscription, group, .. } = named;
    format!(
        "/subscriptions/{subscription}/resourceGroups/{group}/providers/{}/{}",
        text("type"),
        text("name")
    )
}

fn resources(body: &Value) -> Result<Vec<Value>, Refusal> {
    let resources = body["properties"]["template"]["resources"].as_array();
    resources.cloned().ok_or_else(Refusal::no_template)
}

fn missing(named: &DeploymentName) -> Refusal {
    Refusal::no_deployment(&named.name)
}

const DEPLOYMENT_TYPE: &str = "Microsoft.Resources/deployments";

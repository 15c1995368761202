//! Resources of any type, where a test says that there are some: read, listed, made, changed and deleted, at once, as the
//! resource manager does it for every type. Nothing is checked of what is sent.
//!
//! Source: "Azure Resource Manager resource provider contract", the methods of tracked and proxy resources.

use axum::body::Body;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};

use crate::services::answer::answer_of_type;
use crate::services::arm::answer::answered;
use crate::services::arm::checks;
use crate::services::arm::refusal::Refusal;
use crate::services::request;
use crate::world::World;
use crate::world::directory::Resource;

/// Answers a request for what no other service of the resource manager has.
pub(super) async fn answer(world: &World, request: Request) -> Response {
    let (request, sent) = request::take_body(request).await;
    let method = request.method().clone();
    let path = request.uri().path().trim_end_matches('/').to_owned();
    let answer = checks::authenticate(world, request).and_then(|caller| {
        let mut directory = world.directory();
        // What a provider has for everybody is in no subscription.
        if !path.starts_with("/providers/") {
            let subscription = path.split('/').nth(2).unwrap_or_default();
            checks::authorize(&directory, &caller, subscription, &format!("{method} {path}"))?;
        }
        let sent = serde_json::from_slice(&sent).unwrap_or_default();
        answer_of(&mut directory.resources, &method, &path, sent)
    });
    // What is not JSON is given as a text: the profiles of a web app are XML.
    if let Ok((status, Value::String(text))) = answer {
        return answer_of_type(status, "application/xml", text);
    }
    if matches!(answer, Ok((204, _))) {
        return answer_of_type(204, "application/json", Body::empty());
    }
    answered(world, answer.map(|(_ok, body)| body))
}

/// What the resource at this path answers as it is now, where a test gave one.
pub(super) fn given(resources: &[Resource], path: &str) -> Option<Value> {
    resources.iter().find(|one| one.is_at(path)).map(|one| shown(path, one.now()))
}

/// The status and the body.
fn answer_of(
    resources: &mut Vec<Resource>,
    method: &Method,
    path: &str,
    sent: Value,
) -> Result<(u16, Value), Refusal> {
    let known = resources.iter().position(|one| one.is_at(path));
    let not_found = || Refusal::new(404, "ResourceNotFound", format!("The Resource '{path}' was not found."));
    match (method.as_str(), known) {
        ("GET", Some(at)) => Ok((200, shown(path, resources[at].next()))),
        ("GET", None) if is_collection(path) => Ok((200, json!({ "value": list(resources, path) }))),
        ("HEAD", Some(_)) | ("DELETE", None) => Ok((204, Value::Null)),
        // An action answers what was given, without a name of its own.
        ("POST", Some(at)) => Ok((200, resources[at].next())),
        // What is made of it goes its own way, whatever is sent.
        ("PUT", Some(at)) if resources[at].changes() => Ok((200, shown(path, resources[at].next()))),
        ("PUT", None) => {
            let mut made = json!({ "properties": { "provisioningState": "Succeeded" } });
            merge(&mut made, sent);
            resources.push(Resource::new(path, made.clone()));
            // Of the answers that it may be, all clients take this one.
            Ok((200, shown(path, made)))
        }
        // What is not sent stays: a provider has fields of its own.
        ("PUT" | "PATCH", Some(at)) => {
            let mut changed = resources[at].now();
            merge(&mut changed, sent);
            resources[at] = Resource::new(path, changed.clone());
            Ok((200, shown(path, changed)))
        }
        ("DELETE", Some(at)) => {
            resources.remove(at);
            Ok((200, Value::Null))
        }
        _ => Err(not_found()),
    }
}

/// Whether a path ends with a type, and not with a name: types and names take turns behind the provider's namespace.
fn is_collection(path: &str) -> bool {
    path.rsplit_once("/providers/").is_some_and(|(_scope, own)| own.split('/').count() % 2 == 0)
}

/// The resources of a collection: those right below its path, and for a collection of a subscription those in its groups too.
fn list(resources: &[Resource], path: &str) -> Vec<Value> {
    let lower = path.to_lowercase();
    let (scope, kind) = lower.split_once("/providers/").unwrap_or((&lower, ""));
    let is_meant = |one: &&Resource| {
        let own = one.path.to_lowercase();
        let Some((own_scope, own_kind)) = own.split_once("/providers/") else { return false };
        let is_below = own_kind.rsplit_once('/').is_some_and(|(collection, _name)| collection == kind);
        let in_scope = own_scope == scope
            || own_scope.strip_prefix(scope).is_some_and(|rest| rest.starts_with("/resourcegroups/"));
        is_below && in_scope
    };
    resources.iter().filter(is_meant).map(|one| shown(&one.path, one.now())).collect()
}

/// A resource with its id, its name and its type, unless it says another.
fn shown(path: &str, answer: Value) -> Value {
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut shown = json!({ "id": path, "name": name, "type": kind(path) });
    merge(&mut shown, answer);
    shown
}

/// `Microsoft.Web/sites/config` of `…/providers/Microsoft.Web/sites/NAME/config/web`.
fn kind(path: &str) -> String {
    let Some((_scope, own)) = path.rsplit_once("/providers/") else {
        return "Microsoft.Resources/resourceGroups".to_owned();
    };
    let mut words = own.split('/');
    let namespace = words.next().unwrap_or_default();
    let types: Vec<_> = words.step_by(2).collect();
    format!("{namespace}/{}", types.join("/"))
}

/// Puts fields into an object, and the fields of its `properties` into those that it has.
fn merge(into: &mut Value, fields: Value) {
    let (Value::Object(into), Value::Object(fields)) = (into, fields) else { return };
    for (name, value) in fields {
        match (into.get_mut(&name), value) {
            (Some(Value::Object(own)), Value::Object(new)) if name == "properties" => {
                own.extend(new);
            }
            (_, value) => {
                into.insert(name, value);
            }
        }
    }
}

//! The keys of an AWS role, in plain HTTP as the real services: of a container (ECS, EKS Pod Identity), and of a machine (the
//! instance metadata service, version 2). Both give the keys that requests are signed with.
//!
//! Source: AWS SDKs and Tools Reference Guide, "Container credential provider"; Amazon EC2 User Guide, "Use the Instance
//! Metadata Service".

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, put};
use serde_json::json;

use super::Shared;
use crate::services::answer::{answer_of_type, json_answer};
use crate::world::World;
use crate::world::issued::IssuedKind;

/// The role's name.
const ROLE: &str = "deploy";
/// What the machine's service gives for a request by `PUT`, and demands of every other.
const SESSION: &str = "AQAEAEmulatedSessionOfInstanceMetadata==";

pub(crate) fn router(world: Arc<World>) -> Router {
    let folder = "/latest/meta-data/iam/security-credentials/";
    Router::new()
        .route("/aws/container/keys", get(of_container))
        .route("/latest/api/token", put(session))
        .route(folder, get(role))
        .route(&format!("{folder}{{role}}"), get(of_machine))
        .with_state(world)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn keys(world: &World) -> Response {
    let [id, secret, token] = world.directory().sources.aws_key.clone();
    for text in [&secret, &token] {
        world.record_issued(IssuedKind::SourceCredential, text);
    }
    json_answer(200, &json!({ "AccessKeyId": id, "SecretAccessKey": secret, "Token": token }))
}

async fn of_container(State(world): Shared, headers: HeaderMap) -> Response {
    let credential = world.directory().sources.credential.clone();
    if header(&headers, "authorization") != Some(&credential) {
        return json_answer(401, &json!({ "code": "InvalidAuthorizationToken" }));
    }
    keys(&world)
}

async fn session(request: Request) -> Response {
    let seconds = header(request.headers(), "x-aws-ec2-metadata-token-ttl-seconds");
    let seconds: Option<u32> = seconds.and_then(|text| text.parse().ok());
    match seconds {
        Some(1..=21600) => answer_of_type(200, "text/plain", SESSION),
        _ => answer_of_type(400, "text/html", "Bad Request"),
    }
}

fn has_session(headers: &HeaderMap) -> bool {
    header(headers, "x-aws-ec2-metadata-token") == Some(SESSION)
}

async fn role(headers: HeaderMap) -> Response {
    if has_session(&headers) {
        answer_of_type(200, "text/plain", ROLE)
    } else {
        answer_of_type(401, "text/html", "Unauthorized")
    }
}

async fn of_machine(State(world): Shared, Path(role): Path<String>, headers: HeaderMap) -> Response {
    match (has_session(&headers), &*role) {
        (false, _) => answer_of_type(401, "text/html", "Unauthorized"),
        (true, ROLE) => keys(&world),
        (true, _) => answer_of_type(404, "text/html", "Not Found"),
    }
}

//! GitHub's endpoint for id tokens, and Buildkite's.

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::{Shared, id_token, lifetime};
use crate::services::answer::json_answer;
use crate::services::{bearer, request};
use crate::world::directory::sources::SourceIssuer;

/// The job's id at Buildkite.
pub(super) const BUILDKITE_JOB: &str = "01890f4e-0000-4000-8000-5b6c7d8e9f01";

/// Source: actions/toolkit, `packages/core/src/oidc-utils.ts`.
pub(super) async fn github(State(world): Shared, request: Request) -> Response {
    let sources = world.directory().sources.clone();
    if bearer::token(request.headers()) != Some(&*sources.credential) {
        return json_answer(401, &json!({ "message": "Unauthorized" }));
    }
    if !sources.is_permitted {
        return json_answer(403, &json!({ "message": "The job has no permission id-token: write" }));
    }
    let query = request::query(request.uri());
    if request::value(&query, "api-version").is_none() {
        return json_answer(
            400,
            &json!({ "message": "The query of the address is not the one that was given" }),
        );
    }
    let audience = request::value(&query, "audience").unwrap_or("https://github.com/contoso");
    let token = id_token(&world, SourceIssuer::GitHub, audience, lifetime(&world));
    json_answer(200, &json!({ "count": token.len(), "value": token }))
}

/// Source: buildkite/agent, `api/oidc.go`.
pub(super) async fn buildkite(State(world): Shared, Path(job): Path<String>, request: Request) -> Response {
    let sources = world.directory().sources.clone();
    let (parts, body) = request.into_parts();
    let sent = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
    if sent != Some(&*format!("Token {}", sources.credential)) {
        return json_answer(401, &json!({ "message": "Unauthorized" }));
    }
    if job != BUILDKITE_JOB {
        return json_answer(404, &json!({ "message": "No job found" }));
    }
    let body = axum::body::to_bytes(body, 64 * 1024).await.unwrap_or_default();
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        return json_answer(400, &json!({ "message": "Invalid JSON" }));
    };
    match body["subject_claim"].as_str() {
        Some("pipeline_id") => {}
        Some(other) => {
            return json_answer(422, &json!({ "message": format!("{other} is not a valid subject claim") }));
        }
        // The usual subject has the commit in it.
        None => {
            let subject = "organization:contoso:pipeline:platform:ref:refs/heads/main:commit:abc:step:deploy";
            let change = (SourceIssuer::Buildkite, subject.to_owned());
            world.directory().sources.subjects.push(change);
        }
    }
    let audience = body["audience"].as_str().unwrap_or("https://buildkite.com/contoso");
    json_answer(
        201,
        &json!({ "token": id_token(&world, SourceIssuer::Buildkite, audience, lifetime(&world)) }),
    )
}

//! The API of a cluster: `TokenRequest` for a service account, by that account itself.
//!
//! Source: Kubernetes API, `authentication.k8s.io/v1`, `TokenRequest`.

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::{Shared, id_token};
use crate::services::answer::json_answer;
use crate::services::bearer;
use crate::world::directory::sources::SourceIssuer;
use crate::world::keys;

/// What the usual token of a service account is for.
const API_AUDIENCE: &str = "https://kubernetes.default.svc.cluster.local";

pub(super) async fn token_request(
    State(world): Shared,
    Path((namespace, account)): Path<(String, String)>,
    request: Request,
) -> Response {
    let refused = |status: u16, reason: &str, message: String| {
        let body = json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "reason": reason, "message": message,
        });
        json_answer(status, &body)
    };
    let (parts, body) = request.into_parts();
    let claims = bearer::token(&parts.headers).and_then(|token| keys::sources().verify(token));
    let now = world.clock.epoch();
    let claims = claims.filter(|claims| claims["exp"].as_i64().is_some_and(|end| end > now));
    let claims = claims.filter(|claims| claims["aud"] == API_AUDIENCE);
    let Some(claims) = claims else { return refused(401, "Unauthorized", "Unauthorized".to_owned()) };
    let own = format!("system:serviceaccount:{namespace}:{account}");
    let is_permitted = world.directory().sources.is_permitted;
    if !is_permitted || claims["sub"] != own.as_str() {
        let user = claims["sub"].as_str().unwrap_or_default();
        return refused(
            403,
            "Forbidden",
            format!(
                "serviceaccounts \"{account}\" is forbidden: User \"{user}\" cannot create resource \"serviceaccounts/token\" in API group \"\" in the namespace \"{namespace}\""
            ),
        );
    }
    let body = axum::body::to_bytes(body, 64 * 1024).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let seconds = body["spec"]["expirationSeconds"].as_i64().unwrap_or(3600);
    let Some(audience) =
        body["spec"]["audiences"][0].as_str().filter(|_| seconds >= 600 && body["kind"] == "TokenRequest")
    else {
        return refused(422, "Invalid", "TokenRequest is invalid: spec.expirationSeconds: may not specify a duration less than 10 minutes".to_owned());
    };
    let token = id_token(&world, SourceIssuer::Kubernetes, audience, seconds);
    json_answer(
        201,
        &json!({ "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "status": { "token": token } }),
    )
}

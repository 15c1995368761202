//! Entra over HTTP: discovery documents, keys, and the token endpoint.

mod certificate;
mod checks;
mod error_table;
mod errors;
mod federated;
pub(crate) mod grant;
pub(crate) mod resources;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::services::answer::{answer_of_type, json_answer, set_header};
use crate::services::entra::errors::Refusal;
use crate::services::entra::grant::Granted;
use crate::services::request::{self, authority, base_url};
use crate::world::World;
use crate::world::identity::entra_issuer;
use crate::world::keys;

type Shared = State<Arc<World>>;

pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(configuration))
        .route("/{tenant}/.well-known/openid-configuration", get(configuration))
        .route("/common/discovery/instance", get(instance))
        .route("/{tenant}/discovery/v2.0/keys", get(published_keys))
        .route("/{tenant}/discovery/keys", get(published_keys))
        .route("/{tenant}/oauth2/v2.0/token", post(token).fallback(only_post))
        .fallback(not_found)
        .with_state(world)
}

/// The refusal with this code, for a fault.
pub(crate) fn refusal(world: &World, code: u32, asked: &HeaderMap) -> Response {
    refused(world, &Refusal::of_code(code), asked)
}

async fn token(
    State(world): Shared,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let is_form = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    // Entra ignores a body of another type, and then misses its parameters.
    let form = if is_form { request::decode_pairs(&body) } else { vec![] };
    match grant::grant(&world, &tenant, &form) {
        Ok(granted) => issued(&granted),
        Err(refusal) => refused(&world, &refusal, &headers),
    }
}

async fn only_post(State(world): Shared, headers: HeaderMap) -> Response {
    refusal(&world, 900_561, &headers)
}

async fn configuration(State(world): Shared, Path(tenant): Path<String>, request: Request) -> Response {
    let parts = request.into_parts().0;
    match checks::find_tenant(&world.directory(), &tenant) {
        Ok(known) => json_answer(200, &document(&base_url(&parts), known.id)),
        // For `common` the tenant is known from the token only, so the document has a placeholder.
        Err(_) if ["common", "organizations"].contains(&tenant.as_str()) => {
            let text = document(&base_url(&parts), Uuid::nil()).to_string();
            answer_of_type(
                200,
                "application/json; charset=utf-8",
                text.replace(&Uuid::nil().to_string(), "{tenantid}"),
            )
        }
        Err(refusal) => refused(&world, &refusal, &parts.headers),
    }
}

async fn instance(uri: Uri, request: Request) -> Response {
    let parts = request.into_parts().0;
    let host = authority(&parts);
    let query = request::query(&uri);
    let authorization_endpoint = request::value(&query, "authorization_endpoint").unwrap_or_default();
    let tenant = authorization_endpoint.split('/').nth(3).unwrap_or("common").to_owned();
    json_answer(
        200,
        &json!({
            "tenant_discovery_endpoint": format!("https://{host}/{tenant}/v2.0/.well-known/openid-configuration"),
            "api-version": "1.1",
            "metadata": [{
                "preferred_network": host, "preferred_cache": host, "aliases": [host],
            }],
        }),
    )
}

async fn published_keys(State(world): Shared, Path(tenant): Path<String>, headers: HeaderMap) -> Response {
    match checks::find_tenant(&world.directory(), &tenant) {
        Ok(known) => json_answer(200, &json!({ "keys": [keys::entra().published(&entra_issuer(known.id))] })),
        Err(_) if tenant == "common" => {
            let issuer = "https://login.microsoftonline.com/{tenantid}/v2.0";
            json_answer(200, &json!({ "keys": [keys::entra().published(issuer)] }))
        }
        Err(refusal) => refused(&world, &refusal, &headers),
    }
}

async fn not_found() -> Response {
    answer_of_type(404, "text/html; charset=utf-8", "")
}

fn document(base: &str, tenant: Uuid) -> Value {
    json!({
        "issuer": entra_issuer(tenant),
        "token_endpoint": format!("{base}/{tenant}/oauth2/v2.0/token"),
        "authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/authorize"),
        "device_authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/devicecode"),
        "jwks_uri": format!("{base}/{tenant}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
    })
}

fn issued(granted: &Granted) -> Response {
    let mut answer = json_answer(
        200,
        &json!({
            "token_type": "Bearer",
            "expires_in": granted.expires_in,
            "ext_expires_in": granted.expires_in,
            "access_token": granted.access_token,
        }),
    );
    never_stored(&mut answer);
    set_header(answer.headers_mut(), "x-ms-request-id", &Uuid::new_v4().to_string());
    answer
}

fn refused(world: &World, refusal: &Refusal, asked: &HeaderMap) -> Response {
    let trace = Uuid::new_v4();
    let correlation = asked
        .get("client-request-id")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| Uuid::try_parse(value).ok())
        .unwrap_or_else(Uuid::new_v4);
    let body = refusal.body(world.clock.now(), trace, correlation);
    let mut answer = json_answer(refusal.status(), &body);
    never_stored(&mut answer);
    set_header(answer.headers_mut(), "x-ms-request-id", &trace.to_string());
    answer
}

fn never_stored(answer: &mut Response) {
    set_header(answer.headers_mut(), "cache-control", "no-store, no-cache");
    set_header(answer.headers_mut(), "pragma", "no-cache");
}

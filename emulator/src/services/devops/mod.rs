//! Azure DevOps over HTTP: the id token endpoint, connection data, and the issuer's documents.

mod answers;
mod callers;
mod changes;
mod creations;
mod endpoints;
mod grants;
mod locations;
mod oidc;
mod permissions;
mod projects;
mod test_connection;
mod versions;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, Version};
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, options, post, put};
use serde_json::{Value, json};

use crate::services::answer::{answer_of_type, json_answer, set_header};
use crate::services::bearer;
use crate::services::devops::answers::{ask_for_sign_in, refuse_token, with_trace_headers};
use crate::services::devops::callers::Caller;
use crate::services::devops::oidc::{IdTokenRequest, Refusal};
use crate::services::devops::versions::version_in_accept;
use crate::services::request::{self, authority, value_in_any_case};
use crate::world::World;
use crate::world::{keys, tls};

type Shared = State<Arc<World>>;

pub(crate) fn router(world: Arc<World>) -> Router {
    // What stands around a router sees the path before it is matched.
    Router::new().fallback_service(routes(world)).layer(middleware::map_request(with_one_slash))
}

/// A base address that ends with a slash, and a path that begins with one: `azure_devops_rust_api` puts them side by side, and the real
/// server takes it.
async fn with_one_slash(mut request: Request) -> Request {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    if let Some(path) = path.strip_prefix('/').filter(|path| path.starts_with('/')) {
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = path.parse().ok();
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

fn routes(world: Arc<World>) -> Router {
    let id_token =
        "/{organization}/{project}/_apis/distributedtask/hubs/{hub}/plans/{plan}/jobs/{job}/oidctoken";
    Router::new()
        .route(id_token, post(oidc_token).fallback(only_post))
        .route("/{organization}/_apis/connectionData", get(connection_data))
        .route("/{organization}/_apis", options(locations::of_all_areas))
        .route("/{organization}/_apis/ResourceAreas", get(locations::areas))
        .route("/{organization}/_apis/distributedtask", options(locations))
        .route("/{organization}/_apis/{area}", options(locations::of_area))
        .route("/{organization}/_apis/projects", get(projects::projects).options(locations::of_projects))
        .route("/{organization}/_apis/projects/{project}", get(projects::project))
        .route("/{organization}/{project}/_apis/serviceendpoint/endpoints", get(endpoints::list))
        .route(
            "/{organization}/{project}/_apis/serviceendpoint/endpoints/{id}",
            get(endpoints::get).put(changes::put_in_project),
        )
        .route("/{organization}/_apis/serviceendpoint/endpoints", post(creations::make))
        .route(
            "/{organization}/_apis/serviceendpoint/endpoints/{id}",
            put(changes::put).patch(creations::share).delete(creations::delete),
        )
        .route("/{organization}/_apis/identities", get(grants::identities))
        .route(
            "/{organization}/{project}/_apis/pipelines/checks/configurations/{id}",
            axum::routing::delete(grants::delete_check),
        )
        .route(
            "/{organization}/{project}/_apis/serviceendpoint/endpointproxy",
            post(test_connection::test_connection),
        )
        .route(
            "/{organization}/{project}/_apis/serviceendpoint/{id}/executionhistory",
            get(endpoints::history),
        )
        .route("/{organization}/{project}/_apis/build/definitions", get(projects::pipelines))
        .route(
            "/{organization}/{project}/_apis/pipelines/pipelinePermissions/{kind}/{id}",
            get(permissions::pipelines).patch(grants::authorize),
        )
        .route(
            "/{organization}/{project}/_apis/pipelines/checks/configurations",
            get(permissions::checks).post(grants::make_check),
        )
        .route(
            "/{organization}/{project}/_apis/pipelines/checks/queryconfigurations",
            post(permissions::query_checks),
        )
        .route(
            "/{organization}/_apis/securityroles/scopes/{scope}/roleassignments/resources/{resource}",
            get(permissions::roles),
        )
        .route("/.well-known/openid-configuration", get(configuration))
        .route("/{organization}/.well-known/openid-configuration", get(configuration_of))
        .route("/.well-known/jwks", get(jwks))
        .fallback(not_found)
        .layer(middleware::map_response_with_state((Arc::clone(&world), Arc::default()), slow_down))
        .with_state(world)
}

/// Asks to wait before the next request, with every n-th success, as the real server does when it is used much.
async fn slow_down(
    State((world, count)): State<(Arc<World>, Arc<AtomicUsize>)>,
    mut answer: Response,
) -> Response {
    let slow_down = world.directory().quirks.slow_down;
    if let Some((every, seconds)) = slow_down
        && answer.status().is_success()
        && (count.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(every)
    {
        set_header(answer.headers_mut(), "retry-after", &seconds.to_string());
        set_header(answer.headers_mut(), "x-ratelimit-delay", "0.000");
    }
    answer
}

async fn oidc_token(
    State(world): Shared,
    Path((organization, project, hub, plan, job)): Path<(String, String, String, String, String)>,
    request: Request,
) -> Response {
    let parts = request.into_parts().0;
    if !is_our_host(&parts) {
        return not_found().await;
    }
    if !has_length(&parts) {
        return answer_of_type(411, "text/html; charset=us-ascii", LENGTH_REQUIRED);
    }
    let query = request::query(&parts.uri);
    let request = IdTokenRequest {
        organization,
        project,
        hub,
        plan,
        job,
        bearer: bearer::token(&parts.headers).map(str::to_owned),
        api_version: value_in_any_case(&query, "api-version")
            .map(str::to_owned)
            .or_else(|| version_in_accept(&parts.headers)),
        connection: value_in_any_case(&query, "serviceConnectionId").map(str::to_owned),
    };
    let answer = match oidc::id_token(&world, &request) {
        Ok(token) => json_answer(200, &json!({ "oidcToken": token })),
        Err(Refusal::Unauthorized) => ask_for_sign_in(&parts.headers),
        Err(refusal) => refused(&refusal),
    };
    with_trace_headers(answer)
}

async fn only_post() -> Response {
    let message = "The requested resource does not support http method 'GET'.";
    let mut answer = json_answer(405, &json!({ "count": 1, "value": { "Message": message } }));
    set_header(answer.headers_mut(), "allow", "POST");
    with_trace_headers(answer)
}

async fn connection_data(State(world): Shared, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let known = Caller::of(&world, &headers).is_some();
    let directory = world.directory();
    let organization = directory.organizations.iter().find(|one| one.name.eq_ignore_ascii_case(&name));
    let (Some(organization), true) = (organization, known) else {
        return refuse_token(&directory.quirks, &headers);
    };
    with_trace_headers(json_answer(
        200,
        &json!({
            "authenticatedUser": { "providerDisplayName": "Project Collection Build Service" },
            "instanceId": organization.id,
            "deploymentId": organization.id,
            "deploymentType": "hosted",
            "locationServiceData": { "serviceOwner": "00025394-6065-48ca-87d9-7f5672854ef7" },
        }),
    ))
}

/// The list in which clients such as azure-devops-node-api look up the path of a resource.
async fn locations() -> Response {
    with_trace_headers(json_answer(
        200,
        &json!({ "count": 1, "value": [{
            "id": "69a319f4-28c1-4bfd-93e6-ea0ff5c6f1a2",
            "area": "distributedtask",
            "resourceName": "oidctoken",
            "routeTemplate": "{scopeIdentifier}/_apis/{area}/hubs/{hubName}/plans/{planId}/jobs/{jobId}/{resource}",
            "resourceVersion": 1,
            "minVersion": "5.1",
            "maxVersion": "7.2",
            "releasedVersion": "0.0",
        }] }),
    ))
}

async fn configuration() -> Response {
    json_answer(200, &issuer_document("https://vstoken.dev.azure.com"))
}

async fn configuration_of(Path(organization): Path<String>) -> Response {
    json_answer(200, &issuer_document(&format!("https://vstoken.dev.azure.com/{organization}")))
}

async fn jwks() -> Response {
    json_answer(200, &json!({ "keys": [keys::devops().published("https://vstoken.dev.azure.com")] }))
}

async fn not_found() -> Response {
    answer_of_type(404, "text/html; charset=utf-8", "<html><body>Page not found</body></html>")
}

fn issuer_document(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "jwks_uri": "https://vstoken.dev.azure.com/.well-known/jwks",
        "subject_types_supported": ["public", "pairwise"],
        "response_types_supported": ["id_token"],
        "claims_supported": ["sub", "aud", "exp", "iat", "iss", "nbf", "jti"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid"],
    })
}

fn refused(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::Unauthorized => unreachable!("answered by a redirect or a 401"),
        Refusal::NotReferenced { sentence } => {
            json_answer(400, &json!({ "count": sentence.len(), "value": sentence }))
        }
        Refusal::Exception { status, kind, message } => json_answer(
            *status,
            &json!({
                "$id": "1",
                "innerException": null,
                "message": message,
                "typeName": format!("Microsoft.VisualStudio.Services.WebApi.{kind}, Microsoft.VisualStudio.Services.WebApi"),
                "typeKey": kind,
                "errorCode": 0,
                "eventId": 3000,
            }),
        ),
    }
}

/// Whether a request declares the length of its body, as HTTP/1.1 must; HTTP/2 frames carry it.
fn has_length(parts: &Parts) -> bool {
    parts.version == Version::HTTP_2
        || parts.headers.contains_key(CONTENT_LENGTH)
        || parts.headers.contains_key(TRANSFER_ENCODING)
}

fn is_our_host(parts: &Parts) -> bool {
    let authority = authority(parts);
    let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _port)| host);
    ["127.0.0.1", "localhost", "[::1]", tls::PUBLIC_NAMES[0]].contains(&host)
}

const LENGTH_REQUIRED: &str = "<html><body><h2>Length Required</h2><p>HTTP Error 411.</p></body></html>";

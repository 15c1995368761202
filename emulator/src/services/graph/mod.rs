//! The slice of Microsoft Graph that `wif doctor` asks for: the federated credentials of an application, and its
//! service principal.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::services::answer::{json_answer, set_header};
use crate::services::bearer::{self, TokenError};
use crate::world::World;
use crate::world::directory::Directory;
use crate::world::directory::entra::{App, Kind, Tenant};

type Shared = State<Arc<World>>;

/// A refusal as Graph shapes it: status, code and message.
type Refusal = (u16, &'static str, String);

pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/v1.0/{object}/federatedIdentityCredentials", get(credentials))
        .route("/v1.0/{object}", get(object))
        .fallback(not_found)
        .with_state(world)
}

/// Whether a token with this audience is meant for Graph.
fn is_graph(world: &World, audience: &str) -> bool {
    let bare = audience.trim_end_matches('/');
    ["https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"].contains(&bare)
        || bare == world.urls.graph
}

async fn credentials(State(world): Shared, Path(object): Path<String>, headers: HeaderMap) -> Response {
    let answer = authorize(&world, &headers).and_then(|tenant| {
        let directory = world.directory();
        let app = find(&directory, tenant, &object, "applications")?;
        let list: Vec<_> = app
            .federated_credentials
            .iter()
            .map(|one| {
                json!({
                    "id": Uuid::new_v4(), "name": one.name, "issuer": one.issuer, "subject": one.subject,
                    "description": null, "audiences": [one.audience],
                })
            })
            .collect();
        Ok(json!({ "value": list }))
    });
    to_response(answer)
}

async fn object(State(world): Shared, Path(object): Path<String>, headers: HeaderMap) -> Response {
    let answer = authorize(&world, &headers).and_then(|tenant| {
        let directory = world.directory();
        let app = find(&directory, tenant, &object, "servicePrincipals")?;
        let kind = match app.kind {
            Kind::Application => "Application",
            Kind::ManagedIdentity => "ManagedIdentity",
        };
        let audience = if app.multi_tenant { "AzureADMultipleOrgs" } else { "AzureADMyOrg" };
        Ok(json!({
            "id": app.object_id, "appId": app.client_id, "servicePrincipalType": kind,
            "accountEnabled": !app.disabled, "signInAudience": audience,
        }))
    });
    to_response(answer)
}

async fn not_found() -> Response {
    to_response(Err((400, "BadRequest", "Resource not found for the segment.".to_owned())))
}

/// The caller's tenant, if the caller may read applications.
fn authorize(world: &World, headers: &HeaderMap) -> Result<Uuid, Refusal> {
    let caller = bearer::caller(world, headers, |audience| is_graph(world, audience)).map_err(|error| {
        let message = match error {
            TokenError::Missing => "Access token is empty.",
            TokenError::Audience(_) => "Access token validation failure. Invalid audience.",
            TokenError::Expired => "Lifetime validation failed, the token is expired.",
            TokenError::Signature | TokenError::Claims | TokenError::Issuer => {
                "Access token validation failure."
            }
        };
        (401, "InvalidAuthenticationToken", message.to_owned())
    })?;
    let directory = world.directory();
    let reads = directory.tenants.iter().flat_map(|tenant| &tenant.apps);
    if reads.into_iter().any(|app| app.client_id == caller.client && app.reads_applications) {
        return Ok(caller.tenant);
    }
    let message = "Insufficient privileges to complete the operation.";
    Err((403, "Authorization_RequestDenied", message.to_owned()))
}

/// `applications(appId='…')`; a managed identity has a service principal only.
fn find<'a>(directory: &'a Directory, tenant: Uuid, object: &str, set: &str) -> Result<&'a App, Refusal> {
    let missing = || {
        let message = format!(
            "Resource '{object}' does not exist or one of its queried reference-property objects are not present."
        );
        (404, "Request_ResourceNotFound", message)
    };
    let id = object
        .strip_prefix(set)
        .and_then(|rest| rest.strip_prefix("(appId='")?.strip_suffix("')"))
        .and_then(|id| Uuid::try_parse(id).ok())
        .ok_or_else(missing)?;
    let in_tenant = |one: &&Tenant| one.id == tenant;
    let mut apps = directory.tenants.iter().filter(in_tenant).flat_map(|tenant| &tenant.apps);
    let app = apps.find(|app| app.client_id == id).ok_or_else(missing)?;
    if set == "applications" && app.kind == Kind::ManagedIdentity { Err(missing()) } else { Ok(app) }
}

fn to_response(answer: Result<Value, Refusal>) -> Response {
    let id = Uuid::new_v4().to_string();
    let mut answer = match answer {
        Ok(value) => json_answer(200, &value),
        Err((status, code, message)) => json_answer(
            status,
            &json!({ "error": {
                "code": code, "message": message, "innerError": { "request-id": id, "client-request-id": id },
            } }),
        ),
    };
    set_header(answer.headers_mut(), "request-id", &id);
    answer
}

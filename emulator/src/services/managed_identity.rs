//! The managed identity service of the machine, in plain HTTP as the real ones: IMDS of virtual machines and of
//! Azure Arc servers, and the protocol of App Service.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::services::answer::{json_answer, set_header};
use crate::services::entra::grant::{self, Granted};
use crate::services::entra::resources;
use crate::services::{request, sources};
use crate::world::World;
use crate::world::directory::entra::{App, Tenant};
use crate::world::directory::machine;
use crate::world::identity::EXCHANGE_AUDIENCE;
use crate::world::keys::random_text;

type Shared = State<Arc<World>>;

pub(crate) const IMDS: &str = "/metadata/identity/oauth2/token";
pub(crate) const APP_SERVICE: &str = "/msi/token";

pub(crate) fn router(world: Arc<World>) -> Router {
    let google = sources::google_router(Arc::clone(&world));
    let aws = sources::aws_role_router(Arc::clone(&world));
    let own = Router::new().route(IMDS, get(imds)).route(APP_SERVICE, get(app_service)).with_state(world);
    own.merge(google).merge(aws)
}

async fn imds(State(world): Shared, request: Request) -> Response {
    let request = TokenRequest::new(&request);
    let arc = world.directory().machine.arc.clone();
    if let Some(arc) = arc {
        return arc_server(&world, &arc, &request);
    }
    let refused =
        |error: &str, text: &str| json_answer(400, &json!({ "error": error, "error_description": text }));
    if request.header("metadata") != Some("true") || request.header("x-forwarded-for").is_some() {
        return refused("bad_request_102", "Required metadata header not specified");
    }
    if !["2018-02-01", "2019-08-01", "2019-11-01", "2021-02-01"].contains(&request.query("api-version")) {
        return refused("bad_request_100", "A valid api-version was not specified");
    }
    match grant(&world, &request) {
        Ok(granted) => {
            let now = world.clock.epoch();
            let mut body = token_body(&request, &granted, now + granted.expires_in);
            body["expires_in"] = json!(granted.expires_in.to_string());
            body["ext_expires_in"] = json!(granted.expires_in.to_string());
            body["not_before"] = json!(now.to_string());
            json_answer(200, &body)
        }
        Err(TokenRefusal::NoResource) => {
            refused("invalid_request", "Required audience parameter not specified")
        }
        Err(TokenRefusal::NoIdentity) => refused("invalid_request", "Identity not found"),
        Err(TokenRefusal::Several) => refused(
            "invalid_request",
            "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in \
             the token request",
        ),
        Err(TokenRefusal::Resource) => refused(
            "invalid_resource",
            &format!(
                "AADSTS500011: The resource principal named {} was not found in the tenant.",
                request.query("resource")
            ),
        ),
    }
}

/// Azure Arc answers at the path of IMDS, and demands a key from a file before each token.
/// Source: <https://learn.microsoft.com/azure/azure-arc/servers/managed-identity-authentication>.
fn arc_server(world: &World, arc: &machine::Arc, request: &TokenRequest) -> Response {
    let refused = |status: u16, text: &str| {
        json_answer(status, &json!({ "error": "invalid_request", "error_description": text }))
    };
    if request.header("metadata") != Some("true") {
        return refused(400, "Required metadata header not specified");
    }
    if request.query("api-version") != "2020-06-01" {
        return refused(400, "A valid api-version was not specified");
    }
    let Some(sent) = request.header("authorization") else {
        return challenge(world, arc);
    };
    // Each key is accepted once.
    if !sent.strip_prefix("Basic ").is_some_and(|key| world.take_arc_key(key)) {
        return refused(401, "The challenge key is wrong.");
    }
    let granted =
        if arc.ignores_client { grant(world, &request.without("client_id")) } else { grant(world, request) };
    match granted {
        Ok(granted) => {
            let mut body = token_body(request, &granted, world.clock.epoch() + granted.expires_in);
            body["expires_in"] = json!(granted.expires_in.to_string());
            if arc.ignores_client {
                body["client_id"] = Value::Null;
            }
            json_answer(200, &body)
        }
        Err(TokenRefusal::NoResource) => refused(400, "Required audience parameter not specified"),
        Err(TokenRefusal::NoIdentity | TokenRefusal::Several) => refused(400, "Identity not found"),
        Err(TokenRefusal::Resource) => {
            refused(400, "AADSTS500011: The resource principal was not found in the tenant.")
        }
    }
}

/// Writes a key file, and names it in the answer.
fn challenge(world: &World, arc: &machine::Arc) -> Response {
    let path = arc.folder.join(format!("{}.key", Uuid::new_v4()));
    let key = arc.key.clone().unwrap_or_else(|| random_text(40));
    std::fs::write(&path, &key).expect("the folder of the challenges");
    world.add_arc_key(&key);
    let realm = arc.realm.clone().unwrap_or_else(|| path.display().to_string());
    let mut answer = json_answer(401, &json!({ "error": "unauthorized" }));
    set_header(answer.headers_mut(), "www-authenticate", &format!("Basic realm={realm}"));
    answer
}

async fn app_service(State(world): Shared, request: Request) -> Response {
    let request = TokenRequest::new(&request);
    let refused = |status: u16, text: &str| {
        json_answer(
            status,
            &json!({ "statusCode": status, "message": text, "correlationId": Uuid::new_v4() }),
        )
    };
    if request.header("x-identity-header") != Some(&*world.directory().machine.header) {
        return refused(401, "The X-IDENTITY-HEADER header is missing or wrong.");
    }
    if request.query("api-version") != "2019-08-01" {
        return refused(400, "The api-version is not supported.");
    }
    match grant(&world, &request) {
        Ok(granted) => {
            let end = world.clock.epoch() + granted.expires_in;
            json_answer(200, &token_body(&request, &granted, end))
        }
        Err(TokenRefusal::NoResource) => refused(400, "The resource parameter is missing."),
        Err(TokenRefusal::NoIdentity | TokenRefusal::Several) => refused(
            400,
            "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
        ),
        Err(TokenRefusal::Resource) => refused(
            400,
            &format!(
                "AADSTS500011: The resource principal named {} was not found.",
                request.query("resource")
            ),
        ),
    }
}

/// Why a request for a token is refused.
enum TokenRefusal {
    NoResource,
    NoIdentity,
    Several,
    Resource,
}

/// A token of the identity that the request names, or of the only one.
fn grant(world: &World, request: &TokenRequest) -> Result<Granted, TokenRefusal> {
    let resource =
        Some(request.query("resource")).filter(|text| !text.is_empty()).ok_or(TokenRefusal::NoResource)?;
    let (tenant, app) = find_identity(world, request.query("client_id"))?;
    if resource == EXCHANGE_AUDIENCE {
        return Ok(grant::issue_exchange_token(world, &tenant, &app));
    }
    if !resources::is_known(world, &tenant, resource) {
        return Err(TokenRefusal::Resource);
    }
    Ok(grant::issue_access_token(world, &tenant, &app, resource))
}

fn find_identity(world: &World, named: &str) -> Result<(Tenant, App), TokenRefusal> {
    let directory = world.directory();
    let assigned = &directory.machine.identities;
    let client = match (Uuid::try_parse(named), &assigned[..]) {
        (Ok(id), _) => assigned.iter().find(|one| **one == id).ok_or(TokenRefusal::NoIdentity)?,
        (Err(_), [only]) => only,
        (Err(_), []) => return Err(TokenRefusal::NoIdentity),
        (Err(_), _) => return Err(TokenRefusal::Several),
    };
    let known = |tenant: &Tenant| {
        tenant.apps.iter().find(|app| app.client_id == *client).map(|app| (tenant.clone(), app.clone()))
    };
    directory.tenants.iter().find_map(known).ok_or(TokenRefusal::NoIdentity)
}

fn token_body(request: &TokenRequest, granted: &Granted, end: i64) -> Value {
    json!({
        "access_token": granted.access_token,
        "client_id": granted.client,
        "expires_on": end.to_string(),
        "resource": request.query("resource"),
        "token_type": "Bearer",
    })
}

/// Headers and query of a request.
struct TokenRequest {
    headers: axum::http::HeaderMap,
    query: Vec<(String, String)>,
}

impl TokenRequest {
    fn new(request: &Request) -> Self {
        let query = request::query(request.uri());
        Self { headers: request.headers().clone(), query }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn without(&self, name: &str) -> Self {
        let query = self.query.iter().filter(|(key, _)| key != name).cloned().collect();
        Self { headers: self.headers.clone(), query }
    }

    fn query(&self, name: &str) -> &str {
        request::value(&self.query, name).unwrap_or_default()
    }
}

//! The managed identity service of the machine, in plain http as the real ones: IMDS of virtual machines, and the
//! protocol of App Service.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer;
use crate::directory::{App, Tenant};
use crate::entra::{self, Granted};
use crate::record::pairs;
use crate::world::World;

type Shared = State<Arc<World>>;

pub(crate) const IMDS: &str = "/metadata/identity/oauth2/token";
pub(crate) const APP_SERVICE: &str = "/msi/token";

pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new().route(IMDS, get(imds)).route(APP_SERVICE, get(app_service)).with_state(world)
}

async fn imds(State(world): Shared, request: Request) -> Response {
    let asked = Asked::new(&request);
    let refused =
        |error: &str, text: &str| answer::json(400, &json!({ "error": error, "error_description": text }));
    if asked.header("metadata") != Some("true") || asked.header("x-forwarded-for").is_some() {
        return refused("bad_request_102", "Required metadata header not specified");
    }
    if !["2018-02-01", "2019-08-01", "2019-11-01", "2021-02-01"].contains(&asked.query("api-version")) {
        return refused("bad_request_100", "A valid api-version was not specified");
    }
    match grant(&world, &asked) {
        Ok(granted) => {
            let now = world.clock.epoch();
            let mut body = common(&asked, &granted, now + granted.expires_in);
            body["expires_in"] = json!(granted.expires_in.to_string());
            body["ext_expires_in"] = json!(granted.expires_in.to_string());
            body["not_before"] = json!(now.to_string());
            answer::json(200, &body)
        }
        Err(Refused::NoResource) => refused("invalid_request", "Required audience parameter not specified"),
        Err(Refused::NoIdentity) => refused("invalid_request", "Identity not found"),
        Err(Refused::Several) => refused(
            "invalid_request",
            "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in \
             the token request",
        ),
        Err(Refused::Resource) => refused(
            "invalid_resource",
            &format!(
                "AADSTS500011: The resource principal named {} was not found in the tenant.",
                asked.query("resource")
            ),
        ),
    }
}

async fn app_service(State(world): Shared, request: Request) -> Response {
    let asked = Asked::new(&request);
    let refused = |status: u16, text: &str| {
        answer::json(
            status,
            &json!({ "statusCode": status, "message": text, "correlationId": Uuid::new_v4() }),
        )
    };
    if asked.header("x-identity-header") != Some(&*world.directory().machine.header) {
        return refused(401, "The X-IDENTITY-HEADER header is missing or wrong.");
    }
    if asked.query("api-version") != "2019-08-01" {
        return refused(400, "The api-version is not supported.");
    }
    match grant(&world, &asked) {
        Ok(granted) => {
            let end = world.clock.epoch() + granted.expires_in;
            answer::json(200, &common(&asked, &granted, end))
        }
        Err(Refused::NoResource) => refused(400, "The resource parameter is missing."),
        Err(Refused::NoIdentity | Refused::Several) => refused(
            400,
            "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
        ),
        Err(Refused::Resource) => refused(
            400,
            &format!("AADSTS500011: The resource principal named {} was not found.", asked.query("resource")),
        ),
    }
}

/// Why there is no token.
enum Refused {
    NoResource,
    NoIdentity,
    Several,
    Resource,
}

/// A token of the identity that is named, or of the only one.
fn grant(world: &World, asked: &Asked) -> Result<Granted, Refused> {
    let resource =
        Some(asked.query("resource")).filter(|text| !text.is_empty()).ok_or(Refused::NoResource)?;
    let (tenant, app) = identity(world, asked.query("client_id"))?;
    if !entra::knows(world, &tenant, resource) {
        return Err(Refused::Resource);
    }
    Ok(entra::issue(world, &tenant, &app, resource))
}

fn identity(world: &World, named: &str) -> Result<(Tenant, App), Refused> {
    let directory = world.directory();
    let assigned = &directory.machine.identities;
    let client = match (Uuid::try_parse(named), &assigned[..]) {
        (Ok(id), _) => assigned.iter().find(|one| **one == id).ok_or(Refused::NoIdentity)?,
        (Err(_), [only]) => only,
        (Err(_), []) => return Err(Refused::NoIdentity),
        (Err(_), _) => return Err(Refused::Several),
    };
    let known = |tenant: &Tenant| {
        tenant.apps.iter().find(|app| app.client_id == *client).map(|app| (tenant.clone(), app.clone()))
    };
    directory.tenants.iter().find_map(known).ok_or(Refused::NoIdentity)
}

fn common(asked: &Asked, granted: &Granted, end: i64) -> Value {
    json!({
        "access_token": granted.access_token,
        "client_id": granted.client,
        "expires_on": end.to_string(),
        "resource": asked.query("resource"),
        "token_type": "Bearer",
    })
}

/// Headers and query of a request.
struct Asked {
    headers: axum::http::HeaderMap,
    query: Vec<(String, String)>,
}

impl Asked {
    fn new(request: &Request) -> Self {
        let query = pairs(request.uri().query().unwrap_or_default().as_bytes());
        Self { headers: request.headers().clone(), query }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn query(&self, name: &str) -> &str {
        self.query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

//! The slice of Microsoft Graph that `wif doctor` and `wif audit` ask for: applications and service principals, their
//! federated credentials and owners, and batches of such calls.

mod applications;
mod objects;
mod query;
mod refusal;
mod writes;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::post;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::services::answer::{json_answer, set_header};
use crate::services::bearer::{self, TokenError};
use crate::services::graph::objects::{Set, owner};
use crate::services::graph::query::{Filter, shape};
use crate::services::graph::refusal::Refusal;
use crate::services::request::{self, decode_pairs, value};
use crate::world::World;
use crate::world::directory::entra::{App, Tenant};

type Shared = State<Arc<World>>;

pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new().route("/v1.0/$batch", post(batch)).fallback(single).with_state(world)
}

/// Whether a token with this audience is meant for Graph.
fn is_graph(world: &World, audience: &str) -> bool {
    let bare = audience.trim_end_matches('/');
    ["https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"].contains(&bare)
        || bare == world.urls.graph
}

/// A call, by itself or in a batch.
struct Call<'a> {
    /// The base URL that the client used, for links to other pages.
    base: &'a str,
    method: &'a str,
    /// Below the version, without the query.
    path: String,
    query: Vec<(String, String)>,
    is_eventual: bool,
}

async fn single(State(world): Shared, request: Request) -> Response {
    if request.method() != "GET" {
        return writes::change(&world, request).await;
    }
    let uri = request.uri();
    let base = host_url(uri, request.headers());
    let decoded = decode_pairs(format!("path={}", uri.path().replace('+', "%2B")).as_bytes());
    let path = decoded.into_iter().next().map(|(_, path)| path).unwrap_or_default();
    let answer = authorize(&world, request.headers()).and_then(|tenant| {
        // Of what is emulated, the beta shows the same.
        let below = path.strip_prefix("/v1.0").or_else(|| path.strip_prefix("/beta"));
        let path = below.ok_or_else(not_found)?.to_owned();
        let query = decode_pairs(uri.query().unwrap_or_default().as_bytes());
        let is_eventual =
            is_eventual(request.headers().get("consistencylevel").and_then(|value| value.to_str().ok()));
        let call = Call { base: &base, method: request.method().as_str(), path, query, is_eventual };
        answer_call(&world, tenant, &call)
    });
    to_response(answer)
}

async fn batch(State(world): Shared, request: Request) -> Response {
    let (request, bytes) = request::take_body(request).await;
    let parts = request.into_parts().0;
    let answer = authorize(&world, &parts.headers).and_then(|tenant| {
        let sent: Value = serde_json::from_slice(&bytes)
            .map_err(|_error| (400, "BadRequest", "Unable to read JSON request payload.".to_owned()))?;
        let requests = sent["requests"].as_array().cloned().unwrap_or_default();
        if requests.len() > 20 {
            let message = "Number of batch request steps exceeds the maximum value of 20.";
            return Err((400, "BadRequest", message.to_owned()));
        }
        let mut responses: Vec<_> =
            requests.iter().map(|inner| inner_answer(&world, tenant, inner)).collect();
        if world.directory().quirks.batch_reversed {
            responses.reverse();
        }
        Ok(json!({ "responses": responses }))
    });
    to_response(answer)
}

fn inner_answer(world: &World, tenant: Uuid, inner: &Value) -> Value {
    let url = inner["url"].as_str().unwrap_or_default();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let headers = inner["headers"].as_object();
    let level = headers.and_then(|headers| {
        headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("consistencylevel"))
            .and_then(|(_, value)| value.as_str())
    });
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let query = decode_pairs(query.as_bytes());
    let method = inner["method"].as_str().unwrap_or_default();
    let call = Call { base: &world.urls.graph, method, path, query, is_eventual: is_eventual(level) };
    let (status, body) = match answer_call(world, tenant, &call) {
        Ok(body) => (200, body),
        Err(refusal) => (refusal.0, refusal_body(&refusal)),
    };
    json!({
        "id": inner["id"], "status": status, "headers": { "Content-Type": "application/json" }, "body": body,
    })
}

/// The base URL that the client used: a public name when a proxy led it here, else an address.
fn host_url(uri: &Uri, headers: &HeaderMap) -> String {
    let host = headers.get("host").and_then(|host| host.to_str().ok());
    let authority = uri.authority().map(ToString::to_string).or_else(|| host.map(str::to_owned));
    format!("https://{}", authority.unwrap_or_default())
}

fn is_eventual(level: Option<&str>) -> bool {
    level.is_some_and(|level| level.eq_ignore_ascii_case("eventual"))
}

fn not_found() -> Refusal {
    (400, "BadRequest", "Resource not found for the segment.".to_owned())
}

/// The caller's tenant, if the caller may read applications.
fn authorize(world: &World, headers: &HeaderMap) -> Result<Uuid, Refusal> {
    authorize_as(world, headers, |app| app.reads_applications)
}

/// The caller's tenant, if the caller may do this.
fn authorize_as(world: &World, headers: &HeaderMap, may: fn(&App) -> bool) -> Result<Uuid, Refusal> {
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
    if reads.into_iter().any(|app| app.client_id == caller.client && may(app)) {
        return Ok(caller.tenant);
    }
    let message = "Insufficient privileges to complete the operation.";
    Err((403, "Authorization_RequestDenied", message.to_owned()))
}

/// `applications`, `applications/ID`, `applications(appId='…')`, the same below with a list, and deleted applications.
fn answer_call(world: &World, tenant: Uuid, call: &Call<'_>) -> Result<Value, Refusal> {
    if call.method != "GET" {
        return Err((405, "Request_BadRequest", "Specified HTTP method is not allowed.".to_owned()));
    }
    let directory = world.directory();
    let of_tenant = |one: &&Tenant| one.id == tenant;
    let apps = || directory.tenants.iter().filter(of_tenant).flat_map(|tenant| &tenant.apps);
    let segments: Vec<&str> = call.path.trim_matches('/').split('/').collect();
    let (set, rest): (Set, &[&str]) = match segments.as_slice() {
        ["directory", "deletedItems", "microsoft.graph.application", rest @ ..] => {
            (Set::DeletedApplications, rest)
        }
        [first, rest @ ..] if first.starts_with("applications") => (Set::Applications, rest),
        [first, rest @ ..] if first.starts_with("servicePrincipals") => (Set::ServicePrincipals, rest),
        _ => return Err(not_found()),
    };
    let unique = segments.first().and_then(|first| applications::unique_name(first));
    if let (Some(name), []) = (&unique, rest) {
        let is_it = |app: &&App| app.record.unique_name.as_ref() == Some(name) && set.has(app);
        let app = apps().find(is_it).filter(|app| !app.record.unknown.take());
        return app.map_or_else(|| Err(applications::gone(name)), |app| shape(app, set, &call.query));
    }
    let key = segments.first().and_then(|first| first.split_once("(appId='")?.1.strip_suffix("')"));
    let (object, below) = match (key, rest) {
        (Some(key), below) => (Some((key, true)), below),
        (None, [id, below @ ..]) => (Some((*id, false)), below),
        (None, []) => (None, rest),
    };
    let Some((id, by_client)) = object else {
        let filter = Filter::parse(&call.query, call.is_eventual)?;
        let found: Vec<&App> = apps().filter(|app| set.has(app) && filter.takes(app, set)).collect();
        return page(directory.quirks.graph_page, &found, set, call);
    };
    let wanted = Uuid::try_parse(id).ok();
    let is_it = |app: &&App| Some(if by_client { app.client_id } else { set.id(app) }) == wanted;
    let app = apps().filter(|app| set.has(app)).find(is_it).filter(|app| !app.record.unknown.take());
    let app = app.ok_or_else(|| {
        let message = format!(
            "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
        );
        (404, "Request_ResourceNotFound", message)
    })?;
    match below {
        [] => shape(app, set, &call.query),
        ["federatedIdentityCredentials"] => Ok(json!({ "value": set.credentials(app) })),
        ["federatedIdentityCredentials", key] => {
            let is_it = |one: &Value| ["id", "name"].iter().any(|by| one[by] == **key);
            set.credentials(app).into_iter().find(is_it).ok_or_else(|| applications::gone(key))
        }
        ["memberOf"] if set == Set::ServicePrincipals => Ok(json!({ "value": app.record.memberships })),
        ["appRoleAssignments"] if set == Set::ServicePrincipals => Ok(json!({ "value": app.record.granted })),
        ["owners"] => Ok(json!({ "value": app.record.owners.iter().map(owner).collect::<Vec<_>>() })),
        _ => Err(not_found()),
    }
}

fn page(size: usize, found: &[&App], set: Set, call: &Call<'_>) -> Result<Value, Refusal> {
    let number = |name: &str| value(&call.query, name).and_then(|value| value.parse::<usize>().ok());
    let begin = number("$skiptoken").unwrap_or(0);
    let size = number("$top").unwrap_or(size).min(size).max(1);
    let shaped = found.iter().skip(begin).take(size).map(|app| shape(app, set, &call.query));
    let page = shaped.collect::<Result<Vec<_>, _>>()?;
    let end = begin + page.len();
    let mut answer = json!({ "value": page });
    if value(&call.query, "$count") == Some("true") {
        answer["@odata.count"] = json!(found.len());
    }
    if end < found.len() {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(call.query.iter().filter(|(name, _)| name != "$skiptoken"));
        query.append_pair("$skiptoken", &end.to_string());
        let url = format!("{}/v1.0{}?{}", call.base, call.path, query.finish());
        answer["@odata.nextLink"] = json!(url);
    }
    Ok(answer)
}

fn refusal_body((_, code, message): &Refusal) -> Value {
    let id = Uuid::new_v4().to_string();
    json!({ "error": {
        "code": code, "message": message, "innerError": { "request-id": id, "client-request-id": id },
    } })
}

fn to_response(answer: Result<Value, Refusal>) -> Response {
    let mut answer = match answer {
        Ok(value) => json_answer(200, &value),
        Err(refusal) => json_answer(refusal.0, &refusal_body(&refusal)),
    };
    set_header(answer.headers_mut(), "request-id", &Uuid::new_v4().to_string());
    answer
}

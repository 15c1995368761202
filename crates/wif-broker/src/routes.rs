//! What the broker answers, in the dialects of the tools.

use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, body::Incoming, header, http::request::Parts};
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;
use wif_core::{
    azure::resource::{Audiences, Resource},
    foreign_text::one_line,
    human_time::rfc3339,
};
use wif_io::clock::{Limit, timeout};

use super::{
    answer::{Answer, Body},
    cache::{AskedOver, CachedToken},
    connections::Place,
    dialects,
    guard::{self, KeyLocation, Refused, require_method, token_or_refusal},
    paths,
    proof::Nonce,
    session::Session,
    tokens::TokenStatus,
};

/// What azd asks below its endpoint.
const AZD_TOKEN: &str = "/azd/token";
/// The largest body of a request, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// How long the body of a request may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// Answers one request. Whatever is wrong with it, the answer is JSON with a reason and no token.
pub(crate) async fn answer(session: &Session, place: &Place, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let is_aws = parts.uri.path() == paths::AWS;
    let admitted = admit(session, place, &parts);
    let refused_before_key = admitted.is_err();
    let result = match admitted {
        Ok(Admitted::WithoutKey(answer)) => Ok(answer),
        Ok(Admitted::WithKey(path, location)) => {
            route(session, &place.asked, &parts, path, location, body).await
        }
        Err(refused) => Err(refused),
    };
    let (status, body) = match result {
        Ok(body) => (StatusCode::OK, body),
        Err(Refused { status, reason, upstream }) => {
            if !upstream {
                session.tokens.count_refusal();
            }
            // The names that the readers of Python, Node, azd and people look for.
            let code = status.as_u16();
            let body = if is_aws {
                dialects::aws_refusal(code, &reason)
            } else {
                json!({"statusCode": code, "error": reason, "message": reason, "status": "error"})
            };
            (status, Answer::from(body))
        }
    };
    let mut response = Response::new(body.into_body());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    if refused_before_key || status == StatusCode::UNAUTHORIZED {
        // A caller that has not shown the key cannot use up the limit on connections.
        headers.insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    }
    response
}

/// Ends the broker when it is dropped.
struct EndsBroker<'a>(&'a Session);

impl Drop for EndsBroker<'_> {
    fn drop(&mut self) {
        self.0.end.notify_one();
    }
}

/// A request that passed the guard.
enum Admitted<'a> {
    /// The proof, which needs no key.
    WithoutKey(Answer),
    /// What is at this path, where the key was shown.
    WithKey(&'a str, KeyLocation),
}

/// What comes before the key, and the key.
fn admit<'a>(session: &Session, place: &Place, parts: &'a Parts) -> Result<Admitted<'a>, Refused> {
    guard::check_loopback(&parts.uri, &parts.headers, session.port)?;
    let path = parts.uri.path();
    match guard::check_key(path, &parts.headers, &session.key) {
        Ok((path, location)) => {
            place.show_key();
            Ok(Admitted::WithKey(path, location))
        }
        Err(_no_key) if path == paths::PROOF => proof(session, place, parts).map(Admitted::WithoutKey),
        Err(no_key) if path == paths::ID_TOKEN => Err(guard::other_token(&parts.headers).unwrap_or(no_key)),
        Err(no_key) => Err(no_key),
    }
}

/// The proof that this is the broker, for a caller that has not shown the key yet; once for each connection.
fn proof(session: &Session, place: &Place, parts: &Parts) -> Result<Answer, Refused> {
    require_method(&parts.method, &Method::GET)?;
    if !place.prove() {
        return Err(Refused::new(StatusCode::FORBIDDEN, "a connection gets one proof"));
    }
    let nonce = parts.uri.query().and_then(|query| Nonce::parse(query.strip_prefix("nonce=")?));
    let nonce = nonce.ok_or_else(|| bad_request("the parameter nonce is not 64 hexadecimal digits"))?;
    Ok(json!({"proof": nonce.proof(&session.key, session.port)}).into())
}

async fn route(
    session: &Session,
    over: &AskedOver,
    parts: &Parts,
    path: &str,
    location: KeyLocation,
    body: Incoming,
) -> Result<Answer, Refused> {
    let headers = &parts.headers;
    match (path, location) {
        (paths::IDENTITY, KeyLocation::InHeader | KeyLocation::InPath) => {
            require_method(&parts.method, &Method::GET)?;
            identity(session, over, Query::read(parts.uri.query().unwrap_or_default())?).await
        }
        (paths::ID_TOKEN, KeyLocation::AsBearer | KeyLocation::InHeader) => {
            id_token(session, over, &parts.method).await
        }
        (AZD_TOKEN, KeyLocation::AsBearer) => {
            require_method(&parts.method, &Method::POST)?;
            azd(session, over, headers, body).await
        }
        (paths::STATUS, KeyLocation::InHeader) => {
            require_method(&parts.method, &Method::GET)?;
            Ok(status(session).into())
        }
        (paths::END, KeyLocation::InHeader) => {
            require_method(&parts.method, &Method::POST)?;
            // A caller that goes away ends the broker all the same.
            let _ending = EndsBroker(session);
            let left = session.end_credentials().await;
            let seconds = (session.tokens.now() - session.tokens.began()).whole_seconds().max(0);
            Ok(json!({"status": "ending", "left": left, "seconds": seconds, "session": status(session)})
                .into())
        }
        (paths::IDENTITY | paths::ID_TOKEN | AZD_TOKEN | paths::STATUS | paths::END, _) => {
            Err(guard::no_key())
        }
        _ => match dialects::answer(session, over, &parts.method, path, parts.uri.query(), location).await {
            Some(answer) => answer,
            None if dialects::has(path) => Err(guard::no_key()),
            None => Err(Refused::new(StatusCode::NOT_FOUND, "there is no such path here")),
        },
    }
}

/// Query parameters, each at most once.
#[derive(Default)]
struct Query {
    resource: Option<String>,
    client: Option<String>,
    other_identity: bool,
}

impl Query {
    fn read(text: &str) -> Result<Self, Refused> {
        let mut query = Self::default();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            let slot = match &*name {
                "resource" => &mut query.resource,
                "client_id" | "clientid" => &mut query.client,
                "mi_res_id" | "msi_res_id" | "object_id" | "principal_id" => {
                    query.other_identity = true;
                    continue;
                }
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(bad_request("a parameter is given twice"));
            }
        }
        Ok(query)
    }
}

/// App Service managed identity: `expires_on` and `expires_in` are texts, since the strictest readers want that.
async fn identity(session: &Session, over: &AskedOver, query: Query) -> Result<Answer, Refused> {
    let client = session.tokens.client;
    let same = |id: &str| Uuid::try_parse(id).is_ok_and(|id| Some(id) == client);
    if query.other_identity || query.client.as_deref().is_some_and(|id| !id.is_empty() && !same(id)) {
        return Err(bad_request(
            "another identity is asked for than the service connection's, the only one of this session",
        ));
    }
    let asked = query.resource.filter(|resource| !resource.is_empty());
    let asked = asked.ok_or_else(|| bad_request("the parameter resource is missing"))?;
    let resource = resource(session, &asked)?;
    let (fresh, now) = access_token(session, over, &resource).await?;
    let left = (fresh.lifetime.until - now).whole_seconds().max(0);
    let client = client.map(|client| format!(r#""client_id":"{client}","#)).unwrap_or_default();
    let until = fresh.lifetime.until.unix_timestamp();
    let from = fresh.lifetime.from.unix_timestamp();
    let asked = Value::from(one_line(&asked, Resource::MAX_TEXT));
    // Formatted, since this is the answer that steps ask for again and again.
    let after = format!(
        r#",{client}"expires_in":"{left}","expires_on":"{until}","not_before":"{from}","resource":{asked},"token_type":"Bearer"}}"#
    );
    Ok(Answer::with_token(r#"{"access_token":"#, &fresh, after))
}

/// The dialect of GitHub for GET, that of Azure DevOps for POST.
async fn id_token(session: &Session, over: &AskedOver, method: &Method) -> Result<Answer, Refused> {
    let name = match *method {
        Method::GET => "value",
        Method::POST => "oidcToken",
        _ => return Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, "GET or POST is accepted here")),
    };
    let slot = session.tokens.id_token().ok_or_else(|| {
        Refused::new(StatusCode::NOT_FOUND, "the service connection is not federated: there is no id token")
    })?;
    if !session.gives_id_token {
        return Err(Refused::new(
            StatusCode::FORBIDDEN,
            "the input allowedResources limits this session: with the id token, access tokens for every resource could be had",
        ));
    }
    let fresh = token_or_refusal(slot.get_over(over).await)?;
    Ok(Answer::with_token(format!(r#"{{"{name}":"#), &fresh, "}"))
}

/// azd's external authentication.
async fn azd(
    session: &Session,
    over: &AskedOver,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Answer, Refused> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Asked {
        scopes: Vec<String>,
        tenant_id: Option<String>,
    }
    let json = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !json.is_some_and(|kind| kind.starts_with("application/json")) {
        return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body must be application/json"));
    }
    let body = Limited::new(body, MAX_BODY_BYTES).collect();
    let body = timeout(&*session.tokens.clock(), Limit::RequestBody, BODY_TIMEOUT, body).await;
    let slow = || Refused::new(StatusCode::REQUEST_TIMEOUT, "the body does not come");
    let body = body.ok_or_else(slow)?;
    let body = body
        .map_err(|_error| Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large or broken"))? // may quote it
        .to_bytes();
    let asked: Asked =
        serde_json::from_slice(&body).map_err(|_error| bad_request("the body has no scopes"))?; // may quote it
    let tenant = asked.tenant_id.filter(|tenant| !tenant.is_empty());
    if tenant.is_some_and(|tenant| !Uuid::try_parse(&tenant).is_ok_and(|id| id == session.tokens.tenant)) {
        return Err(bad_request("another tenant is asked for than the service connection's"));
    }
    let [scope] = asked.scopes.as_slice() else {
        return Err(bad_request("exactly one scope is accepted"));
    };
    // azd reads a reason in an answer that says 200, and in no other.
    let fresh = match access_token(session, over, &resource(session, scope)?).await {
        Ok((fresh, _)) => fresh,
        Err(Refused { reason, upstream: true, .. }) => {
            return Ok(json!({"status": "error", "code": "GetTokenError", "message": reason}).into());
        }
        Err(refused) => return Err(refused),
    };
    let until = rfc3339(fresh.lifetime.until);
    let before = format!(r#"{{"expiresOn":"{until}","status":"success","token":"#);
    Ok(Answer::with_token(before, &fresh, "}"))
}

fn status(session: &Session) -> Value {
    let describe = |token: TokenStatus| {
        json!({
            "what": token.what,
            "until": token.until.map(rfc3339),
            "asked": token.counts.asked,
            "connections": token.counts.connections,
            "fetched": token.counts.fetched,
            "renewing": token.renewing,
        })
    };
    json!({
        "tenant": session.tokens.tenant.to_string(),
        "client": session.tokens.client.map(|client| client.to_string()),
        "resourceManager": session.resource_manager,
        "tokens": session.tokens.statuses().into_iter().map(describe).collect::<Vec<_>>(),
        "refused": session.tokens.refusals(),
    })
}

fn resource(session: &Session, text: &str) -> Result<Resource, Refused> {
    let resource =
        Resource::parse(text, &session.tokens.audiences).map_err(|error| bad_request(&error.to_string()))?;
    if !session.tokens.is_allowed(&resource) {
        return Err(Refused::new(StatusCode::FORBIDDEN, not_allowed(&resource, &session.tokens.audiences)));
    }
    Ok(resource)
}

/// Names the resource, and the tool that is known to ask for it.
fn not_allowed(resource: &Resource, audiences: &Audiences) -> String {
    let asked_by = [
        ("graph", "Terraform's azurerm provider asks for Microsoft Graph whenever it starts"),
        ("arm", "Azure CLI and Terraform ask for Azure Resource Manager"),
    ];
    let is = |alias: &str| Resource::parse(alias, audiences).is_ok_and(|known| known == *resource);
    let known = asked_by.into_iter().find(|(alias, _)| is(alias));
    let storage = resource
        .is_storage_account(audiences.cloud)
        .then_some(("storage", "azcopy and Terraform's storage resources ask for the account's own host"));
    let more =
        known.or(storage).map(|(alias, why)| format!(": {why}; add {alias} to allowedResources if it may"));
    format!("the resource {resource} is not one of the input allowedResources{}", more.unwrap_or_default())
}

async fn access_token(
    session: &Session,
    over: &AskedOver,
    resource: &Resource,
) -> Result<(CachedToken, OffsetDateTime), Refused> {
    let fresh = match session.tokens.access_slot(resource) {
        Ok(slot) => slot.get_over(over).await,
        Err(crowded) => Err(crowded),
    };
    Ok((token_or_refusal(fresh)?, session.tokens.now()))
}

fn bad_request(reason: &str) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, reason)
}

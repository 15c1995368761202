//! A registry of Azure's: exchanges an access token of Entra for one of its own, and gives a manifest to those who have one.
//! Where a registry of others is behind it, that one has the content and checks the tokens, by the certificate of the key.
//!
//! Source: Azure/acr, `docs/AAD-OAuth.md`; distribution/distribution, `docs/spec/auth/token.md` and `docs/spec/auth/oauth.md`.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::registry_behind;
use crate::services::answer::{answer_of_type, json_answer, set_header};
use crate::services::bearer::{self, TokenError};
use crate::services::request;
use crate::world::World;
use crate::world::certificate::ClientCertificate;
use crate::world::issued::IssuedKind;
use crate::world::keys;

const ISSUER: &str = "Azure Container Registry";
/// The user that comes with a token as password.
const USER: &str = "00000000-0000-0000-0000-000000000000";
const AUDIENCE: &str = "https://containerregistry.azure.net";
const REFRESH_SECONDS: i64 = 3 * 3600;
const ACCESS_SECONDS: i64 = 75 * 60;

type Shared = State<Arc<World>>;

/// `POST /oauth2/exchange`
pub(super) async fn exchange(State(world): Shared, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 * 1024).await.unwrap_or_default();
    let form = request::decode_pairs(&body);
    let value = |name: &str| request::value(&form, name).unwrap_or_default();
    let own = request::authority(&parts);
    if value("grant_type") != "access_token" || value("service") != own {
        return refused(400, "BAD_REQUEST", "grant_type or service is wrong");
    }
    // The token is checked as every service checks it.
    let token = format!("Bearer {}", value("access_token"));
    set_header(&mut parts.headers, "authorization", &token);
    let caller = match bearer::caller(&world, &parts.headers, |audience| audience == AUDIENCE) {
        Ok(caller) => caller,
        Err(TokenError::Audience(_)) => return refused(401, "UNAUTHORIZED", "the audience is wrong"),
        Err(_) => return refused(401, "UNAUTHORIZED", "authentication required"),
    };
    if !value("tenant").is_empty() && value("tenant") != caller.tenant.to_string() {
        return refused(401, "UNAUTHORIZED", "the tenant is wrong");
    }
    let now = world.clock.epoch();
    let life = world.directory().clouds.life(REFRESH_SECONDS);
    let token = keys::entra().sign(&json!({
        "iss": ISSUER, "aud": own, "sub": caller.client, "iat": now, "nbf": now, "exp": now + life,
        "grant_type": "refresh_token", "tenant": caller.tenant, "jti": uuid::Uuid::new_v4(),
    }));
    world.record_issued(IssuedKind::CloudCredential, &token);
    json_answer(200, &json!({ "refresh_token": token }))
}

/// `GET /oauth2/token` with Basic, and `POST` with a refresh token.
pub(super) async fn token(State(world): Shared, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 * 1024).await.unwrap_or_default();
    let form = request::decode_pairs(&body);
    let header = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
    let basic =
        header.and_then(|value| value.strip_prefix("Basic ")).and_then(|text| STANDARD.decode(text).ok());
    let basic = basic.and_then(|bytes| String::from_utf8(bytes).ok());
    let pairs = if form.is_empty() { request::query(&parts.uri) } else { form.clone() };
    let scopes = pairs.iter().filter(|(name, _)| name == "scope").flat_map(|(_, scope)| scope.split(' '));
    let refresh = match basic.as_deref().and_then(|text| text.split_once(':')) {
        Some((USER, password)) => password.to_owned(),
        Some(_) => String::new(),
        None => request::value(&form, "refresh_token").unwrap_or_default().to_owned(),
    };
    let own = request::authority(&parts);
    if !is_genuine(&world, &refresh, &own, "refresh_token") {
        return refused(401, "UNAUTHORIZED", "authentication required");
    }
    let now = world.clock.epoch();
    let life = world.directory().clouds.life(ACCESS_SECONDS);
    let access: Vec<_> = scopes.filter_map(granted).collect();
    let token = ClientCertificate::registry().sign(&json!({
        "iss": ISSUER, "aud": own, "sub": USER, "iat": now, "nbf": now, "exp": now + life, "access": access,
        "grant_type": "access_token", "jti": uuid::Uuid::new_v4(),
    }));
    world.record_issued(IssuedKind::CloudCredential, &token);
    json_answer(200, &json!({ "access_token": token, "token": token, "expires_in": life }))
}

/// What a scope asks for: `repository:app:pull,push`. Every caller may do all of it.
fn granted(scope: &str) -> Option<Value> {
    let (kind, rest) = scope.split_once(':')?;
    let (name, actions) = rest.rsplit_once(':')?;
    Some(json!({ "type": kind, "name": name, "actions": actions.split(',').collect::<Vec<_>>() }))
}

/// `/v2/` and what is below it.
pub(super) async fn content(State(world): Shared, path: Option<Path<String>>, request: Request) -> Response {
    let behind = world.directory().clouds.registry;
    if let Some(port) = behind {
        return registry_behind::ask(port, request).await;
    }
    let (parts, _) = request.into_parts();
    let own = request::authority(&parts);
    let token = bearer::token(&parts.headers).unwrap_or_default();
    if !is_genuine(&world, token, &own, "access_token") && !has_aws_login(&world, &parts) {
        let mut answer = refused(401, "UNAUTHORIZED", "authentication required");
        let challenge = format!(
            "Bearer realm=\"https://{own}/oauth2/token\",service=\"{own}\",scope=\"repository:app:pull\""
        );
        set_header(answer.headers_mut(), "www-authenticate", &challenge);
        return answer;
    }
    match path.as_deref().map(String::as_str) {
        None => json_answer(200, &json!({})),
        Some(path) if path.ends_with("/manifests/1") => {
            let manifest = json!({
                "schemaVersion": 2, "mediaType": INDEX, "manifests": [],
            });
            answer_of_type(200, INDEX, manifest.to_string())
        }
        Some(_) => refused(404, "MANIFEST_UNKNOWN", "manifest is not found"),
    }
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A registry of AWS' takes the password itself.
fn has_aws_login(world: &World, parts: &Parts) -> bool {
    let header = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
    let basic =
        header.and_then(|value| value.strip_prefix("Basic ")).and_then(|text| STANDARD.decode(text).ok());
    let login = basic.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let known = &world.directory().clouds.aws.registry_passwords;
    login.strip_prefix("AWS:").is_some_and(|password| known.iter().any(|one| one == password))
}

fn is_genuine(world: &World, token: &str, own: &str, grant: &str) -> bool {
    let known = [keys::entra().verify(token), ClientCertificate::registry().registered.verify(token)];
    let claims = known.into_iter().flatten().next().unwrap_or_default();
    let is_alive = claims["exp"].as_i64().is_some_and(|end| end > world.clock.epoch());
    is_alive && claims["iss"] == ISSUER && claims["aud"] == own && claims["grant_type"] == grant
}

fn refused(status: u16, code: &str, message: &str) -> Response {
    json_answer(status, &json!({"errors": [{"code": code, "message": message}]}))
}

//! Turns a request into a journal entry, without its secrets.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Version};

use crate::services::request;
use crate::world::World;
use crate::world::journal::{Entry, Service};
use crate::world::keys;

/// A longer body is recorded, and passed on, as empty.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Writes a request into the journal; returns its place there, and the request for the service.
pub(crate) async fn request(
    world: &Arc<World>,
    service: Service,
    connection: u64,
    request: Request,
) -> (u64, Request) {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY_BYTES).await.unwrap_or_default();
    let is_form = parts
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let entry = Entry {
        service,
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: request::query(&parts.uri),
        headers: headers(world, &parts.headers),
        form: if is_form { form(&body) } else { vec![] },
        body: match service {
            Service::Arm => String::from_utf8_lossy(&body).into_owned(),
            _ => String::new(),
        },
        status: None,
        http_version: if parts.version == Version::HTTP_2 { "HTTP/2.0" } else { "HTTP/1.1" }.to_owned(),
        connection,
        at: 0,
    };
    let at = world.journal.add(entry);
    (at, Request::from_parts(parts, Body::from(body)))
}

fn headers(world: &World, headers: &HeaderMap) -> Vec<(String, String)> {
    let shown = |name: &str, value: &str| match name {
        "authorization" | "proxy-authorization" => authorization(world, value),
        "cookie" => "<cookie>".to_owned(),
        "x-vault-token" => "<token of Vault>".to_owned(),
        "x-identity-header" => "<identity header>".to_owned(),
        _ => value.to_owned(),
    };
    headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.to_string(), shown(name.as_str(), &value))
        })
        .collect()
}

fn authorization(world: &World, value: &str) -> String {
    let (scheme, secret) = value.split_once(' ').unwrap_or((value, ""));
    let scheme = scheme.to_ascii_lowercase();
    let password = request::basic_password(value);
    match world.kind_of(password.as_deref().unwrap_or(secret)) {
        Some(kind) => format!("<{scheme} {kind}>"),
        None => format!("<{scheme} unknown, {} characters>", secret.len()),
    }
}

fn form(body: &[u8]) -> Vec<(String, String)> {
    let shown = |name: &str, value: String| match name {
        "client_assertion" | "WebIdentityToken" | "subject_token" => keys::unverified_claims(&value)
            .map_or_else(|| "<client assertion, not a JWT>".to_owned(), |claims| claims.to_string()),
        "client_secret" | "password" | "refresh_token" | "access_token" | "code" | "assertion" => {
            format!("<{}>", name.replace('_', " "))
        }
        _ => value,
    };
    request::decode_pairs(body)
        .into_iter()
        .map(|(name, value)| {
            let value = shown(&name, value);
            (name, value)
        })
        .collect()
}

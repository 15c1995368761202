//! The slice of Azure's blob storage that Terraform's `azurerm` backend needs: block blobs, their metadata and their
//! leases, opened by an access token only.
//!
//! An account is named by the host, `ACCOUNT.blob.core.windows.net`, which a test sends here by a [`crate::Proxy`] or by
//! resolving the name itself. Source: "Blob service REST API" and `giovanni`, the client that the backend uses.

mod access;
mod lease;
mod list;
mod refusal;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use axum::routing::any;
use uuid::Uuid;

use crate::services::answer::{answer_of_type, set_header};
use crate::services::blob::lease::Action;
use crate::services::blob::refusal::Refusal;
use crate::services::request;
use crate::world::World;
use crate::world::clock::http_date;
use crate::world::storage::Blob;

type Shared = State<Arc<World>>;
type Answer = Result<Response, Refusal>;

pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/{container}", any(container))
        .route("/{container}/{*blob}", any(blob))
        .fallback(outside_containers)
        .with_state(world)
}

async fn outside_containers(State(world): Shared, request: Request) -> Response {
    let parts = request.into_parts().0;
    let answer = access::authorize(&world, &mut world.storage(), &parts).map(|_account| ());
    finished(&world, &parts.headers, answer.and(Err(Refusal::UnsupportedHttpVerb)))
}

async fn container(State(world): Shared, Path(name): Path<String>, request: Request) -> Response {
    let parts = request.into_parts().0;
    let answer = answer_container(&world, &name, &parts);
    finished(&world, &parts.headers, answer)
}

fn answer_container(world: &World, name: &str, parts: &Parts) -> Answer {
    let mut storage = world.storage();
    let account = access::authorize(world, &mut storage, parts)?;
    let container = account.containers.get(name).ok_or(Refusal::ContainerNotFound)?;
    if query(parts, "restype").as_deref() != Some("container") {
        return Err(Refusal::UnsupportedHttpVerb);
    }
    match (parts.method.as_str(), query(parts, "comp").as_deref()) {
        ("GET" | "HEAD", None) => Ok(answer_of_type(200, "application/xml", "")),
        ("GET", Some("list")) => {
            let prefix = query(parts, "prefix").unwrap_or_default();
            let host = format!("https://{}/", access::host(parts));
            let xml = list::list(container, &host, name, &prefix, world.clock.epoch());
            Ok(answer_of_type(200, "application/xml", xml))
        }
        _ => Err(Refusal::UnsupportedHttpVerb),
    }
}

async fn blob(
    State(world): Shared,
    Path((container, name)): Path<(String, String)>,
    request: Request,
) -> Response {
    let (request, content) = request::take_body(request).await;
    let parts = request.into_parts().0;
    let answer = answer_blob(&world, &container, &name, &parts, &content);
    finished(&world, &parts.headers, answer)
}

fn answer_blob(world: &World, container: &str, name: &str, parts: &Parts, content: &Bytes) -> Answer {
    let mut storage = world.storage();
    let account = access::authorize(world, &mut storage, parts)?;
    let blobs = &mut account.containers.get_mut(container).ok_or(Refusal::ContainerNotFound)?.blobs;
    let now = world.clock.now();
    let epoch = now.unix_timestamp();
    let lease = header(parts, "x-ms-lease-id");
    let comp = query(parts, "comp");
    if (&parts.method, comp.as_deref()) == (&Method::PUT, None) {
        if header(parts, "x-ms-blob-type") != Some("BlockBlob") {
            return Err(Refusal::InvalidHeaderValue);
        }
        let before = blobs.get(name);
        before.map_or(lease::refuse_without_blob(lease), |blob| blob.may_write(lease, epoch))?;
        let kind = header(parts, "x-ms-blob-content-type").or(header(parts, "content-type"));
        let blob = Blob {
            content: content.to_vec(),
            content_type: kind.unwrap_or("application/octet-stream").to_owned(),
            metadata: metadata(&parts.headers),
            modified: now,
            tag: Uuid::new_v4(),
            lease: before.and_then(|blob| blob.lease.clone()),
        };
        let answer = answer_of_blob(201, &blob, epoch);
        blobs.insert(name.to_owned(), blob);
        return Ok(answer);
    }
    let blob = blobs.get_mut(name).ok_or(Refusal::BlobNotFound)?;
    match (parts.method.as_str(), comp.as_deref()) {
        ("GET" | "HEAD", None | Some("metadata")) => {
            blob.may_read(lease, epoch)?;
            let mut answer = answer_of_blob(200, blob, epoch);
            set_content_headers(&mut answer, blob);
            if comp.is_none() {
                *answer.body_mut() = blob.content.clone().into();
            }
            Ok(answer)
        }
        ("PUT", Some("metadata")) => {
            blob.may_write(lease, epoch)?;
            blob.metadata = metadata(&parts.headers);
            (blob.modified, blob.tag) = (now, Uuid::new_v4());
            Ok(answer_of_blob(200, blob, epoch))
        }
        ("PUT", Some("lease")) => {
            let action = Action::read(|name| header(parts, name))?;
            let status = action.status();
            let id = lease::apply(&mut blob.lease, action, epoch)?;
            let mut answer = answer_of_blob(status, blob, epoch);
            match id {
                Some(id) => set_header(answer.headers_mut(), "x-ms-lease-id", &id.to_string()),
                None if status == 202 => set_header(answer.headers_mut(), "x-ms-lease-time", "0"),
                None => {}
            }
            Ok(answer)
        }
        ("DELETE", None) => {
            blob.may_write(lease, epoch)?;
            blobs.remove(name);
            Ok(answer_of_type(202, "application/xml", ""))
        }
        _ => Err(Refusal::UnsupportedHttpVerb),
    }
}

/// An answer without a body, with the blob's tag, date and lease in its headers.
fn answer_of_blob(status: u16, blob: &Blob, now: i64) -> Response {
    let mut answer = answer_of_type(status, &blob.content_type, "");
    let headers = answer.headers_mut();
    set_header(headers, "etag", &blob.etag());
    set_header(headers, "last-modified", &http_date(blob.modified));
    let state = lease::state(blob.lease.as_ref(), now);
    set_header(headers, "x-ms-lease-state", state);
    set_header(headers, "x-ms-lease-status", if state == "leased" { "locked" } else { "unlocked" });
    answer
}

/// Adds the headers that come with the content of a blob.
fn set_content_headers(answer: &mut Response, blob: &Blob) {
    let headers = answer.headers_mut();
    set_header(headers, "x-ms-blob-type", "BlockBlob");
    set_header(headers, "x-ms-server-encrypted", "true");
    set_header(headers, "accept-ranges", "bytes");
    for (name, value) in &blob.metadata {
        set_header(headers, &format!("{METADATA_PREFIX}{name}"), value);
    }
}

fn finished(world: &World, asked: &HeaderMap, answer: Answer) -> Response {
    let mut answer = answer.unwrap_or_else(|refusal| refusal.answer(&world.urls.entra));
    let headers = answer.headers_mut();
    set_header(headers, "x-ms-request-id", &Uuid::new_v4().to_string());
    for name in ["x-ms-version", "x-ms-client-request-id"] {
        if let Some(value) = asked.get(name) {
            headers.insert(name, value.clone());
        }
    }
    answer
}

fn metadata(headers: &HeaderMap) -> BTreeMap<String, String> {
    let pair = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        let name = name.as_str().strip_prefix(METADATA_PREFIX)?;
        Some((name.to_owned(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter_map(pair).collect()
}

fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

fn query(parts: &Parts, name: &str) -> Option<String> {
    request::value(&request::query(&parts.uri), name).map(str::to_owned)
}

const METADATA_PREFIX: &str = "x-ms-meta-";

//! A feed of Python packages in Azure Artifacts: takes a file, lists the files of a package, and gives one, to a caller whose
//! password is an access token of Entra for Azure DevOps.
//!
//! Source: Azure Artifacts' documentation, "Publish and consume Python packages"; PEP 503; Warehouse's documentation, "Upload API".

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;

use crate::services::answer::{answer_of_type, set_header};
use crate::services::{bearer, request};
use crate::world::World;

/// Azure DevOps as an application of Entra.
const AUDIENCE: &str = "499b84ac-1321-427f-aa17-267ca6975798";
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Whatever is asked for below `/ORGANIZATION/_packaging/FEED/pypi/`.
pub(super) async fn answer(
    State(world): State<Arc<World>>,
    Path((organization, feed, path)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let authorization = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
    if let Some(token) = authorization.and_then(request::basic_password) {
        set_header(&mut parts.headers, "authorization", &format!("Bearer {token}"));
    }
    if bearer::caller(&world, &parts.headers, |audience| audience == AUDIENCE).is_err() {
        let mut answer = answer_of_type(401, "text/plain", "No valid credential was given");
        set_header(answer.headers_mut(), "www-authenticate", "Basic realm=\"https://pkgs.dev.azure.com/\"");
        return answer;
    }
    if parts.method == "POST" && path.trim_end_matches('/') == "upload" {
        return upload(&world, body).await;
    }
    let packages = &world.directory().clouds.packages;
    match (parts.method.as_str(), path.split('/').collect::<Vec<_>>().as_slice()) {
        ("GET", ["simple", package, ..]) => {
            let of_package = packages.keys().filter(|file| file.starts_with(&format!("{package}-")));
            let link = |file: &String| {
                format!("<a href=\"/{organization}/_packaging/{feed}/pypi/download/{file}\">{file}</a>\n")
            };
            answer_of_type(200, "text/html", of_package.map(link).collect::<String>())
        }
        ("GET", ["download", file]) => match packages.get(*file) {
            Some(content) => answer_of_type(200, "application/octet-stream", content.clone()),
            None => answer_of_type(404, "text/plain", "not found"),
        },
        _ => answer_of_type(404, "text/plain", "not found"),
    }
}

async fn upload(world: &World, body: axum::body::Body) -> Response {
    let body = axum::body::to_bytes(body, MAX_BODY_BYTES).await.unwrap_or_default();
    match file_of(&body) {
        Some((name, content)) => {
            world.directory().clouds.packages.insert(name, content);
            answer_of_type(200, "text/plain", "")
        }
        None => answer_of_type(400, "text/plain", "no file"),
    }
}

/// The name and the content of the file in a form (RFC 7578).
fn file_of(form: &[u8]) -> Option<(String, Vec<u8>)> {
    let find = |from: usize, text: &[u8]| {
        Some(from + form[from..].windows(text.len()).position(|part| part == text)?)
    };
    let boundary = [b"\r\n", &form[..find(0, b"\r\n")?]].concat();
    let name = find(0, b"filename=\"")? + b"filename=\"".len();
    let name_end = find(name, b"\"")?;
    let content = find(name_end, b"\r\n\r\n")? + 4;
    let end = find(content, &boundary)?;
    Some((String::from_utf8(form[name..name_end].to_vec()).ok()?, form[content..end].to_vec()))
}

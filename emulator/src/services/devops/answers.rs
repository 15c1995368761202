//! What the answers of Azure DevOps have in common: how it asks for a sign-in, and its headers for support.

use axum::http::HeaderMap;
use axum::http::header::LOCATION;
use axum::response::Response;
use uuid::Uuid;

use crate::services::answer::{set, typed};

/// A browser would be sent to sign in; whoever asks not to be sent gets a plain 401.
pub(super) fn sign_in(headers: &HeaderMap) -> Response {
    let suppressed = headers
        .get("x-tfs-fedauthredirect")
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"Suppress"));
    let mut answer = if suppressed {
        typed(401, "text/plain; charset=utf-8", "")
    } else {
        typed(302, "text/html; charset=utf-8", OBJECT_MOVED)
    };
    if suppressed {
        set(answer.headers_mut(), "www-authenticate", "Bearer");
    } else {
        set(answer.headers_mut(), LOCATION.as_str(), "https://spsprodweu1.vssps.visualstudio.com/_signin");
    }
    traced(answer)
}

/// The headers by which Microsoft's support finds a request again.
pub(super) fn traced(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    set(headers, "x-vss-e2eid", &Uuid::new_v4().to_string());
    let edge = Uuid::new_v4().simple().to_string().to_uppercase();
    set(headers, "x-msedge-ref", &format!("Ref A: {edge} Ref B: EMULATOR Ref C: 0"));
    answer
}

const OBJECT_MOVED: &str = "<html><head><title>Object moved</title></head><body>\
    <h2>Object moved to <a href=\"/_signin\">here</a>.</h2></body></html>";

//! Parts that the answers of Azure DevOps share: the demand for a sign-in, and the headers for support.

use axum::http::HeaderMap;
use axum::http::header::LOCATION;
use axum::response::Response;
use uuid::Uuid;

use crate::services::answer::{answer_of_type, set_header};

/// A redirect to the sign-in page, or a plain 401 when the client asks for no redirect.
pub(super) fn ask_for_sign_in(headers: &HeaderMap) -> Response {
    let suppressed = headers
        .get("x-tfs-fedauthredirect")
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"Suppress"));
    let mut answer = if suppressed {
        answer_of_type(401, "text/plain; charset=utf-8", "")
    } else {
        answer_of_type(302, "text/html; charset=utf-8", OBJECT_MOVED)
    };
    if suppressed {
        set_header(answer.headers_mut(), "www-authenticate", "Bearer");
    } else {
        set_header(
            answer.headers_mut(),
            LOCATION.as_str(),
            "https://spsprodweu1.vssps.visualstudio.com/_signin",
        );
    }
    with_trace_headers(answer)
}

/// Adds the ids by which Microsoft's support finds a request.
pub(super) fn with_trace_headers(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    set_header(headers, "x-vss-e2eid", &Uuid::new_v4().to_string());
    let edge = Uuid::new_v4().simple().to_string().to_uppercase();
    set_header(headers, "x-msedge-ref", &format!("Ref A: {edge} Ref B: EMULATOR Ref C: 0"));
    answer
}

const OBJECT_MOVED: &str = "<html><head><title>Object moved</title></head><body>\
    <h2>Object moved to <a href=\"/_signin\">here</a>.</h2></body></html>";

//! Parts that the answers of Azure DevOps share: the demand for a sign-in, and the headers for support.

use axum::http::HeaderMap;
use axum::http::header::LOCATION;
use axum::response::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::services::answer::{answer_of_type, json_answer, set_header};
use crate::world::directory::quirks::{BadToken, Quirks, UnknownProject};

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

/// What a request without a good token gets.
pub(super) fn refuse_token(quirks: &Quirks, headers: &HeaderMap) -> Response {
    let page = |status| with_trace_headers(answer_of_type(status, "text/html; charset=utf-8", SIGN_IN_PAGE));
    match quirks.bad_token {
        BadToken::Unauthorized => ask_for_sign_in(headers),
        BadToken::PageWith203 => page(203),
        BadToken::PageWith200 => page(200),
        BadToken::Redirect => ask_for_sign_in(&HeaderMap::new()),
    }
}

/// JSON, as a success.
pub(super) fn success(value: &Value) -> Response {
    with_trace_headers(json_answer(200, value))
}

/// A list.
pub(super) fn list(values: &[Value]) -> Response {
    success(&json!({ "count": values.len(), "value": values }))
}

/// An exception in JSON.
pub(super) fn exception(quirks: &Quirks, status: u16, kind: &str, message: &str) -> Response {
    let text = json!({
        "$id": "1",
        "innerException": null,
        "message": message,
        "typeName": format!("Microsoft.VisualStudio.Services.WebApi.{kind}, Microsoft.VisualStudio.Services.WebApi"),
        "typeKey": kind,
        "errorCode": 0,
        "eventId": 3000,
    });
    let mark = if quirks.byte_order_mark { "\u{feff}" } else { "" };
    with_trace_headers(answer_of_type(status, "application/json; charset=utf-8", format!("{mark}{text}")))
}

/// A project that does not exist, or that the caller may not see.
pub(super) fn project_not_found(quirks: &Quirks, project: &str) -> Response {
    let message = format!(
        "VS800075: The project with id 'vstfs:///Classification/TeamProject/{project}' does not exist, or you do not have \
         permission to access it."
    );
    let status = match quirks.unknown_project {
        UnknownProject::NotFound => 404,
        UnknownProject::BadRequest => 400,
    };
    exception(quirks, status, "ProjectDoesNotExistException", &message)
}

/// A version that the resource does not have.
pub(super) fn no_such_version(quirks: &Quirks, version: &str) -> Response {
    let message = format!(
        "The requested version \"{version}\" of the resource is under preview. The -preview flag must be supplied in the \
         api-version for such requests."
    );
    exception(quirks, 400, "VssInvalidPreviewVersionException", &message)
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

const SIGN_IN_PAGE: &str =
    "<!DOCTYPE html><html><head><title>Azure DevOps Services | Sign In</title></head><body></body></html>";

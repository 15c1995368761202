//! Makes HTTP answers.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::Value;

/// An answer in JSON.
pub(crate) fn json_answer(status: u16, value: &Value) -> Response {
    answer_of_type(status, "application/json; charset=utf-8", value.to_string())
}

/// An answer with this content type and body.
pub(crate) fn answer_of_type(status: u16, content_type: &str, body: impl Into<Body>) -> Response {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = StatusCode::from_u16(status).expect("a status has three digits");
    set_header(answer.headers_mut(), CONTENT_TYPE.as_str(), content_type);
    answer
}

/// Sets a header of an answer.
pub(crate) fn set_header(headers: &mut HeaderMap, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
    headers.insert(name, HeaderValue::from_str(value).expect("a header's value"));
}

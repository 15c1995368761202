//! Reads the parts of a request that every service needs: the host, the query, a form.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::Uri;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// No client of ours sends more in one request, in bytes.
const MAX_BODY: usize = 64 << 20;

/// A request without its body, and the body: empty where it was cut short, or is larger than any that is expected.
pub(crate) async fn take_body(request: Request) -> (Request, Bytes) {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, MAX_BODY).await.unwrap_or_default();
    (Request::from_parts(parts, Body::empty()), bytes)
}

/// The base URL that the client used: a public name when a proxy led it here, else an address.
pub(crate) fn base_url(parts: &Parts) -> String {
    format!("https://{}", authority(parts))
}

/// The host (and port) that the client asked for.
pub(crate) fn authority(parts: &Parts) -> String {
    parts
        .uri
        .authority()
        .map(ToString::to_string)
        .or_else(|| parts.headers.get("host").and_then(|host| host.to_str().ok()).map(str::to_owned))
        .unwrap_or_default()
}

/// The password of an `authorization` header by Basic (RFC 7617).
pub(crate) fn basic_password(authorization: &str) -> Option<String> {
    let (scheme, encoded) = authorization.split_once(' ')?;
    let decoded = STANDARD.decode(encoded).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    String::from_utf8(decoded).ok()?.split_once(':').map(|(_user, password)| password.to_owned())
}

/// The pairs of a query or a form, decoded.
pub(crate) fn decode_pairs(encoded: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(encoded).into_owned().collect()
}

/// The pairs of a URI's query, decoded.
pub(crate) fn query(uri: &Uri) -> Vec<(String, String)> {
    decode_pairs(uri.query().unwrap_or_default().as_bytes())
}

/// The value of the parameter of this name.
pub(crate) fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// The value of the parameter of this name, in any case.
pub(crate) fn value_in_any_case<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

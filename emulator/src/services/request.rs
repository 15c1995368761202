//! Reads what every service needs of a request: the host, the query, a form.

use axum::http::Uri;
use axum::http::request::Parts;

/// The base URL by which the client came: a public name when it was led here, else an address.
pub(crate) fn base(parts: &Parts) -> String {
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

/// The pairs of a query or a form, decoded.
pub(crate) fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(encoded).into_owned().collect()
}

/// The pairs of a URI's query, decoded.
pub(crate) fn query(uri: &Uri) -> Vec<(String, String)> {
    pairs(uri.query().unwrap_or_default().as_bytes())
}

/// The value of a query's or a form's parameter; the case of its name does not count.
pub(crate) fn value(pairs: &[(String, String)], name: &str) -> Option<String> {
    pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
}

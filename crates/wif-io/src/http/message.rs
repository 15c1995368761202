//! Requests and answers.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION},
};
use serde::de::DeserializeOwned;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use url::Url;
use wif_core::{azure::hosts, secret::Secret};
use zeroize::Zeroizing;

use super::limits::MAX_ANSWER_BYTES;

/// One request. It is sent again as it is when an attempt fails.
#[derive(Clone)]
pub struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) max_answer_bytes: usize,
}

/// The answer to a request, read to its end.
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The `Retry-After` header, as a delay.
    pub retry_after: Option<Duration>,
    pub(super) headers: HeaderMap,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Request {
    /// A request with no body.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            max_answer_bytes: MAX_ANSWER_BYTES,
        }
    }

    /// Reads an answer of up to so many bytes: for a list, which may be longer than any other answer.
    #[must_use]
    pub fn max_answer_bytes(self, bytes: usize) -> Self {
        Self { max_answer_bytes: bytes, ..self }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }

    /// Adds the id by which both sides find this request in their logs.
    #[must_use]
    pub fn correlation(mut self, name: &'static str, id: uuid::Uuid) -> Self {
        if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Adds `Authorization: Bearer …` (RFC 6750 §2.1). A token that no header can hold is left out, which the
    /// service then says.
    #[must_use]
    pub fn bearer(self, token: &Secret) -> Self {
        self.secret_header("authorization", &Secret::new(format!("Bearer {}", token.expose())))
    }

    /// Adds a header with a secret value, which is never logged. A value that no header can hold is left out; the service then says that it is missing.
    #[must_use]
    pub fn secret_header(mut self, name: &'static str, value: &Secret) -> Self {
        if let Ok(mut value) = HeaderValue::from_str(value.expose()) {
            value.set_sensitive(true);
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Sends `application/x-www-form-urlencoded` pairs. The body is wiped when it is no longer needed.
    #[must_use]
    pub fn form(mut self, pairs: &[(&str, &str)]) -> Self {
        let room = pairs.iter().map(|(name, value)| name.len() + value.len() * 3 + 2).sum();
        let text = url::form_urlencoded::Serializer::new(String::with_capacity(room))
            .extend_pairs(pairs)
            .finish()
            .into_bytes();
        self.body = Bytes::from_owner(Zeroizing::new(text));
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    /// Sends JSON. The body is wiped when it is no longer needed.
    #[must_use]
    pub fn json(mut self, body: Vec<u8>) -> Self {
        self.body = Bytes::from_owner(Zeroizing::new(body));
        self.header("content-type", "application/json")
    }

    pub(super) fn host(&self) -> String {
        self.url.host_str().unwrap_or_default().to_owned()
    }
}

impl Response {
    /// Reads the body as JSON, with or without a byte order mark.
    #[must_use]
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(self.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&self.body)).ok()
    }

    /// The body as it is, where it is text.
    #[must_use]
    pub fn text(&self) -> Option<Secret> {
        std::str::from_utf8(&self.body).ok().map(|text| Secret::new(text.to_owned()))
    }

    /// Whether there is no body.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// Whether the body is a page for people.
    #[must_use]
    pub fn is_html(&self) -> bool {
        let declared = self.header(CONTENT_TYPE.as_str()).is_some_and(|value| value.contains("html"));
        declared || self.body.trim_ascii_start().starts_with(b"<")
    }

    /// What a body that cannot be read is.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        if self.is_empty() {
            "empty"
        } else if self.is_html() {
            "a page for people, as from a proxy or a sign-in portal"
        } else {
            "not the JSON that was expected"
        }
    }

    /// Whether this is Azure DevOps asking a person to sign in, which it does where it knows no token: a redirect to its sign-in
    /// or to that of Entra, a page with the status 203, or its sign-in page. A portal or a proxy on the way has pages and
    /// redirects too, and they say nothing of the token.
    #[must_use]
    pub fn is_devops_sign_in(&self) -> bool {
        match self.status {
            203 => true,
            300..=399 => {
                // Its query is long, and none of it is shown.
                self.headers.get(LOCATION).and_then(|value| value.to_str().ok()).is_some_and(is_sign_in_url)
            }
            200..=299 if self.is_html() => {
                let page = String::from_utf8_lossy(&self.body).to_ascii_lowercase();
                page.contains("azure devops services | sign in") || page.contains("/_signin")
            }
            _ => false,
        }
    }

    /// A header that can be shown: visible ASCII, not long.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().filter(|value| value.len() <= 200)
    }

    /// A header of any length and any characters, to be sent back and not to be shown.
    #[must_use]
    pub fn raw_header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name).map(HeaderValue::as_bytes)
    }
}

/// Whether a redirect leads to a page where a person signs in to Azure DevOps. Its own page has one path on every host.
fn is_sign_in_url(location: &str) -> bool {
    // Only the path counts, for an address on the same host.
    let base = Url::parse("https://dev.azure.com/").ok();
    let url = Url::options().base_url(base.as_ref()).parse(location);
    url.is_ok_and(|url| {
        let path = url.path().trim_end_matches('/').to_ascii_lowercase();
        path.ends_with("/_signin") || url.host_str().is_some_and(hosts::is_known_authority)
    })
}

/// RFC 9110 §5.6.7.
pub(super) fn http_date(value: &HeaderValue) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(value.to_str().ok()?, &Rfc2822).ok()
}

/// RFC 9110 §10.2.3: seconds, or a date.
pub(super) fn delay(value: &HeaderValue, now: OffsetDateTime) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    Duration::try_from(http_date(value)? - now).ok()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now = datetime!(2026-11-22 10:00 UTC);
        let read = |text: &'static str| delay(&HeaderValue::from_static(text), now);
        assert_eq!(read("2"), Some(Duration::from_secs(2)));
        assert_eq!(read("Sun, 22 Nov 2026 10:00:07 GMT"), Some(Duration::from_secs(7)));
        assert_eq!(read("Sun, 22 Nov 2026 09:00:00 GMT"), None);
        assert_eq!(read("soon"), None);
        assert_eq!(read("-1"), None);
    }
}

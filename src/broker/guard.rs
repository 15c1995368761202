//! Only this job can ask: what a request must have before its path is looked at.

use hyper::{HeaderMap, StatusCode, header};

use crate::secret::Secret;

/// A request that is turned away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) reason: String,
}

impl Refused {
    pub(crate) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }
}

/// The header of the App Service protocol that holds the key.
pub(crate) const KEY_HEADER: &str = "x-identity-header";

/// A browser or a proxy leaves traces; a name that leads here by DNS has another host.
pub(crate) fn local(headers: &HeaderMap, port: u16) -> Result<(), Refused> {
    let forbidden = |reason| Err(Refused::new(StatusCode::FORBIDDEN, reason));
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()).unwrap_or_default();
    let ours = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    if hosts.next().is_some() || !ours.iter().any(|own| own.eq_ignore_ascii_case(host)) {
        return forbidden("the Host header is not this broker's loopback address");
    }
    let foreign = |name: &str| {
        matches!(name, "origin" | "x-forwarded-for" | "forwarded" | "x-forwarded-host" | "via")
            || name.starts_with("sec-fetch-")
    };
    if headers.keys().any(|name| foreign(name.as_str())) {
        return forbidden("the request comes from a browser or through a proxy");
    }
    Ok(())
}

/// The key in the App Service header.
pub(crate) fn header_key(headers: &HeaderMap, key: &Secret) -> Result<(), Refused> {
    is_key(headers.get(KEY_HEADER).and_then(|value| value.to_str().ok()), key)
}

/// The key as a bearer token (RFC 6750 §2.1).
pub(crate) fn bearer_key(headers: &HeaderMap, key: &Secret) -> Result<(), Refused> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) = value.and_then(|value| value.split_once(' ')).unwrap_or_default();
    is_key(scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()), key)
}

/// Whether a text is the key, in the same time whatever it is.
pub(crate) fn is_key(given: Option<&str>, key: &Secret) -> Result<(), Refused> {
    let given = Secret::new(given.unwrap_or_default().to_owned());
    if given == *key {
        return Ok(());
    }
    Err(Refused::new(StatusCode::UNAUTHORIZED, "the key is missing or wrong"))
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut headers = HeaderMap::new();
        pairs.for_each(|(name, value)| {
            headers.append(name, value);
        });
        headers
    }

    #[test]
    fn a_foreign_host_or_the_trace_of_a_browser_is_refused() {
        for pairs in [
            &[][..],
            &[("host", "evil.example:80")],
            &[("host", "127.0.0.1")],
            &[("host", "127.0.0.1:81")],
            &[("host", "127.0.0.1:80"), ("host", "evil.example")],
            &[("host", "127.0.0.1:80"), ("origin", "null")],
            &[("host", "127.0.0.1:80"), ("x-forwarded-for", "10.0.0.1")],
            &[("host", "127.0.0.1:80"), ("sec-fetch-site", "none")],
        ] {
            assert_eq!(local(&headers(pairs), 80).unwrap_err().status, 403, "{pairs:?}");
        }
        assert_eq!(local(&headers(&[("host", "127.0.0.1:80")]), 80), Ok(()));
        assert_eq!(local(&headers(&[("host", "LOCALHOST:80")]), 80), Ok(()));
    }

    #[test]
    fn a_key_that_is_missing_short_or_wrong_is_refused() {
        let key = Secret::new("key".to_owned());
        for pairs in [&[][..], &[(KEY_HEADER, "")], &[(KEY_HEADER, "ke")], &[(KEY_HEADER, "keys")]] {
            assert_eq!(header_key(&headers(pairs), &key).unwrap_err().status, 401);
        }
        for value in ["key", "Basic key", "Bearer", "Bearer kex", "Bearerkey"] {
            assert_eq!(bearer_key(&headers(&[("authorization", value)]), &key).unwrap_err().status, 401);
        }
        assert_eq!(header_key(&headers(&[(KEY_HEADER, "key")]), &key), Ok(()));
        assert_eq!(bearer_key(&headers(&[("authorization", "bearer key")]), &key), Ok(()));
    }
}

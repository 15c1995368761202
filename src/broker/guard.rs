//! Only this job can ask: what a request must have before its path is looked at.

use hyper::{
    HeaderMap, StatusCode,
    header::{self, HeaderName},
};

use crate::{foreign_text::lines, secret::Secret};

/// A request that is turned away, or that cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) reason: String,
    /// The caller is not at fault: no token can be had.
    pub(crate) upstream: bool,
}

impl Refused {
    pub(crate) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        // Tools print it, in steps whose output the agent reads.
        Self { status, reason: lines(&reason.into()), upstream: false }
    }

    pub(crate) fn upstream(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { upstream: true, ..Self::new(status, reason) }
    }
}

/// The header of the App Service protocol that holds the key.
pub(crate) const KEY_HEADER: &str = "x-identity-header";

/// A browser or a proxy leaves traces; a name that leads here by DNS has another host.
pub(crate) fn local(headers: &HeaderMap, port: u16) -> Result<(), Refused> {
    let forbidden = |reason| Err(Refused::new(StatusCode::FORBIDDEN, reason));
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()).unwrap_or_default();
    let (name, given) = host.rsplit_once(':').unwrap_or_default();
    let ours = ["127.0.0.1", "localhost"].iter().any(|own| own.eq_ignore_ascii_case(name));
    if hosts.next().is_some() || !ours || given != port.to_string() {
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

/// Where a caller has shown the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// In the header of the App Service protocol.
    InHeader,
    /// As a bearer token (RFC 6750 §2.1).
    AsBearer,
    /// In the first segment of the path, for tools that send no key in a header.
    InPath,
}

/// The path that is asked for, and where the key was shown.
pub(crate) fn keyed<'a>(
    path: &'a str,
    headers: &HeaderMap,
    key: &Secret,
) -> Result<(&'a str, Shown), Refused> {
    static IN_HEADER: HeaderName = HeaderName::from_static(KEY_HEADER);
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if key.is(text(&IN_HEADER)) {
        return Ok((path, Shown::InHeader));
    }
    let (scheme, token) = text(&header::AUTHORIZATION).split_once(' ').unwrap_or_default();
    if scheme.eq_ignore_ascii_case("bearer") && key.is(token.trim()) {
        return Ok((path, Shown::AsBearer));
    }
    let first = path.strip_prefix('/').and_then(|path| path.split_once('/')).map_or("", |(first, _)| first);
    match path.strip_prefix('/').and_then(|path| path.strip_prefix(first)) {
        Some(rest) if key.is(first) => Ok((rest, Shown::InPath)),
        _ => Err(no_key()),
    }
}

/// What a caller without the key hears, or one who shows it where it does not belong.
pub(crate) fn no_key() -> Refused {
    Refused::new(StatusCode::UNAUTHORIZED, "the key is missing or wrong")
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
            &[("host", "127.0.0.1:080")],
            &[("host", "127.0.0.1:80:80")],
            &[("host", "user@127.0.0.1:80")],
            &[("host", ":80")],
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
        for pairs in [
            &[][..],
            &[(KEY_HEADER, "")],
            &[(KEY_HEADER, "ke")],
            &[(KEY_HEADER, "keys")],
            &[("authorization", "key")],
            &[("authorization", "Basic key")],
            &[("authorization", "Bearer")],
            &[("authorization", "Bearer kex")],
            &[("authorization", "Bearerkey")],
        ] {
            for path in ["/identity", "/", "", "/ke/identity", "//key/identity", "/keys/identity", "/key"] {
                let refused = keyed(path, &headers(pairs), &key).unwrap_err();
                assert_eq!(refused.status, 401, "{path} {pairs:?}");
            }
        }
        let shown = |path, pairs| keyed(path, &headers(pairs), &key).unwrap();
        assert_eq!(shown("/identity", &[(KEY_HEADER, "key")]), ("/identity", Shown::InHeader));
        assert_eq!(shown("/azd", &[("authorization", "bearer key")]), ("/azd", Shown::AsBearer));
        assert_eq!(keyed("/key/identity", &headers(&[]), &key), Ok(("/identity", Shown::InPath)));
    }
}

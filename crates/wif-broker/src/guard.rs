//! Only this job can ask: what a request must have before its path is looked at.

use std::sync::Arc;

use hyper::{
    HeaderMap, Method, StatusCode, Uri,
    header::{self, HeaderName},
};
use wif_core::{
    failure::Failure, foreign_text::lines, retry::RetryClass, secret::Secret, token::claims::is_base64url,
};

use super::{
    cache::{CachedToken, FetchResult},
    paths,
};

/// A request that is turned away, or that cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub status: StatusCode,
    pub reason: String,
    /// The caller is not at fault: no token can be had.
    pub upstream: bool,
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

/// A failure that another request cannot change gets 403, which clients do not retry.
pub(crate) fn token_or_refusal(result: FetchResult) -> Result<CachedToken, Refused> {
    result.map_err(|failure: Arc<Failure>| {
        let status = match failure.retry_class {
            RetryClass::Refused | RetryClass::MayPass => StatusCode::FORBIDDEN,
            RetryClass::Unreachable | RetryClass::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
        };
        Refused::upstream(status, failure.to_string())
    })
}

/// Refuses every other method.
pub(crate) fn require_method(method: &Method, accepted: &Method) -> Result<(), Refused> {
    if method == accepted {
        return Ok(());
    }
    Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, format!("only {accepted} is accepted here")))
}

/// The header of the App Service protocol that holds the key.
pub(crate) const KEY_HEADER: &str = "x-identity-header";

/// A browser or a proxy leaves traces; a name that leads here by DNS has another host. Of a target in absolute form, the
/// host is the one that counts (RFC 9112 §3.2.2).
pub(crate) fn check_loopback(uri: &Uri, headers: &HeaderMap, port: u16) -> Result<(), Refused> {
    let forbidden = |reason| Err(Refused::new(StatusCode::FORBIDDEN, reason));
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()).unwrap_or_default();
    if hosts.next().is_some() || !is_own(host, port) {
        return forbidden("the Host header is not this broker's loopback address");
    }
    let scheme = uri.scheme_str().is_none_or(|scheme| scheme == "http");
    if !scheme || uri.authority().is_some_and(|authority| !is_own(authority.as_str(), port)) {
        return forbidden("the address in the request line is not this broker's loopback address");
    }
    // Node's `fetch` sends `Sec-Fetch-Mode`, and no other header of this family; a browser sends `Sec-Fetch-Site` too.
    let foreign = |name: &str| {
        matches!(name, "origin" | "forwarded" | "via")
            || name.starts_with("x-forwarded-")
            || (name.starts_with("sec-fetch-") && name != "sec-fetch-mode")
    };
    if headers.keys().any(|name| foreign(name.as_str())) {
        return forbidden("the request comes from a browser or through a proxy");
    }
    Ok(())
}

/// Whether a host with its port is the broker's.
fn is_own(host: &str, port: u16) -> bool {
    let (name, given) = host.rsplit_once(':').unwrap_or_default();
    let ours = ["127.0.0.1", "localhost"].iter().any(|own| own.eq_ignore_ascii_case(name));
    ours && given == port.to_string()
}

/// Where a caller has shown the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyLocation {
    /// In the header of the App Service protocol.
    InHeader,
    /// As a bearer token (RFC 6750 §2.1).
    AsBearer,
    /// As the whole header `Authorization`, as the AWS SDKs send it.
    AsAuthorization,
    /// In the first segment of the path, for tools that send no key in a header.
    InPath,
}

/// The path that is asked for, and where the key was shown.
pub(crate) fn check_key<'a>(
    path: &'a str,
    headers: &HeaderMap,
    key: &Secret,
) -> Result<(&'a str, KeyLocation), Refused> {
    static IN_HEADER: HeaderName = HeaderName::from_static(KEY_HEADER);
    if text(headers, &IN_HEADER).is_some_and(|text| key.is(text)) {
        return Ok((path, KeyLocation::InHeader));
    }
    if bearer(headers).is_some_and(|token| key.is(token)) {
        return Ok((path, KeyLocation::AsBearer));
    }
    if path == paths::AWS && text(headers, &header::AUTHORIZATION).is_some_and(|text| key.is(text)) {
        return Ok((path, KeyLocation::AsAuthorization));
    }
    let first = path.strip_prefix('/').and_then(|path| path.split_once('/')).map_or("", |(first, _)| first);
    match path.strip_prefix('/').and_then(|path| path.strip_prefix(first)) {
        Some(rest) if key.is(first) => Ok((rest, KeyLocation::InPath)),
        _ => Err(no_key()),
    }
}

/// What a caller without the key hears, or one who shows it where it does not belong.
pub(crate) fn no_key() -> Refused {
    Refused::new(StatusCode::UNAUTHORIZED, "the key is missing or wrong")
}

/// Why a request for the id token is refused that shows a web token instead of the key: it is another tool's.
pub(crate) fn other_token(headers: &HeaderMap) -> Option<Refused> {
    bearer(headers).filter(|token| is_web_token(token)).map(|_token| {
        Refused::new(
            StatusCode::UNAUTHORIZED,
            "ARM_OIDC_REQUEST_URL is this broker's, but the token that came with the request is not: a tool sent one of \
             its own, which TerraformTask@5 does (it sets ARM_OIDC_REQUEST_TOKEN to the job token). Give the step \
             AzureWorkloadIdentity@1 a session: name, or leave terraform out of its exports:",
        )
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = text(headers, &header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The form of a JSON web token (RFC 7519 §3): three parts in base64url, the first of which is a JSON object.
fn is_web_token(text: &str) -> bool {
    text.starts_with("eyJ") && text.split('.').count() == 3 && text.split('.').all(is_base64url)
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
    fn a_refusal_says_whether_the_caller_is_at_fault() {
        assert!(!Refused::new(StatusCode::FORBIDDEN, "not allowed").upstream);
        let unreachable = Refused::upstream(StatusCode::SERVICE_UNAVAILABLE, "no answer\n##vso[x]");
        assert!(unreachable.upstream);
        assert_eq!((unreachable.status.as_u16(), &*unreachable.reason), (503, "no answer\n**vso[x]"));
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
            &[("host", "127.0.0.1:80"), ("x-forwarded-proto", "https")],
            &[("host", "127.0.0.1:80"), ("sec-fetch-site", "none")],
            &[("host", "127.0.0.1:80"), ("sec-fetch-mode", "cors"), ("sec-fetch-site", "none")],
            &[("host", "127.0.0.1:80"), ("sec-fetch-dest", "empty")],
            &[("host", "127.0.0.1:80"), ("forwarded", "for=10.0.0.1")],
            &[("host", "127.0.0.1:80"), ("via", "1.1 proxy")],
        ] {
            let refused = check_loopback(&Uri::from_static("/identity"), &headers(pairs), 80).unwrap_err();
            assert_eq!(refused.status, 403, "{pairs:?}");
        }
        for pairs in [
            &[("host", "127.0.0.1:80")][..],
            &[("host", "LOCALHOST:80")],
            &[("host", "127.0.0.1:80"), ("sec-fetch-mode", "cors")],
        ] {
            assert_eq!(
                check_loopback(&Uri::from_static("/identity"), &headers(pairs), 80),
                Ok(()),
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn a_target_in_absolute_form_must_name_the_broker() {
        let host = headers(&[("host", "127.0.0.1:80")]);
        for target in [
            "http://evil.example/identity",
            "http://evil.example:80/identity",
            "http://127.0.0.1/identity",
            "http://127.0.0.1:81/identity",
            "http://user@127.0.0.1:80/identity",
            "https://127.0.0.1:80/identity",
            "evil.example:80",
        ] {
            let refused = check_loopback(&Uri::from_static(target), &host, 80).unwrap_err();
            assert_eq!(refused.status, 403, "{target}");
        }
        for target in ["http://127.0.0.1:80/identity", "http://localhost:80/identity", "/identity", "*"] {
            assert_eq!(check_loopback(&Uri::from_static(target), &host, 80), Ok(()), "{target}");
        }
    }

    #[test]
    fn a_web_token_in_place_of_the_key_is_explained_and_never_repeated() {
        let refused =
            other_token(&headers(&[("authorization", "Bearer eyJhbGci.eyJzdWIi.c2lnbmF0dXJl")])).unwrap();
        assert_eq!(refused.status, 401);
        for word in ["ARM_OIDC_REQUEST_TOKEN", "TerraformTask@5", "session:", "exports"] {
            assert!(refused.reason.contains(word), "{}", refused.reason);
        }
        assert!(!refused.reason.contains("eyJ"));
        for value in
            ["", "Bearer", "Bearer key", "Bearer eyJ.a", "Bearer eyJ..a", "Bearer a.b.c", "Basic eyJ.a.b"]
        {
            assert_eq!(other_token(&headers(&[("authorization", value)])), None, "{value}");
        }
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
                let refused = check_key(path, &headers(pairs), &key).unwrap_err();
                assert_eq!(refused.status, 401, "{path} {pairs:?}");
            }
        }
        let shown = |path, pairs| check_key(path, &headers(pairs), &key).unwrap();
        assert_eq!(shown("/identity", &[(KEY_HEADER, "key")]), ("/identity", KeyLocation::InHeader));
        assert_eq!(shown("/azd", &[("authorization", "bearer key")]), ("/azd", KeyLocation::AsBearer));
        assert_eq!(check_key("/key/identity", &headers(&[]), &key), Ok(("/identity", KeyLocation::InPath)));
        let verbatim = &[("authorization", "key")];
        assert_eq!(shown("/aws", verbatim), ("/aws", KeyLocation::AsAuthorization));
        for value in ["", "kex", "keys", "Basic key", "key key"] {
            assert!(check_key("/aws", &headers(&[("authorization", value)]), &key).is_err(), "{value}");
        }
    }
}

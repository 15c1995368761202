//! Where requests may go.

use std::fmt;

use url::{Host, Url};

/// A base URL that has passed the rule, so that nothing after it asks again: https, a host, no user, no query,
/// no fragment, and a path that ends in a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Url);

/// A text that is no such URL. It may hold anything, so it is not quoted; who knows where it came from names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// No absolute URL.
    #[error("it is not an absolute URL")]
    Url,
    /// http, or something else.
    #[error("its scheme is not https")]
    Scheme,
    /// `https://user@host`
    #[error("it holds a user name or password")]
    User,
    /// Something after the path.
    #[error("it has a query or fragment")]
    Query,
}

impl Endpoint {
    /// Reads a base URL.
    ///
    /// # Errors
    ///
    /// The text breaks the rule.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let mut url = Url::parse(text.trim()).map_err(|_error| EndpointError::Url)?; // the parser's text adds nothing
        if url.scheme() != "https" {
            return Err(EndpointError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::User);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(EndpointError::Query);
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self(url))
    }

    /// The URL of something below this base. Each segment is escaped.
    #[must_use]
    pub fn join<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// The base itself, with a query but without the slash that `parse` added.
    #[must_use]
    pub fn with_query(&self, pairs: &[(&str, &str)]) -> Url {
        let mut url = self.join([]);
        url.query_pairs_mut().extend_pairs(pairs);
        url
    }

    /// The host, as it stands in the URL.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether scheme, host and port are the same.
    #[must_use]
    pub fn same_origin(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }

    /// Whether the host is an IP address of this machine's loopback.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// The URL, with its trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The URL without a trailing slash.
    #[must_use]
    pub fn bare(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.bare())
    }
}

/// Whether the host of a URL is a loopback address, by number or as `localhost`.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_the_rule_is_refused() {
        for (text, error) in [
            ("", EndpointError::Url),
            ("login.microsoftonline.com", EndpointError::Url),
            ("http://login.microsoftonline.com", EndpointError::Scheme),
            ("file:///etc/passwd", EndpointError::Scheme),
            ("https://user:pass@host", EndpointError::User),
            ("https://host/?x=1", EndpointError::Query),
            ("https://host/#x", EndpointError::Query),
        ] {
            assert_eq!(Endpoint::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_trailing_slash_makes_no_difference() {
        for text in ["https://host/a", "https://host/a/", " https://host/a "] {
            let base = Endpoint::parse(text).unwrap();
            assert_eq!(base.join(["b c", "d/e"]).as_str(), "https://host/a/b%20c/d%2Fe");
            assert_eq!(base.with_query(&[("q", "1 2")]).as_str(), "https://host/a?q=1+2");
        }
        let root = Endpoint::parse("https://host").unwrap();
        assert_eq!(root.join(["b"]).as_str(), "https://host/b");
        assert_eq!((root.as_str(), root.bare()), ("https://host/", "https://host"));
    }

    #[test]
    fn origins_differ_by_scheme_host_and_port_only() {
        let base = Endpoint::parse("https://host:443/a").unwrap();
        assert!(base.same_origin(&Endpoint::parse("https://HOST/b").unwrap()));
        assert!(!base.same_origin(&Endpoint::parse("https://host:8443/a").unwrap()));
    }
}

//! Where requests may go.

use std::fmt;

use url::Url;
use wif_core::azure::hosts::is_loopback;

/// A base URL that has passed the rule, so that nothing after it asks again: https, a host, no user, no query,
/// no fragment, and a path that ends in a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Url);

/// A text that is no such URL. It may hold a secret, so it is not quoted: the caller names the variable that it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// No absolute URL.
    #[error("it is not an absolute URL")]
    Url,
    /// http, or something else.
    #[error("its scheme is not https")]
    Scheme,
    /// Neither http nor https.
    #[error("its scheme is neither http nor https")]
    UnsupportedScheme,
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
        without_user_or_query(&url)?;
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

    /// The port, that of https where the URL names none.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    /// The first segment of the path, as it stands in the URL; nothing, where the path has none.
    #[must_use]
    pub fn first_segment(&self) -> Option<&str> {
        self.0.path_segments()?.next().filter(|segment| !segment.is_empty())
    }

    /// Whether scheme, host and port are the same.
    #[must_use]
    pub fn same_origin(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }

    /// Whether a request to this URL is one to the same scheme, host and port, without a user of its own.
    #[must_use]
    pub fn admits(&self, url: &Url) -> bool {
        self.0.origin() == url.origin() && url.username().is_empty() && url.password().is_none()
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

/// The address of the machine's own managed identity service: the only kind that may be asked without TLS, since it
/// is on the machine or beside it. Nothing that came over a network can make one: the program itself or a variable
/// of its environment names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainEndpoint(Url);

impl PlainEndpoint {
    /// Reads the address: http or https, no user, no query, no fragment.
    ///
    /// # Errors
    ///
    /// The text breaks the rule.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let url = Url::parse(text.trim()).map_err(|_error| EndpointError::Url)?; // the parser's text adds nothing
        if !matches!(url.scheme(), "http" | "https") {
            return Err(EndpointError::UnsupportedScheme);
        }
        without_user_or_query(&url)?;
        Ok(Self(url))
    }

    /// The address of something below this one. Each segment is escaped.
    #[must_use]
    pub fn join<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        Self(url)
    }

    /// The address with a query.
    #[must_use]
    pub fn with_query(&self, pairs: &[(&str, &str)]) -> Url {
        let mut url = self.0.clone();
        url.query_pairs_mut().extend_pairs(pairs);
        url
    }

    /// Whether scheme, host and port are the same.
    #[must_use]
    pub fn same_origin(&self, other: &Self) -> bool {
        self.admits(&other.0)
    }

    /// Whether a request to this URL is one to this service.
    #[must_use]
    pub fn admits(&self, url: &Url) -> bool {
        self.0.origin() == url.origin()
    }

    /// Whether it is asked with TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether it is an address of this machine's loopback, without TLS.
    #[must_use]
    pub fn is_on_this_machine(&self) -> bool {
        self.0.scheme() == "http" && is_loopback(&self.0)
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

fn without_user_or_query(url: &Url) -> Result<(), EndpointError> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(EndpointError::User);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(EndpointError::Query);
    }
    Ok(())
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
    #[test]
    fn a_plain_address_is_http_or_https_and_nothing_more() {
        for (text, error) in [
            ("169.254.169.254", EndpointError::Url),
            ("ftp://host", EndpointError::UnsupportedScheme),
            ("http://user:pass@host", EndpointError::User),
            ("http://host/?x=1", EndpointError::Query),
        ] {
            assert_eq!(PlainEndpoint::parse(text), Err(error), "{text}");
        }
        let base = PlainEndpoint::parse("http://host:81/").unwrap();
        assert_eq!(base.join(["a", "b"]).with_query(&[("q", "1 2")]).as_str(), "http://host:81/a/b?q=1+2");
        assert!(base.same_origin(&base.join(["x"])));
        assert!(!base.same_origin(&PlainEndpoint::parse("http://host/").unwrap()));
    }
}

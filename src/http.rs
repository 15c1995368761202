//! HTTP: TLS, proxy, trust, time and size limits, no redirects, and the retry loop.

use std::{
    error::Error,
    io,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use reqwest::{
    Method,
    header::{AGE, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
    redirect,
};
use serde::de::DeserializeOwned;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use url::Url;
use zeroize::Zeroizing;

use crate::{
    clock::{Clock, Deadline},
    endpoint::PlainEndpoint,
    retry::{Outcome, Policy},
    secret::Secret,
};

/// Finds the proxy for a URL.
pub type ProxyRule = Arc<dyn Fn(&Url) -> Option<Url> + Send + Sync>;

/// How to reach the network from here.
#[derive(Default)]
pub struct Settings {
    /// Which proxy to use for which URL.
    pub proxy: Option<ProxyRule>,
    /// User and password for the proxy.
    pub proxy_login: Option<(String, Secret)>,
    /// Roots to trust beside the operating system's.
    pub roots: Vec<reqwest::Certificate>,
    /// The client certificate with its key.
    pub identity: Option<reqwest::Identity>,
    /// Whether to accept any server certificate.
    pub skip_validation: bool,
}

/// An HTTP client that holds to the house's limits.
pub struct Http {
    client: reqwest::Client,
    /// The only service that is asked; none: whichever speaks https.
    only: Option<PlainEndpoint>,
    clock: Arc<dyn Clock>,
    skew: AtomicI64,
}

/// One request. It is sent again as it is when an attempt fails.
#[derive(Clone)]
pub struct Request {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
}

/// The answer to a request, read to its end.
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The `Retry-After` header, as a delay.
    pub retry_after: Option<Duration>,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
}

/// No usable answer came. Hosts are named, URLs and bodies are not.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The name server knows no address.
    #[error("the name {host} could not be resolved")]
    Name {
        /// The host asked for.
        host: String,
    },
    /// No connection.
    #[error("no connection to {host}: {reason}")]
    Connect {
        /// The host asked for.
        host: String,
        /// What the operating system said.
        reason: String,
    },
    /// The server's certificate is not trusted.
    #[error("the certificate of {host} is not trusted: {reason}")]
    Certificate {
        /// The host asked for.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The TLS handshake failed for another reason.
    #[error("TLS with {host} failed: {reason}")]
    Tls {
        /// The host asked for.
        host: String,
        /// What went wrong.
        reason: String,
    },
    /// The other side ended the TLS handshake.
    #[error("{host} refused the TLS handshake: {reason}")]
    Alert {
        /// The host asked for.
        host: String,
        /// What it said.
        reason: String,
    },
    /// The proxy wants a user and password, or others.
    #[error("the proxy refused to connect to {host}: it demands a user and password (407)")]
    ProxyLogin {
        /// The host asked for.
        host: String,
    },
    /// The proxy could not or would not connect.
    #[error("the proxy could not connect to {host}: {reason}")]
    Proxy {
        /// The host asked for.
        host: String,
        /// What the proxy's answer was.
        reason: String,
    },
    /// Too slow.
    #[error("{host} gave no answer within {} s", after.as_secs())]
    Timeout {
        /// The host asked for.
        host: String,
        /// How long this attempt waited.
        after: Duration,
    },
    /// The connection ended in the middle of the answer.
    #[error("the connection to {host} broke: {reason}")]
    Broken {
        /// The host asked for.
        host: String,
        /// What went wrong.
        reason: String,
    },
    /// A request without TLS to somebody else than the machine's own service: never sent.
    #[error("{host} is not the managed identity service of this machine")]
    Stranger {
        /// The host that was to be asked.
        host: String,
    },
    /// Too much.
    #[error("the answer of {host} is larger than {} KiB", MOST / 1024)]
    TooLarge {
        /// The host asked for.
        host: String,
    },
}

/// The settings do not make a client.
#[derive(Debug, thiserror::Error)]
#[error("TLS could not be set up: {reason}")]
pub struct SetupError {
    reason: String,
}

/// The largest answer that is read, in bytes.
const MOST: usize = 256 * 1024;
/// How long a connection may take to be established.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a connection may be silent, and how long it may take to answer a ping.
const PING: Duration = Duration::from_secs(5);
/// How long the connection made ahead may hold the request that it is made for.
const WARM: Duration = Duration::from_secs(2);
/// No skew has been seen yet.
const UNKNOWN: i64 = i64::MIN;

impl Http {
    /// Builds the client.
    ///
    /// # Errors
    ///
    /// TLS cannot be set up, for instance because there are no trust roots at all.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let mut builder = builder()
            .https_only(true)
            // A connection whose path went silent is found out, and not used for the next attempt.
            .http2_keep_alive_interval(PING)
            .http2_keep_alive_timeout(PING)
            .tls_certs_merge(settings.roots)
            .tls_danger_accept_invalid_certs(settings.skip_validation);
        if let Some(rule) = settings.proxy {
            let mut proxy = reqwest::Proxy::custom(move |url| rule(url));
            if let Some((user, password)) = settings.proxy_login {
                proxy = proxy.basic_auth(&user, password.expose());
            }
            builder = builder.proxy(proxy);
        }
        if let Some(identity) = settings.identity {
            builder = builder.identity(identity);
        }
        Self::of(builder, None, clock)
    }

    /// Builds a client for the machine's own managed identity service, which speaks no TLS: it asks nobody else, and
    /// never by a proxy.
    ///
    /// # Errors
    ///
    /// There are no trust roots at all; the address may be https all the same.
    pub fn plain(only: PlainEndpoint, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        Self::of(builder(), Some(only), clock)
    }

    fn of(
        builder: reqwest::ClientBuilder,
        only: Option<PlainEndpoint>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetupError> {
        let client = builder.build().map_err(|error| SetupError { reason: root_cause(&error) })?;
        Ok(Self { client, only, clock, skew: AtomicI64::new(UNKNOWN) })
    }

    /// The clock, for another client.
    #[must_use]
    pub fn shared_clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The clock that limits are counted by.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// How far the services' clocks were ahead of this machine's (negative: behind) in their last answer.
    #[must_use]
    pub fn skew(&self) -> Option<time::Duration> {
        match self.skew.load(Ordering::Relaxed) {
            UNKNOWN => None,
            seconds => Some(time::Duration::seconds(seconds)),
        }
    }

    /// Opens a connection to the host of `url`, so that a later request finds it ready. Whether it works is
    /// found out by that request.
    pub async fn warm(&self, url: Url) {
        let limit = self.clock.limit(WARM);
        tokio::select! {
            // Its date is not looked at: a cache on the way may have kept this answer.
            _ = self.exchange(Request::new(Method::GET, url)) => {}
            () = limit => {}
        }
    }

    /// Calls `attempt` until it succeeds, its error is not worth another try, or the deadline leaves no time.
    /// `attempt` gets the time that it may take: `patience`, or less at the end.
    ///
    /// # Errors
    ///
    /// The last attempt's.
    pub async fn retrying<T, E, F: Future<Output = Result<T, E>>>(
        &self,
        deadline: Deadline,
        patience: Duration,
        outcome: impl Fn(&E) -> Outcome,
        mut attempt: impl FnMut(Duration) -> F,
    ) -> Result<T, E> {
        let policy = Policy::default();
        let mut tries = 0;
        loop {
            let limit = patience.min(deadline.remaining(&*self.clock));
            let error = match attempt(limit).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let remaining = deadline.remaining(&*self.clock);
            let Some(delay) = policy.after(tries, outcome(&error), remaining, jitter()) else {
                return Err(error);
            };
            tracing::debug!(tries, ?delay, "trying again");
            self.clock.sleep(delay).await;
            tries += 1;
        }
    }

    /// Sends a request once.
    ///
    /// # Errors
    ///
    /// No complete answer came within `limit`. Every status is an answer.
    pub async fn send(&self, request: Request, limit: Duration) -> Result<Response, HttpError> {
        let host = request.host();
        let (method, path) = (request.method.clone(), request.url.path().to_owned());
        let begin = self.clock.elapsed();
        let result = tokio::select! {
            result = self.exchange(request) => result,
            () = self.clock.limit(limit) => Err(HttpError::Timeout { host: host.clone(), after: limit }),
        };
        if let Ok(response) = &result {
            self.look_at_date(response);
        }
        let took = self.clock.elapsed().saturating_sub(begin);
        match &result {
            Ok(response) => tracing::debug!(%method, host, path, response.status, ?took, "answered"),
            Err(error) => tracing::debug!(%method, host, path, %error, ?took, "no answer"),
        }
        result
    }

    /// An answer with an age is an old one.
    fn look_at_date(&self, response: &Response) {
        let date = response.headers.get(DATE).filter(|_| !response.headers.contains_key(AGE));
        if let Some(date) = date.and_then(http_date) {
            self.skew.store((date - self.clock.now()).whole_seconds(), Ordering::Relaxed);
        }
    }

    async fn exchange(&self, request: Request) -> Result<Response, HttpError> {
        let host = request.host();
        if self.only.as_ref().is_some_and(|only| !only.admits(&request.url)) {
            return Err(HttpError::Stranger { host });
        }
        let fail = |error: reqwest::Error| classify(&host, &error);
        let mut response = self
            .client
            .request(request.method, request.url)
            .headers(request.headers)
            .body(request.body)
            .send()
            .await
            .map_err(fail)?;
        let mut body = Zeroizing::new(Vec::with_capacity(16 * 1024));
        while let Some(chunk) = response.chunk().await.map_err(fail)? {
            if body.len() + chunk.len() > MOST {
                return Err(HttpError::TooLarge { host });
            }
            body.extend_from_slice(&chunk);
        }
        let now = self.clock.now();
        let headers = std::mem::take(response.headers_mut());
        Ok(Response {
            status: response.status().as_u16(),
            retry_after: headers.get(RETRY_AFTER).and_then(|value| delay(value, now)),
            headers,
            body,
        })
    }
}

impl Request {
    /// A request with no body.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Bytes::new() }
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

    /// Adds a header that nobody may see. A value that no header can hold is left out, which the service then says.
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

    fn host(&self) -> String {
        self.url.host_str().unwrap_or_default().to_owned()
    }
}

impl Response {
    /// Reads the body as JSON, with or without a byte order mark.
    #[must_use]
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(self.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&self.body)).ok()
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

    /// A header that can be shown: visible ASCII, not long.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().filter(|value| value.len() <= 200)
    }
}

impl HttpError {
    /// Whether another attempt may help.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Certificate { .. }
            | Self::ProxyLogin { .. }
            | Self::Stranger { .. }
            | Self::TooLarge { .. } => Outcome::Refused,
            Self::Alert { .. } | Self::Proxy { .. } => Outcome::Doubtful,
            Self::Name { .. }
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Timeout { .. }
            | Self::Broken { .. } => Outcome::Unreachable,
        }
    }
}

/// What both kinds of clients hold to.
fn builder() -> reqwest::ClientBuilder {
    // The crypto library is named once; an error says that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent(concat!("wif/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT)
        .no_proxy()
}

/// Tells apart what reqwest keeps in one type, by the types and words in its chain of causes.
fn classify(host: &str, error: &reqwest::Error) -> HttpError {
    let host = host.to_owned();
    let reason = root_cause(error);
    for cause in causes(error) {
        match cause.downcast_ref() {
            Some(rustls::Error::InvalidCertificate(_)) => return HttpError::Certificate { host, reason },
            Some(rustls::Error::AlertReceived(_)) => return HttpError::Alert { host, reason },
            Some(_) => return HttpError::Tls { host, reason },
            None => {}
        }
        let text = cause.to_string();
        if text.contains("proxy authorization required") {
            return HttpError::ProxyLogin { host };
        }
        if text.starts_with("tunnel error") {
            return HttpError::Proxy { host, reason };
        }
        if text.starts_with("dns error") {
            return HttpError::Name { host };
        }
    }
    if error.is_timeout() {
        HttpError::Timeout { host, after: CONNECT }
    } else if error.is_connect() {
        HttpError::Connect { host, reason }
    } else {
        HttpError::Broken { host, reason }
    }
}

/// The causes of an error, outermost first. An I/O error's own `source` passes over the error that it wraps.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    fn next<'a>(error: &&'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
        let error = *error;
        match error.downcast_ref::<io::Error>() {
            Some(io) => io.get_ref().map(|inner| inner as _),
            None => error.source(),
        }
    }
    std::iter::successors(error.source(), next)
}

/// The innermost cause: the outer ones repeat what our own text says, and may hold a URL.
fn root_cause(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| "the request could not be made".to_owned(), ToString::to_string)
}

/// RFC 9110 §5.6.7.
fn http_date(value: &HeaderValue) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(value.to_str().ok()?, &Rfc2822).ok()
}

/// RFC 9110 §10.2.3: seconds, or a date.
fn delay(value: &HeaderValue, now: OffsetDateTime) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    Duration::try_from(http_date(value)? - now).ok()
}

fn jitter() -> u8 {
    // Without randomness the delays are the longest.
    getrandom::u32().map_or(0, |number| number.to_le_bytes()[0])
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[tokio::test]
    async fn without_tls_only_the_machines_own_service_is_asked() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let clock = || Arc::new(crate::clock::System::new());
        let own = PlainEndpoint::parse("http://169.254.169.254/").unwrap();
        let ask = || Request::new(Method::GET, url.clone());
        let plain = Http::plain(own, clock()).unwrap();
        let refused = plain.send(ask(), Duration::from_secs(5)).await.err().unwrap();
        assert!(matches!(refused, HttpError::Stranger { .. }), "{refused}");
        let usual = Http::new(Settings::default(), clock()).unwrap();
        assert!(usual.send(ask(), Duration::from_secs(5)).await.is_err());
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock, "nobody connected");
    }

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

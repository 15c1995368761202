//! HTTP: TLS, proxy, trust, time and size limits, no redirects, and the retry loop.

mod error;
mod limits;
mod message;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use reqwest::{
    Method,
    header::{AGE, DATE, RETRY_AFTER},
    redirect,
};
use url::Url;
use zeroize::Zeroizing;

pub use self::{
    error::HttpError,
    message::{Request, Response},
};
use self::{
    error::{classify, root_cause},
    limits::{CONNECT_TIMEOUT, PING_TIMEOUT, WARM_TIMEOUT},
    message::{delay, http_date},
};
use crate::{
    clock::{Clock, Deadline, Limit},
    endpoint::PlainEndpoint,
};
use wif_core::{
    retry::{Policy, RetryClass},
    secret::Secret,
};

/// The addresses of this machine that `localhost` means. The port is that of the URL.
const LOOPBACK: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0),
];

/// Finds the proxy for a URL.
pub type ProxyRule = Arc<dyn Fn(&Url) -> Option<Url> + Send + Sync>;

/// How to reach the network from here.
#[derive(Default)]
pub struct Settings {
    /// Which proxy to use for which URL.
    pub proxy: Option<ProxyRule>,
    /// User and password for the proxy.
    pub proxy_login: Option<(String, Secret)>,
    /// Roots to trust.
    pub roots: Vec<reqwest::Certificate>,
    /// Whether no other roots are trusted; else the operating system's are, too.
    pub only_roots: bool,
    /// Variables that are set, and name roots for other programs. Nothing is read from them; who looks for the reason of a
    /// root that is not trusted is told of them.
    pub roots_of_others: Vec<&'static str>,
    /// The client certificate with its key.
    pub identity: Option<reqwest::Identity>,
    /// Whether to accept any server certificate.
    pub skip_validation: bool,
    /// Where a host is, whatever its name resolves to: for a server whose certificate has another name than its address.
    pub resolved: Option<(String, Vec<SocketAddr>)>,
}

/// An HTTP client with limits on time, size and hosts.
pub struct Http {
    client: reqwest::Client,
    /// The only service that is asked; none: every https service.
    only: Option<PlainEndpoint>,
    proxy: Option<ProxyRule>,
    roots_of_others: Vec<&'static str>,
    clock: Arc<dyn Clock>,
    skew: AtomicI64,
}

/// The settings do not make a client.
#[derive(Debug, thiserror::Error)]
#[error("TLS could not be set up: {reason}")]
pub struct SetupError {
    reason: String,
}

/// No skew has been seen yet.
const NO_SKEW: i64 = i64::MIN;

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
            .http2_keep_alive_interval(PING_TIMEOUT)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .tls_danger_accept_invalid_certs(settings.skip_validation);
        if settings.only_roots && settings.roots.is_empty() && !settings.skip_validation {
            let reason = "there are no CA certificates on this system".to_owned();
            return Err(SetupError { reason });
        }
        builder = if settings.only_roots {
            builder.tls_certs_only(settings.roots)
        } else {
            builder.tls_certs_merge(settings.roots)
        };
        if let Some(rule) = settings.proxy.clone() {
            let mut proxy = reqwest::Proxy::custom(move |url| rule(url));
            if let Some((user, password)) = settings.proxy_login {
                proxy = proxy.basic_auth(&user, password.expose());
            }
            builder = builder.proxy(proxy);
        }
        if let Some((host, addresses)) = &settings.resolved {
            builder = builder.resolve_to_addrs(host, addresses);
        }
        if let Some(identity) = settings.identity {
            builder = builder.identity(identity);
        }
        let http = Self::of(builder, None, clock)?;
        Ok(Self { proxy: settings.proxy, roots_of_others: settings.roots_of_others, ..http })
    }

    /// Builds a client for the machine's own managed identity service, which speaks no TLS: it asks no other host, and
    /// never by a proxy.
    ///
    /// # Errors
    ///
    /// The address is https all the same, and there are no trust roots.
    pub fn plain(only: PlainEndpoint, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        // Without TLS there is nothing to trust, so that a system without a store will do.
        let builder = if only.is_https() { builder() } else { builder().tls_certs_only([]) };
        // The name means this machine, whatever a hosts file says.
        let builder = builder.resolve_to_addrs("localhost", &LOOPBACK);
        Self::of(builder, Some(only), clock)
    }

    fn of(
        builder: reqwest::ClientBuilder,
        only: Option<PlainEndpoint>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetupError> {
        let client = builder.build().map_err(|error| SetupError { reason: root_cause(&error) })?;
        let (proxy, roots_of_others) = (None, Vec::new());
        Ok(Self { client, only, proxy, roots_of_others, clock, skew: AtomicI64::new(NO_SKEW) })
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
            NO_SKEW => None,
            seconds => Some(time::Duration::seconds(seconds)),
        }
    }

    /// Forgets what earlier answers told of the clock: it may have been set since.
    pub fn forget_skew(&self) {
        self.skew.store(NO_SKEW, Ordering::Relaxed);
    }

    /// Opens a connection to the host of `url`, so that a later request finds it ready. Whether it works is
    /// found out by that request.
    pub async fn warm(&self, url: Url) {
        let limit = self.clock.limit(Limit::ConnectionAhead, WARM_TIMEOUT);
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
        retry_class: impl Fn(&E) -> RetryClass,
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
            let Some(delay) = policy.after(tries, retry_class(&error), remaining, self.clock.jitter()) else {
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
            () = self.clock.limit(Limit::Request, limit) => Err(HttpError::Timeout { host: host.clone(), after: limit }),
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
        let (host, max_bytes) = (request.host(), request.max_answer_bytes);
        if self.only.as_ref().is_some_and(|only| !only.admits(&request.url)) {
            return Err(HttpError::UnexpectedHost { host });
        }
        let proxy = self.proxy.as_ref().and_then(|rule| rule(&request.url));
        let proxy = proxy.as_ref().and_then(Url::host_str);
        let fail = |error: reqwest::Error| classify(&host, proxy, &self.roots_of_others, &error);
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
            if body.len() + chunk.len() > max_bytes {
                return Err(HttpError::TooLarge { host, max_bytes });
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

/// What both kinds of clients hold to.
fn builder() -> reqwest::ClientBuilder {
    // The crypto library is named once; an error says that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent(concat!("wif/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .no_proxy()
}

#[cfg(test)]
mod tests {
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
        assert!(matches!(refused, HttpError::UnexpectedHost { .. }), "{refused}");
        let usual = Http::new(Settings::default(), clock()).unwrap();
        assert!(usual.send(ask(), Duration::from_secs(5)).await.is_err());
        assert_eq!(
            listener.accept().unwrap_err().kind(),
            std::io::ErrorKind::WouldBlock,
            "no connection came"
        );
    }
}

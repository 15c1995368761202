//! Why no usable answer came.

use std::{error::Error, io, time::Duration};

use wif_core::retry::RetryClass;

use super::limits::CONNECT_TIMEOUT;

/// No usable answer came. Hosts are named, URLs and bodies are not.
#[derive(Clone, Debug, thiserror::Error)]
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
    #[error("the certificate of {host} is not trusted: {reason}{}", not_read(roots_of_others))]
    Certificate {
        /// The host asked for.
        host: String,
        /// What is wrong with it.
        reason: String,
        /// Variables that name a CA for other programs, where the CA is the matter.
        roots_of_others: Vec<&'static str>,
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
    /// A request without TLS to another host than the machine's own service: never sent.
    #[error("{host} is not the managed identity service of this machine")]
    UnexpectedHost {
        /// The host that was to be asked.
        host: String,
    },
    /// Too much.
    #[error("the answer of {host} is larger than {} KiB", max_bytes / 1024)]
    TooLarge {
        /// The host asked for.
        host: String,
        /// How many bytes are read at the most.
        max_bytes: usize,
    },
}

impl HttpError {
    /// What it is, in two or three words.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Name { .. } => "its name is not resolved",
            Self::Connect { .. } => "no connection",
            Self::Certificate { .. } => "its certificate is not trusted",
            Self::Tls { .. } | Self::Alert { .. } => "TLS fails",
            Self::ProxyLogin { .. } => "the proxy demands a password",
            Self::Proxy { .. } => "the proxy does not connect",
            Self::Timeout { .. } => "it takes too long",
            Self::Broken { .. } => "the connection breaks",
            Self::UnexpectedHost { .. } => "it may not be asked",
            Self::TooLarge { .. } => "its answer is too large",
        }
    }

    /// Whether another attempt may help.
    #[must_use]
    pub const fn retry_class(&self) -> RetryClass {
        match self {
            Self::Certificate { .. } | Self::ProxyLogin { .. } | Self::UnexpectedHost { .. } => RetryClass::Refused,
            Self::Alert { .. } | Self::Proxy { .. } => RetryClass::MayPass,
            Self::Name { .. }
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Timeout { .. }
            | Self::Broken { .. }
            // No service answers at such length, but a page of something on the way may.
            | Self::TooLarge { .. } => RetryClass::Unreachable,
        }
    }
}

fn not_read(roots_of_others: &[&str]) -> String {
    match roots_of_others {
        [] => String::new(),
        names => format!(" (set here, but read by other programs only: {})", names.join(", ")),
    }
}

/// Tells apart what reqwest keeps in one type, by the types and words in its chain of causes.
pub(super) fn classify(
    host: &str,
    proxy: Option<&str>,
    roots_of_others: &[&'static str],
    error: &reqwest::Error,
) -> HttpError {
    let host = host.to_owned();
    let reason = root_cause(error);
    for cause in causes(error) {
        match cause.downcast_ref() {
            Some(rustls::Error::InvalidCertificate(what)) => {
                let about_ca = *what == rustls::CertificateError::UnknownIssuer;
                let roots_of_others = if about_ca { roots_of_others.to_vec() } else { Vec::new() };
                return HttpError::Certificate { host, reason, roots_of_others };
            }
            Some(rustls::Error::AlertReceived(_)) => return HttpError::Alert { host, reason },
            Some(_) => return HttpError::Tls { host, reason },
            None => {}
        }
        let text = cause.to_string();
        if text.contains("proxy authorization required") {
            return HttpError::ProxyLogin { host };
        }
        if text.starts_with("tunnel error") {
            // What the system says is of the way to the proxy: that one has refused nothing.
            return if causes(error).any(<dyn Error>::is::<io::Error>) {
                let proxy = proxy.map(|proxy| format!(" {proxy}")).unwrap_or_default();
                HttpError::Connect {
                    host,
                    reason: format!("the proxy{proxy} could not be reached: {reason}"),
                }
            } else {
                HttpError::Proxy { host, reason }
            };
        }
        if text.starts_with("dns error") {
            return HttpError::Name { host };
        }
    }
    if error.is_timeout() {
        HttpError::Timeout { host, after: CONNECT_TIMEOUT }
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
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| "the request could not be made".to_owned(), ToString::to_string)
}

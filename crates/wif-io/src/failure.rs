//! What a user reads of a failure of this machine, or of the way out of it: code and hint.

use wif_core::{code::Code, failure::Failure};

use crate::{
    http::{HttpError, SetupError},
    private_folder::FolderError,
};

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Self {
        Self::new(
            Code::NetworkSettings,
            error,
            "install the system's CA certificates (package ca-certificates), or name a bundle of them: SSL_CERT_FILE, or the agent's --sslcacert",
        )
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        let (code, hint) = explain(&error);
        let retry_class = error.retry_class();
        Self::new(code, error, hint).with_retry_class(retry_class)
    }
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        let hint = "make sure that the agent's temporary folder (AGENT_TEMPDIRECTORY) exists, is writable and has space";
        Self::new(Code::FolderUnwritable, error, hint)
    }
}

/// The code of a failed request, and what to do about it. The errors of the services, which hold one, say the same.
#[must_use]
pub fn explain(error: &HttpError) -> (Code, &'static str) {
    match error {
        HttpError::Name { .. } => (
            Code::NameNotResolved,
            "check this machine's name server, or name the proxy: HTTPS_PROXY, or the agent's --proxyurl",
        ),
        HttpError::Connect { .. } | HttpError::Broken { .. } => (
            Code::ConnectionFailed,
            "check the firewall: this machine must reach Azure DevOps and the authority on port 443, directly or by the proxy that HTTPS_PROXY or the agent's --proxyurl names",
        ),
        HttpError::UnexpectedHost { .. } => (Code::Bug, "report this with the version of the task"),
        HttpError::Certificate { .. } => (
            Code::TlsFailed,
            "if a proxy inspects TLS here, let its CA be trusted: by a bundle that SSL_CERT_FILE names, the agent's --sslcacert, or the system's trust store (NODE_EXTRA_CA_CERTS and REQUESTS_CA_BUNDLE are not read); check the clock too",
        ),
        HttpError::Tls { .. } | HttpError::Alert { .. } => {
            (Code::TlsFailed, "check whether a proxy or firewall here breaks TLS to this host")
        }
        HttpError::ProxyLogin { .. } => (
            Code::ProxyRefused,
            "give the proxy's user and password: http://user:password@host:port in HTTPS_PROXY, or the agent's --proxyusername and --proxypassword",
        ),
        HttpError::Proxy { .. } => (
            Code::ProxyRefused,
            "let the proxy connect to this host on port 443, or add the host to its bypass list",
        ),
        HttpError::Timeout { .. } => (
            Code::TimedOut,
            "run the job again; if it lasts, check the firewall and the proxy between this machine and the host",
        ),
        HttpError::TooLarge { .. } => (
            Code::AnswerUnusable,
            "check the proxy and its settings: something other than the service may have answered",
        ),
    }
}

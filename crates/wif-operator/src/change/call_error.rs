//! Why a call to a service has failed.

use std::time::Duration;

use serde_json::Value;
use wif_azure::rest::{RestError, ServiceError};
use wif_core::{
    foreign_text::{identifier, service_message},
    retry::RetryClass,
};
use wif_io::http::{HttpError, Response};

/// Why a call has failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// No answer.
    #[error("there was no answer: {0}")]
    Http(HttpError),
    /// 401, or a page for signing in.
    #[error("the token was refused ({0})")]
    Token(u16),
    /// Another refusal.
    #[error("it was refused ({status}{}{})", code.as_ref().map(|code| format!(", {code}")).unwrap_or_default(), message.as_ref().map(|message| format!(": {message}")).unwrap_or_default())]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The code.
        code: Option<String>,
        /// The message.
        message: Option<String>,
    },
    /// 408, 429, 5xx.
    #[error("the service was busy or unavailable ({status})")]
    Busy {
        /// The HTTP status.
        status: u16,
        /// When to come back.
        retry_after: Option<Duration>,
    },
    /// Something else than what was asked for.
    #[error("the answer ({0}) is not what was asked for")]
    Unusable(u16),
    /// There is no token.
    #[error("there is no token for {0}")]
    NoToken(&'static str),
    /// It was not sent: to save a connection of the Azure DevOps issuer may move it to that of Entra.
    #[error("to save it may move it to the issuer of Entra: run wif issuer plan first")]
    OldIssuer,
}

/// Said by a conversion of what is converted already.
const ALREADY: &str = "neither an upgrade nor a downgrade";

impl From<&RestError> for CallError {
    fn from(error: &RestError) -> Self {
        match error {
            RestError::Http(error) => Self::Http(error.clone()),
            RestError::HeldBack { status, retry_after } => {
                Self::Busy { status: *status, retry_after: Some(*retry_after) }
            }
            RestError::Busy(response) | RestError::Refused(response) | RestError::Unusable(response)
                if response.status == 401 || response.is_devops_sign_in() =>
            {
                Self::Token(response.status)
            }
            RestError::Busy(response) => {
                Self::Busy { status: response.status, retry_after: response.retry_after }
            }
            RestError::Refused(response) => {
                let body = response.json::<Value>();
                let error = body.as_ref().and_then(|body| body.get("error")).or(body.as_ref());
                let text = |name: &str| error.and_then(|error| error.get(name)).and_then(Value::as_str);
                let code = text("code").or_else(|| text("typeKey")).and_then(|code| identifier(code, 80));
                let message = text("message").and_then(service_message);
                Self::Refused { status: response.status, code, message }
            }
            RestError::Unusable(response) => Self::Unusable(response.status),
        }
    }
}

impl ServiceError for CallError {
    fn is_success(response: &Response) -> bool {
        (200..=299).contains(&response.status) && !response.is_devops_sign_in()
    }

    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Http(error) => error.retry_class(),
            Self::Busy { retry_after, .. } => RetryClass::Busy { retry_after: *retry_after },
            Self::Unusable(_) => RetryClass::Unreachable,
            Self::Token(_) | Self::Refused { .. } | Self::NoToken(_) | Self::OldIssuer => RetryClass::Refused,
        }
    }
}

impl CallError {
    /// Whether a service said no, as opposed to nothing.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Token(_) | Self::Refused { .. } | Self::NoToken(_) | Self::OldIssuer)
    }

    /// Whether there is no such thing.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether a conversion was refused because it was made already.
    pub(super) fn is_already_converted(&self) -> bool {
        matches!(self, Self::Refused { message: Some(message), .. } if message.contains(ALREADY))
    }
}

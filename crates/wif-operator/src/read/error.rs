//! Why something was not read, as coverage tells it.

use std::time::Duration;

use serde_json::Value;
use wif_azure::rest::{LostPage, RestError, ServiceError};
use wif_core::{
    foreign_text::{identifier, service_message},
    retry::RetryClass,
};
use wif_io::http::{HttpError, Response};

use crate::snapshot::State;

/// No usable answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// No answer, or one that broke off.
    #[error("gave no answer: {0}")]
    Http(HttpError),
    /// 401, or a page for signing in.
    #[error("refused the token (it answered {status})")]
    Token { status: u16 },
    /// 403, and other refusals.
    #[error("refused (it answered {status}{}{})", code.as_ref().map(|code| format!(", {code}")).unwrap_or_default(), message.as_ref().map(|message| format!(": {message}")).unwrap_or_default())]
    Refused { status: u16, code: Option<String>, message: Option<String> },
    /// 408, 429, 5xx.
    #[error("was unavailable or busy until we gave up (it answered {status})")]
    Busy { status: u16, retry_after: Option<Duration> },
    /// It asks to wait for longer than is waited.
    #[error("asks to wait for {} s, which is longer than the 300 s that we wait", .0.as_secs())]
    TooLong(Duration),
    /// Something else than what was asked for.
    #[error("answered {status} with something that is not what was asked for ({kind})")]
    Unusable { status: u16, kind: &'static str },
    /// A page of a list cannot be asked for.
    #[error("gave a list of which {0}")]
    Page(LostPage),
}

impl ReadError {
    /// How coverage calls it.
    pub(super) const fn state(&self) -> State {
        match self {
            Self::Token { .. } | Self::Refused { .. } => State::Denied,
            Self::Http(_) | Self::Busy { .. } | Self::TooLong(_) | Self::Unusable { .. } | Self::Page(_) => {
                State::Failed
            }
        }
    }

    /// Whether the service says that there is no such thing, or none that the token may see.
    pub(super) fn is_absent(&self) -> bool {
        match self {
            Self::Refused { status: 404, .. } => true,
            Self::Refused { status: 400, message, .. } => {
                message.as_ref().is_some_and(|message| message.contains("VS800075"))
            }
            _ => false,
        }
    }

    /// The error's code, where the service named one.
    pub(super) fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => code.as_deref(),
            _ => None,
        }
    }

    /// The HTTP status, where there was an answer.
    pub(super) const fn status(&self) -> Option<u16> {
        match self {
            Self::Token { status }
            | Self::Refused { status, .. }
            | Self::Busy { status, .. }
            | Self::Unusable { status, .. } => Some(*status),
            Self::Http(_) | Self::TooLong(_) | Self::Page(_) => None,
        }
    }

    /// A refusal as Azure DevOps (`message`, `typeKey`) or the others (`error`) shape it.
    pub(super) fn refused(status: u16, body: Option<&Value>) -> Self {
        let error = body.and_then(|body| body.get("error")).or(body);
        let text = |name: &str| error.and_then(|error| error.get(name)).and_then(Value::as_str);
        let code = text("code").or_else(|| text("typeKey")).and_then(|code| identifier(code, 80));
        let message = text("message").and_then(service_message);
        if status == 401 { Self::Token { status } } else { Self::Refused { status, code, message } }
    }
}

impl From<&RestError> for ReadError {
    fn from(error: &RestError) -> Self {
        match error {
            RestError::Http(error) => Self::Http(error.clone()),
            RestError::HeldBack { retry_after, .. } => Self::TooLong(*retry_after),
            RestError::Busy(response) | RestError::Refused(response) | RestError::Unusable(response)
                if response.status == 401 || response.is_devops_sign_in() =>
            {
                Self::Token { status: response.status }
            }
            RestError::Busy(response) => {
                Self::Busy { status: response.status, retry_after: response.retry_after }
            }
            RestError::Refused(response) => Self::refused(response.status, response.json::<Value>().as_ref()),
            RestError::Unusable(response) => {
                Self::Unusable { status: response.status, kind: response.kind() }
            }
        }
    }
}

impl ServiceError for ReadError {
    fn is_success(response: &Response) -> bool {
        (200..=299).contains(&response.status) && !response.is_devops_sign_in()
    }

    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Http(error) => error.retry_class(),
            Self::Busy { status: 429 | 503, retry_after } => RetryClass::Busy { retry_after: *retry_after },
            Self::Busy { retry_after: Some(delay), .. } => RetryClass::Busy { retry_after: Some(*delay) },
            Self::Busy { .. } | Self::Unusable { .. } => RetryClass::Unreachable,
            Self::Token { .. } | Self::Refused { .. } | Self::TooLong(_) | Self::Page(_) => {
                RetryClass::Refused
            }
        }
    }
}

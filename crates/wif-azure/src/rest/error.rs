//! Why a call has no usable answer, before a service puts it into its own words.

use std::{fmt, time::Duration};

use wif_core::retry::RetryClass;
use wif_io::http::{HttpError, Response};

/// No usable answer. The answer itself is kept for the service, which may know what its body says.
#[derive(thiserror::Error)]
pub enum RestError {
    /// No answer.
    #[error("no answer: {0}")]
    Http(HttpError),
    /// The request was not sent: an earlier answer asked to wait for longer than there is time.
    #[error("not asked, since the answer before ({status}) asked to wait {} s", retry_after.as_secs())]
    HeldBack {
        /// The HTTP status of the answer that asked to wait.
        status: u16,
        /// What is left of the wait.
        retry_after: Duration,
    },
    /// 408, 429, 5xx
    #[error("busy (it answered {})", .0.status)]
    Busy(Box<Response>),
    /// Any other status that is no success.
    #[error("refused (it answered {})", .0.status)]
    Refused(Box<Response>),
    /// A redirect, or a success without what was asked for.
    #[error("it answered {} with something that is not what was asked for", .0.status)]
    Unusable(Box<Response>),
}

/// A service's own errors: the wording, and what is worth another attempt.
pub trait ServiceError: for<'a> From<&'a RestError> + Send {
    /// Whether an answer is a success. Some services refuse with a status of success.
    #[must_use]
    fn is_success(response: &Response) -> bool {
        (200..=299).contains(&response.status)
    }

    /// Whether another attempt of a call that changes nothing may help.
    fn retry_class(&self) -> RetryClass;
}

/// A call that was to change something has not succeeded.
#[derive(Debug, thiserror::Error)]
pub enum WriteError<E> {
    /// The service has changed nothing.
    #[error("{0}")]
    NotDone(E),
    /// The service may have changed it, or may still do so: read it back before another attempt.
    #[error("{0}; it is unknown whether the change was made")]
    Unknown(E),
}

impl fmt::Debug for RestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An answer may hold a token.
        write!(f, "RestError({self})")
    }
}

impl RestError {
    /// Sorts an answer that is no success by its status.
    pub(super) fn of_status(response: Response) -> Self {
        let response = Box::new(response);
        match response.status {
            // These services never redirect.
            300..=399 => Self::Unusable(response),
            408 | 429 | 500..=599 => Self::Busy(response),
            _ => Self::Refused(response),
        }
    }

    /// Whether a call that changes something may be sent again: only where this error proves that nothing was done.
    pub(super) const fn retry_class_of_change(&self) -> RetryClass {
        match self {
            Self::Http(error) if !may_have_arrived(error) => error.retry_class(),
            Self::HeldBack { retry_after, .. } => RetryClass::Busy { retry_after: Some(*retry_after) },
            Self::Busy(response) if was_turned_away(response) => {
                RetryClass::Busy { retry_after: response.retry_after }
            }
            _ => RetryClass::Refused,
        }
    }

    /// Whether a call that changes something may have done so.
    pub(super) fn may_have_changed(&self) -> bool {
        match self {
            Self::Http(error) => may_have_arrived(error),
            Self::HeldBack { .. } | Self::Refused(_) => false,
            Self::Busy(response) => response.status != 429 && !was_turned_away(response),
            // Something on the way may have answered in the place of the service.
            Self::Unusable(response) => (200..=299).contains(&response.status),
        }
    }
}

/// 429 or 503 with the time to come back: the service has not begun with the request.
const fn was_turned_away(response: &Response) -> bool {
    matches!(response.status, 429 | 503) && response.retry_after.is_some()
}

/// Whether the service may have read the request. TLS errors and alerts come after the handshake, too.
const fn may_have_arrived(error: &HttpError) -> bool {
    match error {
        HttpError::Name { .. }
        | HttpError::Connect { .. }
        | HttpError::Certificate { .. }
        | HttpError::ProxyLogin { .. }
        | HttpError::Proxy { .. }
        | HttpError::UnexpectedHost { .. } => false,
        HttpError::Tls { .. }
        | HttpError::Alert { .. }
        | HttpError::Timeout { .. }
        | HttpError::Broken { .. }
        | HttpError::TooLarge { .. } => true,
    }
}

//! What Azure Resource Manager and Microsoft Graph have in common: the shape of an error, and of a federated credential.

use std::time::Duration;

use serde::Deserialize;
use wif_core::{
    foreign_text::{ForeignText, identifier, service_message},
    refusals::{self, KnownRefusal},
    retry::RetryClass,
    trust::compare::Trusted,
};
use wif_io::http::{HttpError, Response};

use super::rest::{RestError, ServiceError};

/// No usable answer.
#[derive(Debug, thiserror::Error)]
pub enum ManagementError {
    /// No answer.
    #[error("no answer from Azure")]
    Http(#[from] HttpError),
    /// The service's own refusal.
    #[error("Azure refused (it answered {status}{}){}", name.as_ref().map(|name| format!(", {name}")).unwrap_or_default(), known.map(|known| format!(": {}", known.meaning)).unwrap_or_default())]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The error's code, where it is one.
        name: Option<String>,
        /// What it means, where that is known.
        known: Option<&'static KnownRefusal>,
        /// What the message tells: action, scope, object id.
        facts: Vec<(&'static str, String)>,
        /// The message itself, as far as it may be shown.
        message: Option<String>,
    },
    /// 408, 429, 5xx without a known code
    #[error("Azure is unavailable or busy (it answered {status})")]
    Busy {
        /// The HTTP status.
        status: u16,
        /// When to come back.
        retry_after: Option<Duration>,
    },
    /// Not what the protocol says.
    #[error("Azure answered {status} with something that is not what was asked for")]
    Unusable {
        /// The HTTP status.
        status: u16,
    },
}

/// A federated credential: whose id tokens an identity trusts.
#[derive(Deserialize)]
pub(super) struct FederatedCredential {
    /// Graph has it here; Azure Resource Manager has it beside.
    pub(super) name: Option<String>,
    issuer: ForeignText,
    /// A flexible federated credential has none.
    subject: Option<ForeignText>,
    #[serde(default)]
    audiences: Vec<ForeignText>,
}

#[derive(Deserialize)]
struct Refused {
    error: Reason,
}

#[derive(Deserialize)]
struct Reason {
    code: String,
    message: Option<String>,
}

impl FederatedCredential {
    /// What it trusts. `name` can be shown, and `holder` is the identity that it belongs to.
    pub(super) fn trusted(self, name: &str, holder: &str) -> Trusted {
        let Self { issuer, subject, audiences, .. } = self;
        Trusted { by: format!("the federated credential '{name}' of {holder}"), issuer, subject, audiences }
    }
}

impl From<&RestError> for ManagementError {
    fn from(error: &RestError) -> Self {
        match error {
            RestError::Http(error) => Self::Http(error.clone()),
            RestError::HeldBack { status, retry_after } => {
                Self::Busy { status: *status, retry_after: Some(*retry_after) }
            }
            RestError::Unusable(response) => Self::Unusable { status: response.status },
            RestError::Busy(response) => Self::refused(response, true),
            RestError::Refused(response) => Self::refused(response, false),
        }
    }
}

impl ServiceError for ManagementError {
    fn retry_class(&self) -> RetryClass {
        self.retry_class()
    }
}

impl ManagementError {
    fn refused(response: &Response, is_busy: bool) -> Self {
        let status = response.status;
        let reason = response.json().map(|Refused { error }| error);
        let name = reason.as_ref().and_then(|reason| identifier(&reason.code, 80));
        let known = name.as_deref().and_then(refusals::named);
        if known.is_none() && is_busy {
            return Self::Busy { status, retry_after: response.retry_after };
        }
        let message = reason.and_then(|reason| reason.message).unwrap_or_default();
        let (facts, message) = (facts(&message), service_message(&message));
        Self::Refused { status, name, known, facts, message }
    }

    /// Whether another attempt may help.
    #[must_use]
    pub fn retry_class(&self) -> RetryClass {
        match self {
            Self::Http(error) => error.retry_class(),
            Self::Busy { retry_after, .. } => RetryClass::Busy { retry_after: *retry_after },
            Self::Refused { known, .. } => {
                known.map_or(RetryClass::Refused, |known| known.retry.retry_class())
            }
            Self::Unusable { .. } => RetryClass::Unreachable,
        }
    }

    /// What it means, where that is known.
    #[must_use]
    pub const fn known(&self) -> Option<&'static KnownRefusal> {
        match self {
            Self::Refused { known, .. } => *known,
            Self::Http(_) | Self::Busy { .. } | Self::Unusable { .. } => None,
        }
    }

    /// The service's own message, as far as it may be shown.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Refused { message, .. } => message.as_deref(),
            Self::Http(_) | Self::Busy { .. } | Self::Unusable { .. } => None,
        }
    }
}

/// What a refusal for a missing role says, in quotes: who may not do what, where.
fn facts(message: &str) -> Vec<(&'static str, String)> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let quoted = |(label, marker): (&'static str, &str)| {
        let (_, rest) = message.split_once(marker)?;
        let (value, _) = rest.split_once('\'')?;
        (!value.is_empty() && value.len() <= 300 && value.chars().all(plain))
            .then(|| (label, value.to_owned()))
    };
    [("action", "action '"), ("scope", "scope '"), ("object id", "object id '")]
        .into_iter()
        .filter_map(quoted)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_do_what_and_where_is_read_from_the_message_and_nothing_else() {
        let message = "The client 'c' with object id 'o-1' does not have authorization to perform action 'A.B/c/read' over \
                       scope '/subscriptions/s' or the scope is invalid.";
        let expected = [("action", "A.B/c/read"), ("scope", "/subscriptions/s"), ("object id", "o-1")]
            .map(|(l, v)| (l, v.to_owned()));
        assert_eq!(facts(message), expected);
        assert_eq!(facts("action '##vso[x]' scope 'a b' object id '"), Vec::new());
    }
}

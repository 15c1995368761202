//! A question, and the shape that both services give to an error.

use std::time::Duration;

use reqwest::Method;
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;
use wif_core::{
    foreign_text::{identifier, service_message},
    refusals::{self, KnownRefusal},
    retry::RetryClass,
    secret::Secret,
};
use wif_io::{
    clock::Deadline,
    http::{Http, HttpError, Request, Response},
};

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

#[derive(Deserialize)]
struct Refused {
    error: Reason,
}

#[derive(Deserialize)]
struct Reason {
    code: String,
    message: Option<String>,
}

/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks with an access token.
///
/// # Errors
///
/// There was no answer by the deadline, or another attempt cannot help.
pub(super) async fn ask<T: DeserializeOwned>(
    http: &Http,
    deadline: Deadline,
    url: Url,
    token: &Secret,
) -> Result<T, ManagementError> {
    let is_usable = |response: &Response| response.json::<T>().is_some();
    let response = answer(http, deadline, url, token, &is_usable).await?;
    response.json().ok_or(ManagementError::Unusable { status: response.status })
}

/// Asks once: for what a caller can do without, and for a list of which a page may be large.
///
/// # Errors
///
/// There was no answer within `limit`, or not the one that was asked for.
pub(super) async fn ask_once<T: DeserializeOwned>(
    http: &Http,
    limit: Duration,
    url: Url,
    token: &Secret,
    max_bytes: usize,
) -> Result<T, ManagementError> {
    let request = Request::new(Method::GET, url).bearer(token).header("accept", "application/json");
    let response = checked(http.send(request.max_answer_bytes(max_bytes), limit).await?)?;
    response.json().ok_or(ManagementError::Unusable { status: response.status })
}

/// Sends the request with retries; the caller decodes the body. Not generic, to keep one copy in the program.
async fn answer(
    http: &Http,
    deadline: Deadline,
    url: Url,
    token: &Secret,
    is_usable: &(dyn Fn(&Response) -> bool + Sync),
) -> Result<Response, ManagementError> {
    let request = Request::new(Method::GET, url).bearer(token).header("accept", "application/json");
    let attempt = |limit| {
        let answer = http.send(request.clone(), limit);
        async {
            let response = checked(answer.await?)?;
            let status = response.status;
            if is_usable(&response) { Ok(response) } else { Err(ManagementError::Unusable { status }) }
        }
    };
    http.retrying(deadline, ATTEMPT_TIMEOUT, ManagementError::outcome, attempt).await
}

fn checked(response: Response) -> Result<Response, ManagementError> {
    let status = response.status;
    if (200..=299).contains(&status) {
        return Ok(response);
    }
    // These services never redirect.
    if (300..=399).contains(&status) {
        return Err(ManagementError::Unusable { status });
    }
    let reason = response.json().map(|Refused { error }| error);
    let name = reason.as_ref().and_then(|reason| identifier(&reason.code, 80));
    let known = name.as_deref().and_then(refusals::named);
    if known.is_none() && matches!(status, 408 | 429 | 500..=599) {
        return Err(ManagementError::Busy { status, retry_after: response.retry_after });
    }
    let message = reason.and_then(|reason| reason.message).unwrap_or_default();
    let (facts, message) = (facts(&message), service_message(&message));
    Err(ManagementError::Refused { status, name, known, facts, message })
}

impl ManagementError {
    /// Whether another attempt may help.
    #[must_use]
    pub fn outcome(&self) -> RetryClass {
        match self {
            Self::Http(error) => error.outcome(),
            Self::Busy { retry_after, .. } => RetryClass::Busy { retry_after: *retry_after },
            Self::Refused { known, .. } => known.map_or(RetryClass::Refused, |known| known.retry.outcome()),
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

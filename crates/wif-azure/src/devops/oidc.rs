//! The Oidctoken API: a job token in, an id token out.

use std::time::Duration;

use serde::Deserialize;
use url::Url;
use wif_core::{
    code::Code,
    foreign_text::{identifier, one_line, service_message},
    refusals::{self, KnownRefusal},
    retry::{RetryClass, asked_to_wait},
    secret::Secret,
};
use wif_io::{
    clock::Deadline,
    http::{Http, HttpError, Response},
};

use super::SUPPRESS_SIGN_IN;
use crate::rest::{Rest, RestError, ServiceError, Token};

/// No id token.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// No answer.
    #[error("no id token from Azure DevOps")]
    Http(#[from] HttpError),
    /// 401, or a sign-in page.
    #[error("{} (it answered {status}{})", meaning(known_job_token(*.status)), if *.page { " with a sign-in page" } else { "" })]
    JobToken {
        /// The HTTP status.
        status: u16,
        /// Whether a page for people came.
        page: bool,
    },
    /// The stage does not refer to the connection.
    #[error("Azure DevOps signs no id token: {}", meaning(NOT_REFERENCED))]
    NotReferenced,
    /// 404
    #[error("{} (404)", meaning(UNKNOWN_CONNECTION))]
    UnknownConnection,
    /// The plan refuses; known to pass.
    #[error("Azure DevOps refused for the moment ({kind}): {}", meaning(PLAN_SECURITY))]
    PlanSecurity {
        /// The exception's type key.
        kind: String,
    },
    /// 408, 429, 5xx
    #[error("{} (it answered {status}{})", meaning(known_busy(*.status)), asked_to_wait(*.retry_after))]
    Busy {
        /// The HTTP status.
        status: u16,
        /// When to come back.
        retry_after: Option<Duration>,
    },
    /// A refusal that is known by its message only.
    #[error("Azure DevOps refused to sign an id token (it answered {status}, {}): {}", known.name, known.meaning)]
    KnownMessage {
        /// The HTTP status.
        status: u16,
        /// What it means.
        known: &'static KnownRefusal,
    },
    /// Any other refusal.
    #[error("Azure DevOps refused to sign an id token (it answered {status}{}){}", kind.as_ref().map(|kind| format!(", {kind}")).unwrap_or_default(), meaning_clause(known_refused(*.status, kind.as_deref())))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The exception's type key.
        kind: Option<String>,
    },
    /// No token, and no refusal: something on the way may have answered.
    #[error("Azure DevOps answered {status} without an id token: the body is {body}")]
    NoToken {
        /// The HTTP status.
        status: u16,
        /// What came instead.
        body: &'static str,
    },
}

/// An error with the ids that Microsoft's support asks for.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Refusal {
    /// What happened.
    #[source]
    pub error: OidcError,
    /// `x-vss-e2eid` and `x-msedge-ref` of the last answer.
    pub ids: Vec<String>,
    /// Its own message, as far as it may be shown.
    pub message: Option<String>,
}

/// The answer, in all its known shapes.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Answer {
    oidc_token: Option<String>,
    value: Option<serde_json::Value>,
    message: Option<String>,
    type_key: Option<String>,
}

/// The longest id that is shown, in characters. `x-msedge-ref` has about 90.
const MAX_ID: usize = 200;
/// A throttled request is held for up to 30 seconds and then answered as usual.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(35);

/// Asks for an id token.
///
/// # Errors
///
/// None was given by the deadline, or another attempt cannot help.
pub async fn id_token(
    http: &Http,
    deadline: Deadline,
    url: &Url,
    job_token: &Secret,
) -> Result<Secret, Refusal> {
    let (name, value) = SUPPRESS_SIGN_IN;
    let rest = Rest::new(http, deadline, url.clone(), &Token::Bearer(job_token.clone())).header(name, value);
    let query = rest.post_query([]).attempt_timeout(ATTEMPT_TIMEOUT);
    let query = query.header("content-type", "application/json").header("content-length", "0");
    let response = query.send::<Refusal>(&|response| read(response).is_ok()).await?;
    read(&response).map_err(|error| Refusal::of(error, &response))
}

impl Refusal {
    fn of(error: OidcError, response: &Response) -> Self {
        Self { error, ids: ids(response), message: message(response) }
    }
}

impl From<&RestError> for Refusal {
    fn from(error: &RestError) -> Self {
        let without_answer = |error| Self { error, ids: Vec::new(), message: None };
        match error {
            RestError::Http(error) => without_answer(error.clone().into()),
            RestError::HeldBack { status, retry_after } => {
                without_answer(OidcError::Busy { status: *status, retry_after: Some(*retry_after) })
            }
            RestError::Busy(response) | RestError::Refused(response) | RestError::Unusable(response) => {
                let no_token = OidcError::NoToken { status: response.status, body: response.kind() };
                Self::of(read(response).err().unwrap_or(no_token), response)
            }
        }
    }
}

impl ServiceError for Refusal {
    fn retry_class(&self) -> RetryClass {
        self.error.retry_class()
    }
}

fn read(response: &Response) -> Result<Secret, OidcError> {
    let status = response.status;
    let answer: Option<Answer> = response.json();
    let known_message = answer.as_ref().and_then(|answer| refusals::in_words(&answer.texts()));
    let kind = answer.as_ref().and_then(|answer| identifier(answer.type_key.as_deref()?, 80));
    if let Some(kind) = kind.clone().filter(|kind| kind.contains("PlanSecurity")) {
        return Err(OidcError::PlanSecurity { kind });
    }
    match status {
        _ if known_message.is_some_and(|known| known.code == Code::ConnectionNotReferenced) => {
            Err(OidcError::NotReferenced)
        }
        _ if status == 401 || response.is_devops_sign_in() => {
            Err(OidcError::JobToken { status, page: response.is_html() })
        }
        408 | 429 | 500..=599 => Err(OidcError::Busy { status, retry_after: response.retry_after }),
        400..=499 if let Some(known) = known_message => Err(OidcError::KnownMessage { status, known }),
        404 => Err(OidcError::UnknownConnection),
        200..=299 => {
            let token = answer.and_then(|answer| answer.oidc_token).filter(|token| !token.is_empty());
            token.map(Secret::new).ok_or(OidcError::NoToken { status, body: response.kind() })
        }
        300..=399 => Err(OidcError::NoToken { status, body: response.kind() }),
        _ => Err(OidcError::Refused { status, kind }),
    }
}

impl OidcError {
    /// What it means, where that is known.
    #[must_use]
    pub fn known(&self) -> Option<&'static KnownRefusal> {
        match self {
            Self::JobToken { status, .. } => refusals::named(known_job_token(*status)),
            Self::NotReferenced => refusals::named(NOT_REFERENCED),
            Self::UnknownConnection => refusals::named(UNKNOWN_CONNECTION),
            Self::PlanSecurity { .. } => refusals::named(PLAN_SECURITY),
            Self::Busy { status, .. } => refusals::named(known_busy(*status)),
            Self::KnownMessage { known, .. } => Some(known),
            Self::Refused { status, kind } => known_refused(*status, kind.as_deref()),
            Self::Http(_) | Self::NoToken { .. } => None,
        }
    }

    /// Whether another attempt may help.
    #[must_use]
    pub const fn retry_class(&self) -> RetryClass {
        match self {
            Self::Http(error) => error.retry_class(),
            Self::PlanSecurity { .. } => RetryClass::MayPass,
            Self::Busy { retry_after, .. } => RetryClass::Busy { retry_after: *retry_after },
            Self::NoToken { .. } => RetryClass::Unreachable,
            Self::JobToken { .. }
            | Self::NotReferenced
            | Self::UnknownConnection
            | Self::KnownMessage { .. }
            | Self::Refused { .. } => RetryClass::Refused,
        }
    }
}

const NOT_REFERENCED: &str = "no-explicit-reference";
const UNKNOWN_CONNECTION: &str = "oidctoken-404";
const PLAN_SECURITY: &str = "TaskOrchestrationPlanSecurityException";

const fn known_job_token(status: u16) -> &'static str {
    match status {
        401 => "oidctoken-401",
        200..=299 => "oidctoken-203",
        _ => "oidctoken-302",
    }
}

const fn known_busy(status: u16) -> &'static str {
    if status == 429 { "TF400733" } else { "oidctoken-503" }
}

fn known_refused(status: u16, kind: Option<&str>) -> Option<&'static KnownRefusal> {
    if status == 405 { refusals::named("oidctoken-405") } else { kind.and_then(refusals::named) }
}

fn meaning(name: &str) -> &'static str {
    refusals::named(name).map(|known| known.meaning).unwrap_or_default()
}

fn meaning_clause(known: Option<&KnownRefusal>) -> String {
    known.map(|known| format!(": {}", known.meaning)).unwrap_or_default()
}

impl Answer {
    /// Every message in the body, joined.
    fn texts(&self) -> String {
        let value = self.value.as_ref();
        let nested = value.and_then(|value| value.get("Message").or_else(|| value.get("message")));
        let texts =
            [value.and_then(|v| v.as_str()), nested.and_then(|v| v.as_str()), self.message.as_deref()];
        texts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

fn message(response: &Response) -> Option<String> {
    service_message(&response.json::<Answer>()?.texts())
}

fn ids(response: &Response) -> Vec<String> {
    let id = |(label, header): (&str, &str)| {
        Some(format!("{label} {}", one_line(response.header(header)?, MAX_ID)))
    };
    [("activity", "x-vss-e2eid"), ("edge", "x-msedge-ref")].into_iter().filter_map(id).collect()
}

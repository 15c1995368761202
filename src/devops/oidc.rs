//! The Oidctoken API: a job token in, an id token out.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use url::Url;

use crate::{
    clock::Deadline,
    http::{Http, HttpError, Request, Response},
    retry::Outcome,
    secret::Secret,
};

/// No id token.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// No answer.
    #[error("no id token from Azure DevOps")]
    Http(#[from] HttpError),
    /// 401, or a sign-in page.
    #[error("Azure DevOps refused the job token (it answered {status}{})", if *.page { " with a sign-in page" } else { "" })]
    JobToken {
        /// The HTTP status.
        status: u16,
        /// Whether a page for people came.
        page: bool,
    },
    /// The stage does not refer to the connection.
    #[error("Azure DevOps says that this stage has no explicit reference to the connection")]
    NotReferenced,
    /// 404
    #[error("Azure DevOps finds no such connection for this job (404)")]
    UnknownConnection,
    /// The plan refuses; known to pass.
    #[error("Azure DevOps refused for the moment: {kind}")]
    PlanSecurity {
        /// The exception's type key.
        kind: String,
    },
    /// 408, 429, 5xx
    #[error("Azure DevOps is unavailable or busy (it answered {status}{})", asked(*.retry_after))]
    Busy {
        /// The HTTP status.
        status: u16,
        /// When to come back.
        retry_after: Option<Duration>,
    },
    /// Any other refusal.
    #[error("Azure DevOps refused to sign an id token (it answered {status}{})", kind.as_ref().map(|kind| format!(", {kind}")).unwrap_or_default())]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The exception's type key.
        kind: Option<String>,
    },
    /// Success without a token.
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

/// A throttled request is held for up to 30 seconds and then answered as usual.
const PATIENCE: Duration = Duration::from_secs(35);

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
    let request = Request::new(Method::POST, url.clone())
        .bearer(job_token)
        .header("content-type", "application/json")
        .header("content-length", "0")
        .header("accept", "application/json")
        // Without it a bad token is answered with a redirect to a sign-in page.
        .header("x-tfs-fedauthredirect", "Suppress");
    let attempt = |limit| {
        let answer = http.send(request.clone(), limit);
        async {
            let response = answer.await.map_err(|error| Refusal { error: error.into(), ids: Vec::new() })?;
            read(&response).map_err(|error| Refusal { error, ids: ids(&response) })
        }
    };
    http.retrying(deadline, PATIENCE, |refusal: &Refusal| refusal.error.outcome(), attempt).await
}

fn read(response: &Response) -> Result<Secret, OidcError> {
    let status = response.status;
    let answer: Option<Answer> = response.json();
    let says = |words: &str| {
        let answer = answer.as_ref();
        let value = answer.and_then(|answer| answer.value.as_ref()).and_then(serde_json::Value::as_str);
        let message = answer.and_then(|answer| answer.message.as_deref());
        [value, message].into_iter().flatten().any(|text| text.contains(words))
    };
    let kind = answer.as_ref().and_then(|answer| answer.type_key.as_deref()).and_then(name);
    if let Some(kind) = kind.clone().filter(|kind| kind.contains("PlanSecurity")) {
        return Err(OidcError::PlanSecurity { kind });
    }
    match status {
        _ if says("no explicit reference to service connection") => Err(OidcError::NotReferenced),
        401 | 203 | 300..=399 => Err(OidcError::JobToken { status, page: response.is_html() }),
        404 => Err(OidcError::UnknownConnection),
        408 | 429 | 500..=599 => Err(OidcError::Busy { status, retry_after: response.retry_after }),
        200..=299 if response.is_html() => Err(OidcError::JobToken { status, page: true }),
        200..=299 => match answer.and_then(|answer| answer.oidc_token).filter(|token| !token.is_empty()) {
            Some(token) => Ok(Secret::new(token)),
            None if response.is_empty() => Err(OidcError::NoToken { status, body: "empty" }),
            None => Err(OidcError::NoToken { status, body: "not the JSON that was expected" }),
        },
        _ => Err(OidcError::Refused { status, kind }),
    }
}

impl OidcError {
    /// Whether another attempt may help.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Http(error) => error.outcome(),
            Self::PlanSecurity { .. } => Outcome::Doubtful,
            Self::Busy { retry_after, .. } => Outcome::Busy { retry_after: *retry_after },
            Self::JobToken { .. }
            | Self::NotReferenced
            | Self::UnknownConnection
            | Self::Refused { .. }
            | Self::NoToken { .. } => Outcome::Refused,
        }
    }
}

/// A type key that is one: letters only, so that nothing else of a foreign body is shown.
fn name(text: &str) -> Option<String> {
    (text.len() <= 80 && text.chars().all(|c| c.is_ascii_alphanumeric())).then(|| text.to_owned())
}

fn ids(response: &Response) -> Vec<String> {
    let id = |(label, header): (&str, &str)| Some(format!("{label} {}", response.header(header)?));
    [("activity", "x-vss-e2eid"), ("edge", "x-msedge-ref")].into_iter().filter_map(id).collect()
}

fn asked(retry_after: Option<Duration>) -> String {
    retry_after.map(|delay| format!(" and asked to wait {} s", delay.as_secs())).unwrap_or_default()
}

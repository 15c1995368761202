//! The token endpoint: an assertion in, an access token for one resource out (RFC 7523 §2.2).

use std::time::Duration;

use reqwest::Method;
use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;
use url::Url;
use uuid::Uuid;

use crate::{
    clock::Deadline,
    endpoint::Endpoint,
    http::{Http, HttpError, Request, Response},
    identity::{aadsts, resource::Resource},
    retry::Outcome,
    secret::Secret,
};

/// An identity at its authority.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Entra's base URL.
    pub authority: Endpoint,
    /// The tenant.
    pub tenant: Uuid,
    /// The application or managed identity.
    pub client: Uuid,
}

/// What Entra gives for one resource.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// The token.
    pub token: Secret,
    /// When it ends, by this machine's clock.
    pub expires: OffsetDateTime,
}

/// No access token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// No answer.
    #[error("no access token from Entra")]
    Http(#[from] HttpError),
    /// Entra's own refusal.
    #[error("Entra refused the id token{}", .0.summary())]
    Refused(Box<Refusal>),
    /// 408, 429, 5xx
    #[error("Entra is unavailable or busy (it answered {status}{}{})", number(refusal.as_deref()), asked(*.retry_after))]
    Busy {
        /// The HTTP status.
        status: u16,
        /// When to come back.
        retry_after: Option<Duration>,
        /// What it said, where it said something.
        refusal: Option<Box<Refusal>>,
    },
    /// Not what the protocol says.
    #[error("the authority answered {status} with something that is no answer of Entra: the body is {body}")]
    Unusable {
        /// The HTTP status.
        status: u16,
        /// What came.
        body: &'static str,
    },
}

/// An error answer (RFC 6749 §5.2) with Entra's additions.
#[derive(Debug)]
pub struct Refusal {
    /// The number of `AADSTS…`.
    pub number: Option<u32>,
    /// `error`
    pub error: String,
    /// The sentence that Entra gave for a number without a meaning of its own here.
    pub sentence: Option<String>,
    /// Trace and correlation ids.
    pub ids: Vec<String>,
    /// When to come back, where Entra said so.
    pub retry_after: Option<Duration>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: String,
    #[serde(deserialize_with = "seconds")]
    expires_in: u64,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
    error_description: Option<String>,
    /// Numbers; anything else in it is passed over.
    error_codes: Option<Vec<serde_json::Value>>,
    trace_id: Option<String>,
    correlation_id: Option<String>,
}

/// RFC 7521 §4.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long one attempt may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest access token that fits in a variable on every operating system, in bytes.
const MOST: usize = 32_000;

impl Identity {
    /// The address of a connection made ahead of the exchange: the discovery document, which every OpenID
    /// provider has.
    #[must_use]
    pub fn discovery_url(&self) -> Url {
        self.authority.join([&*self.tenant.to_string(), "v2.0", ".well-known", "openid-configuration"])
    }

    /// Exchanges an id token for an access token. Entra logs `request_id`, which is the same for every attempt.
    ///
    /// # Errors
    ///
    /// None was given by the deadline, or another attempt with this id token cannot help.
    pub async fn access_token(
        &self,
        http: &Http,
        deadline: Deadline,
        assertion: &Secret,
        resource: &Resource,
        request_id: Uuid,
    ) -> Result<AccessToken, TokenError> {
        let url = self.authority.join([&*self.tenant.to_string(), "oauth2", "v2.0", "token"]);
        let client = self.client.to_string();
        let form = [
            ("client_id", &*client),
            ("scope", resource.scope()),
            ("grant_type", "client_credentials"),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion.expose()),
        ];
        let request = Request::new(Method::POST, url).form(&form).header("accept", "application/json");
        let request = request.correlation("client-request-id", request_id);
        tracing::debug!(%request_id, %resource, "asking for an access token");
        let attempt = |limit| {
            let request = request.clone();
            let begin = http.clock().now();
            let answer = http.send(request, limit);
            async move { read(&answer.await?, begin) }
        };
        http.retrying(deadline, PATIENCE, TokenError::outcome, attempt).await
    }
}

/// `begin` is the time before the request was sent: the token ends so much later, or a little after.
fn read(response: &Response, begin: OffsetDateTime) -> Result<AccessToken, TokenError> {
    let status = response.status;
    let unusable = |body| Err(TokenError::Unusable { status, body });
    if (200..=299).contains(&status) {
        let Some(granted) = response.json::<Granted>() else {
            return unusable(kind(response));
        };
        let token = Secret::new(granted.access_token);
        if !is_token(&token) || !granted.token_type.eq_ignore_ascii_case("bearer") {
            return unusable("JSON without a bearer token that can be passed on");
        }
        let life = granted.expires_in.min(7 * 24 * 3600);
        return Ok(AccessToken { token, expires: begin + Duration::from_secs(life) });
    }
    let retry_after = response.retry_after;
    let refusal =
        response.json::<Refused>().map(|refused| Box::new(Refusal { retry_after, ..Refusal::from(refused) }));
    let busy = matches!(status, 408 | 429 | 500..=599);
    match refusal {
        // A number with a meaning says more than the status: Entra's passing faults come as 400 too.
        Some(refusal) if refusal.meaning().is_some() || (!busy && status >= 400) => {
            Err(TokenError::Refused(refusal))
        }
        refusal if busy => Err(TokenError::Busy { status, retry_after, refusal }),
        _ => unusable(kind(response)),
    }
}

impl TokenError {
    /// Whether another attempt with the same id token may help.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Http(error) => error.outcome(),
            Self::Refused(refusal) => match refusal.meaning().map(|meaning| meaning.outcome) {
                Some(Outcome::Busy { .. }) => Outcome::Busy { retry_after: refusal.retry_after },
                Some(outcome) => outcome,
                None => Outcome::Refused,
            },
            Self::Busy { retry_after, .. } => Outcome::Busy { retry_after: *retry_after },
            Self::Unusable { .. } => Outcome::Refused,
        }
    }

    /// Entra's own words, where it had any.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) | Self::Busy { refusal: Some(refusal), .. } => Some(refusal),
            Self::Http(_) | Self::Busy { .. } | Self::Unusable { .. } => None,
        }
    }

    /// Whether an attempt with a fresh id token may help.
    #[must_use]
    pub fn wants_fresh_assertion(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.meaning().is_some_and(|meaning| meaning.fresh_assertion))
    }
}

impl Refusal {
    /// What it means in this flow, where that is known.
    #[must_use]
    pub fn meaning(&self) -> Option<aadsts::Meaning> {
        self.number.and_then(aadsts::meaning)
    }

    fn summary(&self) -> String {
        let number = self.number.map_or_else(|| format!(" ({})", self.error), |_| number(Some(self)));
        let cause = self.meaning().map(|meaning| meaning.cause.to_owned()).or_else(|| self.sentence.clone());
        cause.map_or_else(|| number.clone(), |cause| format!("{number}: {cause}"))
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let description = refused.error_description.unwrap_or_default();
        let first = refused.error_codes.unwrap_or_default().first().and_then(serde_json::Value::as_u64);
        let number =
            first.and_then(|number| number.try_into().ok()).or_else(|| aadsts::number_in(&description));
        let id = |label, id: Option<String>| Some(format!("{label} {}", plain(&id?, 60)?));
        Self {
            number,
            error: plain(&refused.error, 60).unwrap_or_else(|| "an error without a name".to_owned()),
            sentence: sentence(&description),
            ids: [id("trace", refused.trace_id), id("correlation", refused.correlation_id)]
                .into_iter()
                .flatten()
                .collect(),
            retry_after: None,
        }
    }
}

fn number(refusal: Option<&Refusal>) -> String {
    let number = refusal.and_then(|refusal| refusal.number);
    number.map(|number| format!(" (AADSTS{number})")).unwrap_or_default()
}

fn asked(retry_after: Option<Duration>) -> String {
    retry_after.map(|delay| format!(" and asked to wait {} s", delay.as_secs())).unwrap_or_default()
}

/// The first sentence of a description, unless it could hold a token.
fn sentence(description: &str) -> Option<String> {
    let text = description.split(['\r', '\n']).next()?;
    let text = text.split(" Trace ID:").next()?.split_once(": ").map_or(text, |(_, rest)| rest).trim();
    (!text.contains("eyJ")).then(|| text.chars().filter(|c| !c.is_control()).take(300).collect())
}

fn plain(text: &str, most: usize) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (!text.is_empty() && text.len() <= most && text.chars().all(plain)).then(|| text.to_owned())
}

/// The characters of RFC 6750 §2.1, and not too many.
fn is_token(token: &Secret) -> bool {
    let text = token.expose();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    !text.is_empty() && text.len() <= MOST && text.bytes().all(allowed)
}

fn kind(response: &Response) -> &'static str {
    match response {
        response if response.is_empty() => "empty",
        response if response.is_html() => "a page for people, as from a proxy or a sign-in portal",
        _ => "not the JSON that was expected",
    }
}

/// Entra sends numbers, and in some places numbers as text.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Seconds {
        Number(u64),
        Text(String),
    }
    match Seconds::deserialize(deserializer)? {
        Seconds::Number(number) => Ok(number),
        Seconds::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_could_be_a_token_is_quoted() {
        assert_eq!(sentence("AADSTS1: bad assertion eyJhbGciOi. Trace ID: x"), None);
        assert_eq!(
            sentence("AADSTS1: No such thing. Trace ID: x\r\nTimestamp: y").as_deref(),
            Some("No such thing.")
        );
    }

    #[test]
    fn only_what_a_header_can_hold_is_a_token() {
        for bad in ["", "a b", "a\n", "ä", &"a".repeat(MOST + 1), "a;b", "$(x)", "##vso[x]"] {
            assert!(!is_token(&Secret::new((*bad).to_owned())), "{bad}");
        }
        assert!(is_token(&Secret::new("aA0-._~+/=".to_owned())));
    }
}

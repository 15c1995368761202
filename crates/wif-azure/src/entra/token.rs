//! The token endpoint: an assertion (RFC 7523 §2.2) or a secret (RFC 6749 §2.3.1) in, an access token for one
//! resource out.

use std::{ops::RangeInclusive, time::Duration};

use reqwest::Method;
use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;
use url::Url;
use uuid::Uuid;
use wif_core::{
    azure::resource::Resource,
    refusals::KnownRefusal,
    retry::{RetryClass, asked_to_wait},
    secret::Secret,
};
use wif_io::{
    clock::Deadline,
    endpoint::Endpoint,
    http::{Http, HttpError, Request, Response},
};

use super::{
    certificate::{Certificate, CertificateError},
    error_response::{Refusal, number},
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

/// How an identity proves that it is the one.
#[derive(Clone, Copy, Debug)]
pub enum Proof<'a> {
    /// An id token that the identity trusts.
    IdToken(&'a Secret),
    /// A client secret of its own.
    ClientSecret(&'a Secret),
    /// A certificate of its own.
    Certificate(&'a Certificate),
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
    #[error("Entra refused the {}{}", .0.presented, .0.summary())]
    Refused(Box<Refusal>),
    /// The certificate's key signed nothing.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// 408, 429, 5xx
    #[error("Entra is unavailable or busy (it answered {status}{}{})", number(refusal.as_deref()), asked_to_wait(*.retry_after))]
    Busy {
        /// The HTTP status.
        status: u16,
        /// When to come back.
        retry_after: Option<Duration>,
        /// What it said, where it said something.
        refusal: Option<Box<Refusal>>,
    },
    /// Not what the protocol says.
    #[error("the authority answered {status} in a form that Entra does not use: the body is {body}")]
    Unusable {
        /// The HTTP status.
        status: u16,
        /// What came.
        body: &'static str,
    },
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: String,
    #[serde(deserialize_with = "seconds")]
    expires_in: u64,
}

/// RFC 7521 §4.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);
/// No access token lives longer, whatever the answer says.
pub(crate) const MAX_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// The shortest and the longest access token, in bytes: a shorter text would be masked in every log line that has it by
/// chance, a longer one does not fit in a variable on every operating system.
const TOKEN_BYTES: RangeInclusive<usize> = 20..=32_000;

impl Identity {
    /// The address of a connection made ahead of the exchange: the discovery document, which every OpenID
    /// provider has.
    #[must_use]
    pub fn discovery_url(&self) -> Url {
        self.authority.join([&*self.tenant.to_string(), "v2.0", ".well-known", "openid-configuration"])
    }

    /// Exchanges a proof for an access token. Entra logs `request_id`, which is the same for every attempt.
    ///
    /// # Errors
    ///
    /// None was given by the deadline, or another attempt with this proof cannot help.
    pub async fn access_token(
        &self,
        http: &Http,
        deadline: Deadline,
        proof: Proof<'_>,
        resource: &Resource,
        request_id: Uuid,
    ) -> Result<AccessToken, TokenError> {
        let url = self.authority.join([&*self.tenant.to_string(), "oauth2", "v2.0", "token"]);
        let client = self.client.to_string();
        let mut form =
            vec![("client_id", &*client), ("scope", resource.scope()), ("grant_type", "client_credentials")];
        let signed;
        match proof {
            Proof::ClientSecret(secret) => form.push(("client_secret", secret.expose())),
            Proof::IdToken(token) => form.extend(assertion(token)),
            Proof::Certificate(certificate) => {
                signed = certificate.assertion(self.client, &url, http.clock().now())?;
                form.extend(assertion(&signed));
            }
        }
        let request = Request::new(Method::POST, url).form(&form).header("accept", "application/json");
        let request = request.correlation("client-request-id", request_id);
        tracing::debug!(%request_id, %resource, "asking for an access token");
        let attempt = |limit| {
            let request = request.clone();
            let begin = http.clock().now();
            let answer = http.send(request, limit);
            async move { read(&answer.await?, begin, proof.name()) }
        };
        http.retrying(deadline, ATTEMPT_TIMEOUT, TokenError::retry_class, attempt).await
    }
}

impl Proof<'_> {
    const fn name(self) -> &'static str {
        match self {
            Self::IdToken(_) => "id token",
            Self::ClientSecret(_) => "client secret",
            Self::Certificate(_) => "certificate",
        }
    }
}

fn assertion(token: &Secret) -> [(&'static str, &str); 2] {
    [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", token.expose())]
}

/// `begin` is the time before the request was sent: the token ends so much later, or a little after.
fn read(
    response: &Response,
    begin: OffsetDateTime,
    presented: &'static str,
) -> Result<AccessToken, TokenError> {
    let status = response.status;
    let unusable = |body| Err(TokenError::Unusable { status, body });
    if (200..=299).contains(&status) {
        let Some(granted) = response.json::<Granted>() else {
            return unusable(response.kind());
        };
        let token = Secret::new(granted.access_token);
        if !is_token(&token) || !granted.token_type.eq_ignore_ascii_case("bearer") {
            return unusable("JSON without a bearer token that can be passed on");
        }
        return Ok(AccessToken {
            token,
            expires: begin + MAX_LIFETIME.min(Duration::from_secs(granted.expires_in)),
        });
    }
    let retry_after = response.retry_after;
    let refusal = Refusal::read(response, presented).map(Box::new);
    let busy = matches!(status, 408 | 429 | 500..=599);
    match refusal {
        // A number with a meaning says more than the status: Entra's passing faults come as 400 too.
        Some(refusal) if refusal.known().is_some() || (!busy && status >= 400) => {
            Err(TokenError::Refused(refusal))
        }
        refusal if busy => Err(TokenError::Busy { status, retry_after, refusal }),
        _ => unusable(response.kind()),
    }
}

impl TokenError {
    /// Whether another attempt with the same proof may help.
    #[must_use]
    pub fn retry_class(&self) -> RetryClass {
        match self {
            Self::Http(error) => error.retry_class(),
            Self::Refused(refusal) => match refusal.known().map(|known| known.retry.retry_class()) {
                Some(RetryClass::Busy { .. }) => RetryClass::Busy { retry_after: refusal.retry_after },
                Some(retry_class) => retry_class,
                None => RetryClass::Refused,
            },
            Self::Busy { retry_after, .. } => RetryClass::Busy { retry_after: *retry_after },
            // A proxy has refused, not Entra: it is tried again, but not for as long as a fault.
            Self::Unusable { status: 400.., .. } => RetryClass::MayPass,
            Self::Unusable { .. } => RetryClass::Unreachable,
            Self::Certificate(_) => RetryClass::Refused,
        }
    }

    /// Entra's own words, where it had any.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) | Self::Busy { refusal: Some(refusal), .. } => Some(refusal),
            Self::Http(_) | Self::Busy { .. } | Self::Unusable { .. } | Self::Certificate(_) => None,
        }
    }

    /// Whether an attempt with a fresh id token may help.
    #[must_use]
    pub fn wants_fresh_assertion(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.known().is_some_and(KnownRefusal::wants_fresh_id_token))
    }
}

/// The characters of RFC 6750 §2.1, neither too few nor too many. An access token may be opaque.
pub(crate) fn is_token(token: &Secret) -> bool {
    let text = token.expose();
    TOKEN_BYTES.contains(&text.len()) && text.bytes().all(is_token_byte)
}

/// Whether a bearer token may have this byte (RFC 6750 §2.1).
#[must_use]
pub fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

/// Entra sends numbers, and in some places numbers as text.
pub(crate) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
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
    fn only_what_a_header_can_hold_is_a_token() {
        let long = "a".repeat(20);
        for bad in [" ", "\n", "ä", ";", "$(x)", "##vso[x]"] {
            assert!(!is_token(&Secret::new(format!("{long}{bad}{long}"))), "{bad}");
        }
        assert!(is_token(&Secret::new("aA0-._~+/=aA0-._~+/=".to_owned())));
    }

    #[test]
    fn a_token_has_20_to_32000_characters() {
        for (length, expected) in
            [(0, false), (1, false), (19, false), (20, true), (32_000, true), (32_001, false)]
        {
            assert_eq!(is_token(&Secret::new("a".repeat(length))), expected, "{length}");
        }
    }
}

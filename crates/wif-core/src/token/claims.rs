//! The claims of a JWT whose signature was not verified.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    foreign_text::{ForeignText, identifier},
    secret::Secret,
};

/// What a token says of itself, with no check of its signature: good for scheduling, for early errors and for
/// diagnosis; never for a decision to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unverified {
    /// `iss`
    pub issuer: ForeignText,
    /// `sub`
    pub subject: ForeignText,
    /// `aud`, a single value or several (RFC 7519 §4.1.3).
    pub audiences: Vec<ForeignText>,
    /// `exp`
    pub expires: OffsetDateTime,
    /// `nbf`
    pub not_before: Option<OffsetDateTime>,
}

/// A text that is no JWT with the claims of an id token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    /// Longer than any id token.
    #[error("it is longer than {MAX_TOKEN_BYTES} characters")]
    TooLong,
    /// Not `header.payload.signature`.
    #[error("it does not have the three base64url parts of a JWT")]
    Parts,
    /// The payload is not base64url (RFC 7515 §2).
    #[error("its payload is not base64url")]
    Base64,
    /// The payload is no JSON object, or a claim is missing or of a wrong type.
    #[error("its payload is not JSON with iss, sub, aud and exp")]
    Json,
    /// `exp` or `nbf` is no moment.
    #[error("its times are out of range")]
    Time,
}

/// Where a token stands in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// It can be used.
    Now,
    /// It ended so long ago.
    Ended(Duration),
    /// It begins so much later, beyond the tolerance.
    NotYet(Duration),
}

/// Entra accepts a token whose `nbf` is this far in the future.
const TOLERANCE: Duration = Duration::minutes(5);
/// The longest id token that is read, in bytes. Real ones have one to three thousand.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

#[derive(Deserialize)]
struct Payload {
    iss: ForeignText,
    sub: ForeignText,
    aud: Audience,
    exp: f64,
    nbf: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(ForeignText),
    Several(Vec<ForeignText>),
}

impl Unverified {
    /// Reads the payload of a JWT (RFC 7519).
    ///
    /// # Errors
    ///
    /// The text is no such JWT. The error tells in which way, and nothing of the text.
    pub fn read(token: &Secret) -> Result<Self, ClaimsError> {
        let token = token.expose();
        if token.len() > MAX_TOKEN_BYTES {
            return Err(ClaimsError::TooLong);
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ClaimsError::Parts);
        };
        // A line end in it, and the agent's masks would not find it in a log.
        if [header, payload, signature].iter().any(|part| !is_base64url(part)) {
            return Err(ClaimsError::Parts);
        }
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_error| ClaimsError::Base64)?; // the decoder's text quotes the token
        let payload: Payload = serde_json::from_slice(&payload).map_err(|_error| ClaimsError::Json)?; // so does this one
        Ok(Self {
            issuer: payload.iss,
            subject: payload.sub,
            audiences: match payload.aud {
                Audience::One(audience) => vec![audience],
                Audience::Several(audiences) => audiences,
            },
            expires: moment(payload.exp)?,
            not_before: payload.nbf.map(moment).transpose()?,
        })
    }

    /// Whether the token can be used at `now`.
    #[must_use]
    pub fn validity(&self, now: OffsetDateTime) -> Validity {
        match self.not_before {
            _ if self.expires <= now => Validity::Ended(now - self.expires),
            Some(begin) if begin > now + TOLERANCE => Validity::NotYet(begin - now),
            _ => Validity::Now,
        }
    }
}

/// The algorithm that a JWT says it is signed by (RFC 7515 §4.1.1), where that can be shown.
#[must_use]
pub fn algorithm(token: &Secret) -> Option<String> {
    #[derive(Deserialize)]
    struct Header {
        alg: String,
    }
    let header = URL_SAFE_NO_PAD.decode(token.expose().split('.').next()?).ok()?;
    identifier(&serde_json::from_slice::<Header>(&header).ok()?.alg, 20)
}

/// The object id (`oid`) and the tenant (`tid`) of an access token of Entra, where it says so.
#[must_use]
pub fn object_and_tenant(token: &Secret) -> (Option<Uuid>, Option<Uuid>) {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Payload {
        oid: Option<String>,
        tid: Option<String>,
    }
    let payload = token.expose().split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
    let payload =
        payload.and_then(|payload| serde_json::from_slice::<Payload>(&payload).ok()).unwrap_or_default();
    let id = |text: Option<String>| text.and_then(|text| Uuid::try_parse(&text).ok());
    (id(payload.oid), id(payload.tid))
}

/// The client id that an access token of Entra was issued to: `appid`, which version 2.0 calls `azp`. None, where it does not say.
#[must_use]
pub fn client(token: &Secret) -> Option<Uuid> {
    #[derive(Deserialize)]
    struct Payload {
        #[serde(alias = "azp")]
        appid: String,
    }
    let payload = URL_SAFE_NO_PAD.decode(token.expose().split('.').nth(1)?).ok()?;
    let payload: Payload = serde_json::from_slice(&payload).ok()?;
    Uuid::try_parse(&payload.appid).ok()
}

/// Whether a text is a part of a JSON web token (RFC 7515 §2): not empty, and of no other characters.
#[must_use]
pub fn is_base64url(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// A `NumericDate` (RFC 7519 §2) may have a fraction.
#[expect(clippy::cast_possible_truncation, reason = "checked to be far inside the range of i64")]
fn moment(seconds: f64) -> Result<OffsetDateTime, ClaimsError> {
    if !(0.0..=253_402_300_799.0).contains(&seconds) {
        return Err(ClaimsError::Time);
    }
    OffsetDateTime::from_unix_timestamp(seconds as i64).map_err(|_error| ClaimsError::Time) // says no more than the variant
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn token(payload: &str) -> Secret {
        Secret::new(format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload)))
    }

    fn read(payload: &str) -> Result<Unverified, ClaimsError> {
        Unverified::read(&token(payload))
    }

    #[test]
    fn what_is_no_id_token_is_refused() {
        let refused = |text: &str| Unverified::read(&Secret::new(text.to_owned())).unwrap_err();
        assert_eq!(refused(""), ClaimsError::Parts);
        assert_eq!(refused("a.b"), ClaimsError::Parts);
        assert_eq!(refused("a.b.c.d"), ClaimsError::Parts);
        assert_eq!(refused("a..c"), ClaimsError::Parts);
        assert_eq!(refused("<html>.</html>.c"), ClaimsError::Parts);
        assert_eq!(refused("a.b.c\nd"), ClaimsError::Parts);
        assert_eq!(refused("a.b.c"), ClaimsError::Base64);
        assert_eq!(refused(&"a".repeat(MAX_TOKEN_BYTES + 1)), ClaimsError::TooLong);
        assert_eq!(read("{}"), Err(ClaimsError::Json));
        assert_eq!(read(r#"{"iss":"i","sub":"s","aud":"a"}"#), Err(ClaimsError::Json));
        assert_eq!(read(r#"{"iss":"i","sub":"s","aud":"a","exp":1e300}"#), Err(ClaimsError::Time));
        assert_eq!(read(r#"{"iss":"i","sub":"s","aud":"a","exp":-1}"#), Err(ClaimsError::Time));
    }

    #[test]
    fn both_shapes_of_audience_are_read() {
        let one = read(r#"{"iss":"i","sub":"s","aud":"a","exp":1}"#).unwrap();
        let several = read(r#"{"iss":"i","sub":"s","aud":["a"],"exp":1.5}"#).unwrap();
        assert_eq!(one, several);
        assert_eq!(one.audiences, ["a".into()]);
    }

    #[test]
    fn validity_is_judged_by_both_ends() {
        let claims = Unverified {
            issuer: "".into(),
            subject: "".into(),
            audiences: vec![],
            expires: datetime!(2026-01-01 12:10 UTC),
            not_before: Some(datetime!(2026-01-01 12:00 UTC)),
        };
        assert_eq!(claims.validity(datetime!(2026-01-01 12:10 UTC)), Validity::Ended(Duration::ZERO));
        assert_eq!(claims.validity(datetime!(2026-01-01 12:09:59 UTC)), Validity::Now);
        assert_eq!(claims.validity(datetime!(2026-01-01 11:55 UTC)), Validity::Now);
        assert_eq!(claims.validity(datetime!(2026-01-01 11:50 UTC)), Validity::NotYet(Duration::minutes(10)));
    }

    proptest! {
        #[test]
        fn no_input_panics(text in ".{0,200}", payload in ".{0,200}") {
            let _ = Unverified::read(&Secret::new(text));
            let _ = read(&payload);
        }
    }
}

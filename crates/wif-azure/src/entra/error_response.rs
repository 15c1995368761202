//! What Entra says when it gives no token (RFC 6749 §5.2), with Entra's additions.

use std::time::Duration;

use serde::Deserialize;
use wif_core::{
    foreign_text::{identifier, service_message},
    refusals,
};
use wif_io::http::Response;

/// An error answer.
#[derive(Debug)]
pub struct Refusal {
    /// What was presented: an id token, a client secret, a certificate.
    pub presented: &'static str,
    /// The number of `AADSTS…`.
    pub number: Option<u32>,
    /// `error`
    pub error: String,
    /// The sentence that Entra gave, as far as it may be shown.
    pub sentence: Option<String>,
    /// Trace and correlation ids.
    pub ids: Vec<String>,
    /// When to come back, where Entra said so.
    pub retry_after: Option<Duration>,
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

impl Refusal {
    /// Reads an error answer, if it is one.
    pub(super) fn read(response: &Response, presented: &'static str) -> Option<Self> {
        let refused: Refused = response.json()?;
        let description = refused.error_description.unwrap_or_default();
        let first = refused.error_codes.unwrap_or_default().first().and_then(serde_json::Value::as_u64);
        let number =
            first.and_then(|number| number.try_into().ok()).or_else(|| refusals::number_in(&description));
        let id = |label, id: Option<String>| Some(format!("{label} {}", identifier(&id?, 60)?));
        Some(Self {
            presented,
            number,
            error: identifier(&refused.error, 60).unwrap_or_else(|| "an error without a name".to_owned()),
            sentence: sentence(&description),
            ids: [id("trace", refused.trace_id), id("correlation", refused.correlation_id)]
                .into_iter()
                .flatten()
                .collect(),
            retry_after: response.retry_after,
        })
    }

    /// What it means in this flow, where that is known.
    #[must_use]
    pub fn known(&self) -> Option<&'static refusals::KnownRefusal> {
        self.number.and_then(refusals::of_entra)
    }

    pub(super) fn summary(&self) -> String {
        let number = self.number.map_or_else(|| format!(" ({})", self.error), |_| number(Some(self)));
        let cause = self.known().map(|known| known.meaning.to_owned()).or_else(|| self.sentence.clone());
        cause.map_or_else(|| number.clone(), |cause| format!("{number}: {cause}"))
    }
}

pub(super) fn number(refusal: Option<&Refusal>) -> String {
    let number = refusal.and_then(|refusal| refusal.number);
    number.map(|number| format!(" (AADSTS{number})")).unwrap_or_default()
}

/// The first line of a description, as far as it may be shown.
#[must_use]
pub fn sentence(description: &str) -> Option<String> {
    let text = description.split(['\r', '\n']).next()?;
    let text = text.split(" Trace ID:").next()?.split_once(": ").map_or(text, |(_, rest)| rest).trim();
    service_message(text)
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
}

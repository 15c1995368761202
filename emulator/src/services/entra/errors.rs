//! Refusals as Entra words and shapes them.

use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::services::entra::error_table::row;
use crate::world::clock::entra_time;

/// A refusal: its AADSTS code, and the sentence after it.
pub(super) struct Refusal {
    code: u32,
    text: String,
}

impl Refusal {
    pub(super) fn new(code: u32, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// A refusal that a test asked for by its code only.
    pub(super) fn scripted(code: u32) -> Self {
        Self::new(code, row(code).map_or("The request was refused by the emulator.", |row| row.text))
    }

    pub(super) fn status(&self) -> u16 {
        row(self.code).map_or(400, |row| row.status)
    }

    /// The body: the sentence carries the ids once more, as people copy only that.
    pub(super) fn body(&self, now: OffsetDateTime, trace: Uuid, correlation: Uuid) -> Value {
        let Self { code, text } = self;
        let timestamp = entra_time(now);
        json!({
            "error": row(*code).map_or("invalid_request", |row| row.error),
            "error_description": format!(
                "AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"
            ),
            "error_codes": [code],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_carries_the_ids() {
        let (trace, correlation) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let body = Refusal::scripted(700_213).body(OffsetDateTime::UNIX_EPOCH, trace, correlation);
        let sentence = body["error_description"].as_str().unwrap();
        assert!(sentence.starts_with("AADSTS700213: No matching"), "{sentence}");
        assert!(sentence.ends_with(&format!(
            "Trace ID: {trace} Correlation ID: {correlation} Timestamp: 1970-01-01 00:00:00Z"
        )));
        assert_eq!(body["error"], "invalid_client");
        assert_eq!(body["error_codes"], json!([700_213]));
    }
}

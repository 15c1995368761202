//! Refusals in the form of Entra.

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

    /// A refusal with the table's sentence for the code.
    pub(super) fn of_code(code: u32) -> Self {
        Self::new(code, row(code).map_or("The request was refused by the emulator.", |row| row.text))
    }

    pub(super) fn status(&self) -> u16 {
        row(self.code).map_or(400, |row| row.status)
    }

    /// The body; its sentence repeats the ids, as that of the real service does.
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
        let body = Refusal::of_code(700_213).body(OffsetDateTime::UNIX_EPOCH, trace, correlation);
        let sentence = body["error_description"].as_str().unwrap();
        assert!(sentence.starts_with("AADSTS700213: No matching"), "{sentence}");
        assert!(sentence.ends_with(&format!(
            "Trace ID: {trace} Correlation ID: {correlation} Timestamp: 1970-01-01 00:00:00Z"
        )));
        assert_eq!(body["error"], "invalid_client");
        assert_eq!(body["error_codes"], json!([700_213]));
    }
}

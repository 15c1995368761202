//! Text from outside, as it stands in a report.

use serde_json::{Map, Value};
use wif_core::foreign_text::one_line;

/// The longest name and sentence in a report, in characters.
const MAX_TEXT: usize = 700;

/// Text from outside as it stands in a report: one harmless line.
pub(super) fn text(text: &str) -> String {
    let mut line = one_line(text, MAX_TEXT);
    // There are a million of them in a large report.
    line.shrink_to_fit();
    line
}

pub(super) fn texts(values: &[String]) -> Vec<String> {
    values.iter().map(|value| text(value)).collect()
}

/// The same JSON, with every text in it as it stands in a report.
fn harmless(value: Value) -> Value {
    match value {
        Value::String(line) => Value::String(text(&line)),
        Value::Array(values) => Value::Array(values.into_iter().map(harmless).collect()),
        Value::Object(fields) => Value::Object(harmless_fields(fields)),
        other => other,
    }
}

pub(super) fn harmless_fields(fields: Map<String, Value>) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name, harmless(value))).collect()
}

//! Reading foreign JSON, field by field: what is missing, of another type or too long is not there, and spoils nothing else.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::moment::Moment;

/// Longer texts are cut, in bytes. A part of a federated credential has 600 characters at most, a description 1,024.
const MAX_TEXT: usize = 4096;

/// A text that is not empty.
pub(super) fn text(value: &Value, name: &str) -> Option<String> {
    plain(value.get(name)?)
}

/// The value itself, as a text that is not empty.
pub(super) fn plain(value: &Value) -> Option<String> {
    let text = value.as_str().filter(|text| !text.is_empty())?;
    // A character is not cut in two.
    let end = (0..=MAX_TEXT.min(text.len())).rev().find(|end| text.is_char_boundary(*end))?;
    text.get(..end).map(str::to_owned)
}

/// A GUID.
pub(super) fn id(value: &Value, name: &str) -> Option<Uuid> {
    Uuid::try_parse(value.get(name)?.as_str()?.trim()).ok()
}

/// A moment.
pub(super) fn moment(value: &Value, name: &str) -> Option<Moment> {
    Moment::parse(value.get(name)?.as_str()?)
}

/// True or false.
pub(super) fn flag(value: &Value, name: &str) -> Option<bool> {
    value.get(name)?.as_bool()
}

/// A list; nothing, where there is none.
pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A text of an object whose names differ in case.
pub(super) fn in_any_case(object: &Map<String, Value>, name: &str) -> Option<String> {
    object.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).and_then(|(_, value)| plain(value))
}

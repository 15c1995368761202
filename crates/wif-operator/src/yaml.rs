//! YAML that people write: bounded, and with the place of what is wrong.

use std::{io::Read as _, path::Path};

use serde::de::DeserializeOwned;
use serde_saphyr::{Location, Spanned};
use wif_core::foreign_text::one_line;

use crate::input;

/// The largest file, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The longest reason why it is refused, in characters.
const MAX_REASON: usize = 700;

/// What the parser begins a reason with, and what people call it.
const EXPECTED: [(&str, &str); 9] = [
    ("budget breached: Aliases", "aliases and merges (*name, <<) are not accepted; write the value out"),
    ("budget breached: Anchors", "so many anchors (&name) are not accepted; write the values out"),
    ("budget breached: Depth", "it is nested deeper than is accepted"),
    ("recursion limit exceeded", "it is nested deeper than is accepted"),
    ("budget breached", "it has more values than is accepted"),
    ("multiple YAML documents detected", "a second document begins (---); accepted is one"),
    ("expected string scalar", "it is no text; accepted is one"),
    ("expected sequence start", "it is no list; accepted is one, as [first, second]"),
    ("expected mapping start", "it has no fields; accepted is one with fields, as { name: value }"),
];

/// A file of YAML that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// The file cannot be read.
    #[error("{file}: it cannot be read")]
    Io {
        /// Its path.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is larger than any that people write.
    #[error("{0}: it has more than {MAX_FILE_BYTES} bytes")]
    Size(String),
    /// It is not what it should be.
    #[error("{file}:{line}:{column}: {why}")]
    Content {
        /// Its path.
        file: String,
        /// The line, from 1.
        line: u64,
        /// The column, from 1.
        column: u64,
        /// What is wrong, with the field's name.
        why: String,
    },
}

/// The text of a file.
///
/// # Errors
///
/// It cannot be read, is too large, or is not text.
pub fn text_of(path: &Path) -> Result<String, YamlError> {
    let file = path.display().to_string();
    let mut bytes = Vec::new();
    let opened = input::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
    if let Err(source) = opened {
        return Err(YamlError::Io { file, source });
    }
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(YamlError::Size(file));
    }
    String::from_utf8(bytes)
        .map_err(|error| not_utf8(file, error.as_bytes(), error.utf8_error().valid_up_to()))
}

/// The place of the first byte that is not UTF-8, after `valid` bytes that are.
fn not_utf8(file: String, bytes: &[u8], valid: usize) -> YamlError {
    let before = String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default());
    let last = before.rsplit('\n').next().unwrap_or_default();
    let (line, column) = (before.matches('\n').count() as u64 + 1, last.chars().count() as u64 + 1);
    let why = if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        "it is text in UTF-16; accepted is UTF-8".to_owned()
    } else {
        let byte = bytes.get(valid).copied().unwrap_or_default();
        format!("the byte 0x{byte:02x} is not text in UTF-8")
    };
    YamlError::Content { file, line, column, why }
}

/// Reads a document.
///
/// # Errors
///
/// It is not what `T` is, or larger than a document of people is.
pub fn parse<T: DeserializeOwned>(text: &str, file: &str) -> Result<T, YamlError> {
    // People write no aliases in these files, and an alias of an alias is how a small document grows large.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_aliases: 0, max_anchors: 16, max_depth: 16, max_nodes: 200_000 },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let error = error.without_snippet();
        let place = error.location().unwrap_or(Location::UNKNOWN);
        let text = error.to_string();
        // The place stands at the beginning already.
        let why = text.split(" at line ").next().unwrap_or(&text);
        let plain = EXPECTED.iter().find(|(parsers, _)| why.starts_with(parsers)).map(|(_, plain)| *plain);
        let twice = why.strip_prefix("duplicate mapping key: ").and_then(|rest| rest.split_once(", set "));
        match (plain, twice) {
            (Some(plain), _) => content(file, place, plain),
            (None, Some((field, _advice))) => content(file, place, &format!("{field}: it stands twice")),
            (None, None) => content(file, place, why),
        }
    })
}

/// What is wrong with a value, and where it stands.
#[must_use]
pub fn wrong<T>(file: &str, value: &Spanned<T>, why: &str) -> YamlError {
    content(file, value.referenced, why)
}

fn content(file: &str, place: Location, why: &str) -> YamlError {
    let (line, column) = (place.line().max(1), place.column().max(1));
    // It quotes what stands in the file, which another repository may own.
    YamlError::Content { file: file.to_owned(), line, column, why: one_line(why, MAX_REASON) }
}

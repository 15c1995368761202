//! Text from outside, made harmless: what a service, a connection, an input, a variable or a user's argument says.
//!
//! The agent reads every line that a step or a script prints, and obeys `##vso[…]` wherever it stands in one. Three rules
//! keep foreign text from becoming a command, a forged line or a terminal's control sequence:
//!
//! 1. On entry it becomes one bounded line ([`one_line`], [`ForeignText`]), a name ([`identifier`]) or nothing.
//! 2. A [`crate::failure::Failure`] and a report hold such lines only.
//! 3. On exit every line passes the same filter once more ([`lines`]), so that parts which are harmless alone cannot
//!    become a command together.
//!
//! The agent looks for `##vso[` with a culture-sensitive search, which passes over every character without weight in the
//! collation of its platform (ICU or NLS). Those characters differ between platforms and versions. So nothing here relies on
//! a list of them: between the parts of a command *every* character outside of ASCII counts as not there.
//! Source: microsoft/azure-pipelines-agent, `Command.cs` (the search), `StringUtil.cs` (`DeactivateVsoCommands`).

mod character;
mod command;

use std::fmt;

use uuid::Uuid;

use self::{character::is_hidden, command::deactivate};

/// Text from outside, kept as it came, since claims and names are compared exactly. Whatever prints it prints one harmless,
/// bounded line.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ForeignText(String);

/// The longest line that a [`ForeignText`] becomes, in characters. A federated credential holds at most 600 in each part.
const MAX_LINE: usize = 700;
/// The longest message of a service that is shown, in characters.
const MAX_MESSAGE: usize = 300;
/// A word of so many characters with letters of both cases and a digit may be a secret. Client secrets have 40.
const MIXED_SECRET: usize = 32;
/// A word of so many characters with a digit may be a secret. Personal access tokens have 52 or more.
const PLAIN_SECRET: usize = 48;

/// One line of at most `max` characters that is no command, moves no cursor and hides nothing: line ends become blanks,
/// and characters that cannot be seen become marks such as `<U+200B>`.
#[must_use]
pub fn one_line(text: &str, max: usize) -> String {
    let mut line = Vec::new();
    for character in text.chars() {
        if line.len() > max {
            break;
        }
        match character {
            '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => line.push(' '),
            hidden if is_hidden(hidden) => line.extend(format!("<U+{:04X}>", u32::from(hidden)).chars()),
            other => line.push(other),
        }
    }
    if line.len() > max {
        line.truncate(max.saturating_sub(1));
        line.extend((max > 0).then_some('…'));
    }
    deactivate(&mut line);
    line.into_iter().collect()
}

/// Whether a text is one line, without a character that ends it or moves a cursor.
#[must_use]
pub fn is_one_line(text: &str) -> bool {
    !text.contains(char::is_control)
}

/// Text of several lines that are meant, each made harmless.
#[must_use]
pub fn lines(text: &str) -> String {
    let line = |line: &str| one_line(line.strip_suffix('\r').unwrap_or(line), usize::MAX);
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// The text itself, if it is a name of at most `max` letters, digits and `-._`, and does not begin as a JWT does.
#[must_use]
pub fn identifier(text: &str, max: usize) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_name = !text.is_empty() && text.len() <= max && text.chars().all(plain);
    (is_name && !text.contains("eyJ")).then(|| text.to_owned())
}

/// A service's own message: one line, without words that could be secrets. None, if it is empty or could hold a JWT.
#[must_use]
pub fn service_message(text: &str) -> Option<String> {
    // Longer ones are cut anyway, and a service may send 256 KiB.
    let text = one_line(text, 4 * MAX_MESSAGE);
    let text = text.trim();
    if text.is_empty() || text.contains("eyJ") {
        return None;
    }
    let ends_word = |c: char| c.is_whitespace() || "'\"`()<>[]{},;:…".contains(c);
    let shown = text.split_inclusive(ends_word).map(|piece| {
        let word = piece.trim_end_matches(ends_word);
        let end = piece.strip_prefix(word).unwrap_or_default();
        if may_be_secret(word) { format!("(not shown){end}") } else { piece.to_owned() }
    });
    Some(one_line(&shown.collect::<String>(), MAX_MESSAGE))
}

/// The same JSON, each of its texts made harmless. The lines of a text stay lines.
#[must_use]
pub fn json(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => Value::String(lines(&text)),
        Value::Array(values) => Value::Array(values.into_iter().map(json).collect()),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (lines(&name), json(value)));
            Value::Object(fields.collect())
        }
        other => other,
    }
}

/// A code span of Markdown, which has no markup, HTML, links or mentions in it, and ends neither itself nor the cell of a
/// table.
#[must_use]
pub fn code_span(text: &str, max: usize) -> String {
    let text = one_line(text, max).replace(['`', '|'], "'");
    // An empty code span is shown as backticks, and renderers differ on a backslash at its end.
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\\');
    format!("`{}`", if text.is_empty() { "-" } else { text })
}

/// A block of code of Markdown around lines that cannot end it.
#[must_use]
pub fn code_block(text: &str) -> String {
    format!("```text\n{}\n```\n", lines(text).replace("```", "'''"))
}

impl ForeignText {
    /// Takes a text as it came.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as it came: to compare it, and to send it back to where it came from. Not for people.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// Several as one, for people.
    #[must_use]
    pub fn join(texts: &[Self]) -> String {
        let texts: Vec<_> = texts.iter().map(ToString::to_string).collect();
        one_line(&texts.join(", "), MAX_LINE)
    }
}

impl From<String> for ForeignText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for ForeignText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for ForeignText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&one_line(&self.0, MAX_LINE))
    }
}

impl fmt::Debug for ForeignText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl<'de> serde::Deserialize<'de> for ForeignText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// Whether a word could be a token, a key or a password. A GUID could not.
fn may_be_secret(word: &str) -> bool {
    let word = word.trim_end_matches('.');
    let piece_may_be = |piece: &str| {
        let has = |is: fn(&u8) -> bool| piece.bytes().any(|byte| is(&byte));
        let mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
        let length = piece.chars().count();
        let long = length >= PLAIN_SECRET || (length >= MIXED_SECRET && mixed);
        long && has(u8::is_ascii_digit) && Uuid::try_parse(piece).is_err()
    };
    // Scopes, subjects and addresses are long, and made of short pieces.
    word.split(['/', '?', '&']).any(piece_may_be)
}

#[cfg(test)]
mod tests;

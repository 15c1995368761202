//! A line of a report or under a failure: what it is about, and what is so.

use std::fmt;

use crate::foreign_text::one_line;

/// A fact. Its `Display` is the line, the value in a column of its own where there is a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is about; none, where the value is a sentence.
    pub label: Option<&'static str>,
    /// What is so.
    pub value: String,
}

/// The width of the column of labels, in characters.
pub const LABEL_WIDTH: usize = 22;

impl Fact {
    /// A value with its label.
    pub fn new(label: &'static str, value: impl fmt::Display) -> Self {
        Self { label: Some(label), value: value.to_string() }
    }

    /// The same with a value that is one harmless line of so many characters at the most.
    #[must_use]
    pub fn in_one_line(self, max: usize) -> Self {
        Self { value: one_line(&self.value, max), ..self }
    }
}

impl From<String> for Fact {
    fn from(sentence: String) -> Self {
        Self { label: None, value: sentence }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.label {
            Some(label) => write!(f, "{label:<LABEL_WIDTH$}{}", self.value),
            None => f.write_str(&self.value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_in_a_column_and_sentences_do_not() {
        assert_eq!(Fact::new("audience", "a").to_string(), "audience              a");
        assert_eq!(Fact::new("", "a").to_string(), "                      a");
        assert_eq!(Fact::from("It is so.".to_owned()).to_string(), "It is so.");
    }
}

//! Reading arguments, and what is shown of those that are wrong: for this program and the operators'.

use std::ffi::OsString;

use clap::{
    Command, Error, Parser,
    error::{ContextKind, ContextValue, ErrorKind},
};
use wif_core::foreign_text::{lines, one_line};

/// Arguments that are wrong, or that ask for help: the text to print, and where.
#[derive(Debug)]
pub struct Unparsed {
    /// What to tell the user: harmless, whatever the arguments hold.
    pub text: String,
    /// Whether it is an error, for standard error.
    pub is_error: bool,
    /// Whether it is a help text, which fits its terminal.
    pub is_help: bool,
    /// 0 for help, else 2.
    pub exit: u8,
}

/// The longest argument that an error shows, in characters.
const MAX_ARGUMENT: usize = 200;

/// What an error begins with that lists all values of an option.
const LISTS: [&str; 2] = ["accepted: ", "accepted are "];

/// Reads the arguments, the program's name first.
///
/// # Errors
///
/// They are wrong, or ask for help.
pub fn parse<A: Parser>(arguments: impl IntoIterator<Item = OsString>) -> Result<A, Unparsed> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    A::try_parse_from(&arguments).map_err(|error| {
        // The text quotes arguments, and is of several lines: what is quoted must be harmless before.
        let harmless = arguments.iter().map(|text| one_line(&text.to_string_lossy(), MAX_ARGUMENT));
        let harmless: Vec<_> = harmless.collect();
        let mut error = A::try_parse_from(&harmless).err().unwrap_or(error);
        suggest(&mut error, &A::command(), &harmless);
        let is_help = matches!(
            error.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        );
        let text = lines(&error.render().to_string());
        Unparsed {
            // The marks of the doc comments that a help text is made of. An error may quote some.
            text: if is_help { text.replace('`', "") } else { text },
            is_error: error.use_stderr(),
            is_help,
            exit: error.exit_code().try_into().unwrap_or(2),
        }
    })
}

/// Adds to an error about a name what was probably meant.
fn suggest(error: &mut Error, command: &Command, arguments: &[String]) {
    let mut level = command;
    for word in arguments.iter().skip(1) {
        match level.find_subcommand(word) {
            Some(next) => level = next,
            None if word.starts_with('-') => {}
            None => break,
        }
    }
    let given = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.trim_start_matches('-').to_owned()),
        _ => None,
    };
    if let Some(value) = given(ContextKind::InvalidValue) {
        let known = known_values(error);
        if let Some(near) = nearest(&value, known.iter().map(String::as_str)) {
            error.insert(ContextKind::SuggestedValue, ContextValue::String(near.to_owned()));
        }
    } else if let Some(name) = given(ContextKind::InvalidSubcommand) {
        let commands = level.get_subcommands().filter(|one| !one.is_hide_set()).map(Command::get_name);
        if let Some(near) = nearest(&name, commands) {
            let value = ContextValue::Strings(vec![near.to_owned()]);
            error.insert(ContextKind::SuggestedSubcommand, value);
        }
    } else if let Some(name) = given(ContextKind::InvalidArg) {
        let options = level.get_arguments().filter(|one| !one.is_hide_set()).filter_map(|one| one.get_long());
        if let Some(near) = nearest(&name, options) {
            error.insert(ContextKind::SuggestedArg, ContextValue::String(format!("--{near}")));
        }
    }
}

/// The values that an option takes, as far as they are words that the error lists.
fn known_values(error: &Error) -> Vec<String> {
    if let Some(ContextValue::Strings(values)) = error.get(ContextKind::ValidValue) {
        return values.clone();
    }
    let said = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let list = LISTS.iter().find_map(|begin| said.strip_prefix(begin)).unwrap_or_default();
    let words = list.split([',', ' ']).filter(|word| !word.is_empty() && *word != "and");
    words.map(str::to_owned).collect()
}

/// The name with the fewest letters to change, if these are at most a third of them.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.map(|one| (letters_to_change(name, one), one)).min()?;
    (near.0 <= name.chars().count().div_ceil(3)).then_some(near.1)
}

/// How many letters have to be added, left out or replaced (Levenshtein's distance).
fn letters_to_change(one: &str, other: &str) -> usize {
    let mut row: Vec<_> = (0..=other.chars().count()).collect();
    for (above, letter) in one.chars().enumerate() {
        let (mut diagonal, mut left) = (above, above + 1);
        for (cell, wanted) in row.iter_mut().skip(1).zip(other.chars()) {
            let replaced = diagonal + usize::from(letter != wanted);
            diagonal = *cell;
            left = replaced.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = above + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_added_left_out_and_replaced() {
        for (one, other, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("token", "token", 0),
            ("tokn", "token", 1),
            ("tokens", "token", 1),
            ("tokem", "token", 1),
            ("explian", "explain", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(letters_to_change(one, other), expected, "{one} {other}");
        }
    }
}

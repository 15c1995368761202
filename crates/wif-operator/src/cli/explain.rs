//! `wif-operator explain`: what a rule or code means, offline.

use wif_core::{code::Code, explain, failure::Failure, foreign_text::one_line};

use super::Screen;

/// The longest name that an error shows, in characters.
const MAX_NAME: usize = 60;

/// Prints what is known of a code, or of each that a message names; alone, a list.
///
/// # Errors
///
/// There is no such code or name, or the output is gone.
pub fn explain(name: Option<&str>, out: &mut Screen<'_>) -> Result<(), Failure> {
    let closed = |error| Failure::new(Code::Bug, error, "run the command again; its output was closed");
    let Some(name) = name else {
        return explain::list().iter().try_for_each(|line| out.text(line)).map_err(closed);
    };
    let entries = explain::entry(name).map_or_else(|| explain::in_text(name), |entry| vec![entry]);
    if entries.is_empty() {
        let error = format!("unknown code or name '{}'", one_line(name, MAX_NAME));
        let hint = "run `wif explain` alone for a list";
        return Err(Failure::new(Code::ArgumentInvalid, error, hint));
    }
    let texts: Vec<_> = entries.into_iter().map(|entry| entry.text).collect();
    out.text(&texts.join("\n\n")).map_err(closed)
}

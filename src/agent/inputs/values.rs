//! The values of inputs, as the agent passes them.

use wif_core::azure::allowed::Allowed;
use wif_io::env::Env;

use super::{accepted::accepted, declared::Input, error::InputError};

/// An input as the agent passes it: the agent has trimmed what the pipeline wrote, and no macro.
pub(in crate::agent) fn verbatim(env: &Env, input: Input) -> &str {
    let other_name = || input.alias.and_then(|alias| env.get(alias));
    env.get(input.variable)
        .or_else(other_name)
        .or_else(|| env.even_empty(input.variable))
        .unwrap_or(input.default)
}

/// An input that holds no macro.
pub(in crate::agent) fn text(env: &Env, input: Input) -> Result<&str, InputError> {
    let value = verbatim(env, input).trim();
    // The agent leaves a macro as it is when no such variable exists.
    if value.contains("$(") {
        let (input, value, accepted) = (input.name, value.to_owned(), accepted(input));
        return Err(InputError::Macro { input, value, accepted });
    }
    Ok(value)
}

pub(in crate::agent) fn refuse(input: Input, value: &str) -> InputError {
    InputError::Value { input: input.name, value: value.to_owned(), accepted: accepted(input) }
}

pub(in crate::agent) fn boolean(env: &Env, input: Input) -> Result<bool, InputError> {
    match text(env, input)? {
        value if value.eq_ignore_ascii_case("true") => Ok(true),
        value if value.eq_ignore_ascii_case("false") => Ok(false),
        value => Err(refuse(input, value)),
    }
}

/// Entries separated by commas or line ends.
pub(super) fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split([',', '\n', '\r']).map(str::trim).filter(|entry| !entry.is_empty())
}

/// The entries of a guard. One that is not empty and names nothing was meant to hold something back.
pub(super) fn guarded<T>(
    env: &Env,
    input: Input,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Allowed<T>, InputError> {
    let value = text(env, input)?;
    if value.is_empty() {
        return Ok(Allowed::Any);
    }
    let entries: Vec<_> =
        list(value).map(|entry| read(entry).ok_or_else(|| refuse(input, entry))).collect::<Result<_, _>>()?;
    if entries.is_empty() { Err(refuse(input, value)) } else { Ok(Allowed::Only(entries)) }
}

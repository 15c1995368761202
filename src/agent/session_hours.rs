//! The variable that bounds how long a broker lives.

use wif_core::foreign_text::one_line;
use wif_io::env::Env;

/// The variable by which a pipeline sets the broker's absolute end, in hours.
const HOURS_VARIABLE: &str = "WIF_SESSION_HOURS";
/// A job token ends after about a day.
const DEFAULT_HOURS: u32 = 24;
/// The highest value of the variable: 14 days.
const MAX_HOURS: u32 = 24 * 14;

/// The variable's value is no time that a broker can live for.
#[derive(Debug, thiserror::Error)]
#[error(
    "the variable {HOURS_VARIABLE} is '{}'; accepted: whole hours, 1 to {MAX_HOURS}",
    one_line(value, 100)
)]
pub(crate) struct HoursError {
    value: String,
}

/// For how many hours a broker lives at the most.
///
/// # Errors
///
/// The variable is no number of whole hours from 1 to 336.
pub(crate) fn hours(env: &Env) -> Result<u32, HoursError> {
    let Some(value) = env.get(HOURS_VARIABLE) else { return Ok(DEFAULT_HOURS) };
    let hours = value.trim().parse().ok().filter(|hours| (1..=MAX_HOURS).contains(hours));
    hours.ok_or_else(|| HoursError { value: value.to_owned() })
}

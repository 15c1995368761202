//! Random numbers of the operating system.

pub use getrandom::Error;
use uuid::Uuid;

/// So many random bytes.
///
/// # Errors
///
/// The system gives no random numbers.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that asks the system for random numbers"
)]
pub fn bytes<const COUNT: usize>() -> Result<[u8; COUNT], Error> {
    let mut bytes = [0; COUNT];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// A new id, for instance of a request.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that asks the system for random numbers"
)]
pub fn id() -> Uuid {
    Uuid::new_v4()
}

//! Random numbers of the operating system.

pub use getrandom::Error;
use ring::rand::SystemRandom;
use uuid::Uuid;
use zeroize::Zeroizing;

/// So many random bytes, wiped when they are dropped: they may be a key.
///
/// # Errors
///
/// The system gives no random numbers.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that asks the system for random numbers"
)]
pub fn bytes<const COUNT: usize>() -> Result<Zeroizing<[u8; COUNT]>, Error> {
    let mut bytes = Zeroizing::new([0; COUNT]);
    getrandom::fill(bytes.as_mut_slice())?;
    Ok(bytes)
}

/// The system's randomness, in the form in which `ring` wants it for a signature. Its trait is sealed, so that no other source
/// can be passed.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that asks the system for random numbers"
)]
pub fn for_signing() -> SystemRandom {
    SystemRandom::new()
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

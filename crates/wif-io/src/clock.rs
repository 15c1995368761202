//! Time: what the wall says, how long something took, and waiting.

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};

use time::OffsetDateTime;

/// A wait that a test may cut short.
pub type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A clock that tests can replace.
pub trait Clock: Send + Sync {
    /// The wall clock.
    fn now(&self) -> OffsetDateTime;
    /// Time since some fixed moment; never goes back.
    fn elapsed(&self) -> Duration;
    /// Waits on purpose, for instance before another attempt.
    fn sleep(&self, duration: Duration) -> Wait;
    /// Ends when something else has taken too long.
    fn limit(&self, duration: Duration) -> Wait;
}

/// The machine's clock.
#[derive(Debug)]
pub struct System(Instant);

impl System {
    /// The machine's clock, with `elapsed` counted from now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the machine's clock")]
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Default for System {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for System {
    #[expect(clippy::disallowed_methods, reason = "this is the machine's clock")]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Wait {
        Box::pin(tokio::time::sleep(duration))
    }

    fn limit(&self, duration: Duration) -> Wait {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A moment, counted by a clock's `elapsed`, by which an operation must be over.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Duration);

impl Deadline {
    /// The moment `duration` from now.
    #[must_use]
    pub fn after(clock: &dyn Clock, duration: Duration) -> Self {
        Self(clock.elapsed() + duration)
    }

    /// What is left, zero when it is over.
    #[must_use]
    pub fn remaining(self, clock: &dyn Clock) -> Duration {
        self.0.saturating_sub(clock.elapsed())
    }
}

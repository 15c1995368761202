//! Time: what the wall says, how long something took, waiting, and how far waits are spread.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::{Duration, Instant},
};

use time::OffsetDateTime;

use crate::random;

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
    /// Ends when something else has taken too long; `what` it is.
    fn limit(&self, what: Limit, duration: Duration) -> Wait;
    /// By how much to shorten a delay, so that many jobs do not try again at one moment: a random number.
    fn jitter(&self) -> u8;
}

/// What a limit is set to. Tests tell limits apart by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A request to a service, or several.
    Request,
    /// The connection that is made ahead of a request.
    ConnectionAhead,
    /// The renewal of a token, for which a caller of the broker waits.
    Renewal,
    /// A tool.
    Tool,
    /// What the step waits for when it starts its broker.
    BrokerStart,
    /// An answer of the broker.
    BrokerAnswer,
    /// The end of the broker's process.
    BrokerEnd,
    /// The body of a request to the broker.
    RequestBody,
}

/// What comes of `future`; `None` when it takes longer than `limit`.
pub async fn timeout<T>(
    clock: &dyn Clock,
    what: Limit,
    limit: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    // Most are there at once: a caller of the broker waits for no timer that it does not need.
    let mut wait = None;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => {
            let wait = wait.get_or_insert_with(|| clock.limit(what, limit));
            wait.as_mut().poll(context).map(|()| None)
        }
    })
    .await
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

    #[expect(clippy::disallowed_methods, reason = "this is the machine's clock")]
    fn sleep(&self, duration: Duration) -> Wait {
        Box::pin(tokio::time::sleep(duration))
    }

    fn limit(&self, _what: Limit, duration: Duration) -> Wait {
        self.sleep(duration)
    }

    fn jitter(&self) -> u8 {
        // Without randomness the delays are the longest.
        random::bytes().map_or(0, |byte| u8::from_le_bytes(*byte))
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

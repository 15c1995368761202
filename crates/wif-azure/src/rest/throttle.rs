//! How long a service wants to be left alone.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use wif_io::{clock::Clock, http::Response};

/// What the answers so far have asked for. Azure DevOps sends `Retry-After` with a success, too: it means the next call.
#[derive(Default)]
pub(super) struct Throttle(Mutex<Option<Hold>>);

/// A wait that an answer asked for.
#[derive(Clone, Copy)]
pub(super) struct Hold {
    /// By the clock's `elapsed`.
    until: Duration,
    /// The HTTP status of the answer.
    pub(super) status: u16,
}

impl Throttle {
    /// Notes what an answer asks for; the latest end counts.
    pub(super) fn note(&self, clock: &dyn Clock, status: u16, retry_after: Option<Duration>) {
        let Some(delay) = retry_after else { return };
        let until = clock.elapsed().saturating_add(delay);
        let mut hold = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if hold.is_none_or(|hold| hold.until < until) {
            *hold = Some(Hold { until, status });
        }
    }

    /// A refusal is not a wait, whatever else it asks for.
    pub(super) fn note_answer(&self, clock: &dyn Clock, response: &Response) {
        if matches!(response.status, 200..=299 | 408 | 429 | 500..=599) {
            self.note(clock, response.status, response.retry_after);
        }
    }

    /// How long the next request has to wait, and the status of the answer that asked for it; none, if not at all.
    pub(super) fn wait(&self, clock: &dyn Clock) -> Option<(Duration, u16)> {
        let hold = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        let wait = hold.until.saturating_sub(clock.elapsed());
        (!wait.is_zero()).then_some((wait, hold.status))
    }
}

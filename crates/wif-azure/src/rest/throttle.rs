//! How long a service wants to be left alone.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use wif_io::{clock::Clock, http::Response};

use super::pause::Pause;

/// What the answers so far have asked for. Azure DevOps sends `Retry-After` with a success, too: it means the next call.
#[derive(Default)]
pub struct Throttle {
    state: Mutex<State>,
    /// Hears of each wish. None: a wish is waited for within the time of a call only.
    told: Option<Box<dyn Fn(Duration, Duration) + Send + Sync>>,
}

#[derive(Default)]
struct State {
    pause: Pause,
    /// The HTTP status of the answer that asked for it.
    status: u16,
    /// It is more than is waited for.
    has_given_up: bool,
}

impl Throttle {
    /// One that several clients share. What a service asks for is waited for beside the time of a call, up to [`Pause::LONGEST`] without
    /// a success between; `told` hears of each wish and by how much it makes the wait longer.
    #[must_use]
    pub fn patient(told: impl Fn(Duration, Duration) + Send + Sync + 'static) -> Self {
        Self { state: Mutex::default(), told: Some(Box::new(told)) }
    }

    pub(super) const fn is_patient(&self) -> bool {
        self.told.is_some()
    }

    /// Whether a service asks for longer than is waited for.
    pub(super) fn has_given_up(&self) -> bool {
        self.lock().has_given_up
    }

    /// Notes what an answer asks for; the latest end counts.
    pub(super) fn note(&self, clock: &dyn Clock, status: u16, retry_after: Option<Duration>) {
        let Some(delay) = retry_after else { return };
        let longer = {
            let mut state = self.lock();
            let now = clock.elapsed();
            let Some(longer) = state.pause.ask(now, delay) else { return };
            state.status = status;
            state.has_given_up = self.is_patient() && state.pause.is_too_long(now);
            longer
        };
        if let Some(told) = &self.told
            && delay <= Pause::LONGEST
        {
            told(delay, longer);
        }
    }

    /// A refusal is not a wait, whatever else it asks for.
    pub(super) fn note_answer(&self, clock: &dyn Clock, response: &Response) {
        if matches!(response.status, 200..=299) {
            self.lock().pause.succeeded();
        }
        if matches!(response.status, 200..=299 | 408 | 429 | 500..=599) {
            self.note(clock, response.status, response.retry_after);
        }
    }

    /// How long the next request has to wait, and the status of the answer that asked for it; none, if not at all.
    pub(super) fn wait(&self, clock: &dyn Clock) -> Option<(Duration, u16)> {
        let mut state = self.lock();
        let wait = state.pause.left(clock.elapsed());
        if wait.is_zero() && state.has_given_up {
            state.has_given_up = false;
            state.pause.succeeded();
        }
        (!wait.is_zero()).then_some((wait, state.status))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

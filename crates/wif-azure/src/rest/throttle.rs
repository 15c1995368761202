//! How long a service wants to be left alone.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use wif_io::{clock::Clock, http::Response};

/// What the answers so far have asked for. Azure DevOps sends `Retry-After` with a success, too: it means the next call.
#[derive(Default)]
pub struct Throttle {
    state: Mutex<State>,
    patience: Option<Patience>,
}

#[derive(Default)]
struct State {
    hold: Option<Hold>,
    /// How long was asked for since the last success.
    asked: Duration,
    /// It is more than is waited for.
    has_given_up: bool,
}

struct Patience {
    longest: Duration,
    told: Box<dyn Fn(Duration, Duration) + Send + Sync>,
}

/// A wait that an answer asked for.
#[derive(Clone, Copy)]
pub(super) struct Hold {
    /// By the clock's `elapsed`.
    until: Duration,
    /// The HTTP status of the answer.
    pub(super) status: u16,
}

impl Throttle {
    /// One that several clients share. What a service asks for is waited for beside the time of a call, up to `longest` without a success
    /// between; `told` hears of each wish and by how much it makes the wait longer.
    #[must_use]
    pub fn patient(longest: Duration, told: impl Fn(Duration, Duration) + Send + Sync + 'static) -> Self {
        Self { state: Mutex::default(), patience: Some(Patience { longest, told: Box::new(told) }) }
    }

    pub(super) const fn is_patient(&self) -> bool {
        self.patience.is_some()
    }

    /// Whether a service asks for longer than is waited for.
    pub(super) fn has_given_up(&self) -> bool {
        self.lock().has_given_up
    }

    /// Notes what an answer asks for; the latest end counts.
    pub(super) fn note(&self, clock: &dyn Clock, status: u16, retry_after: Option<Duration>) {
        let Some(delay) = retry_after else { return };
        let now = clock.elapsed();
        let until = now.saturating_add(delay);
        let longer = {
            let mut state = self.lock();
            let before = state.hold.map_or(Duration::ZERO, |hold| hold.until);
            if until <= before {
                return;
            }
            state.hold = Some(Hold { until, status });
            let longer = until.saturating_sub(before.max(now));
            state.asked = state.asked.saturating_add(longer);
            let Some(patience) = &self.patience else { return };
            state.has_given_up = state.asked > patience.longest;
            longer
        };
        if let Some(patience) = &self.patience
            && delay <= patience.longest
        {
            (patience.told)(delay, longer);
        }
    }

    /// A refusal is not a wait, whatever else it asks for.
    pub(super) fn note_answer(&self, clock: &dyn Clock, response: &Response) {
        if matches!(response.status, 200..=299) {
            self.lock().asked = Duration::ZERO;
        }
        if matches!(response.status, 200..=299 | 408 | 429 | 500..=599) {
            self.note(clock, response.status, response.retry_after);
        }
    }

    /// How long the next request has to wait, and the status of the answer that asked for it; none, if not at all.
    pub(super) fn wait(&self, clock: &dyn Clock) -> Option<(Duration, u16)> {
        let mut state = self.lock();
        let hold = state.hold?;
        let wait = hold.until.saturating_sub(clock.elapsed());
        if wait.is_zero() && state.has_given_up {
            (state.has_given_up, state.asked) = (false, Duration::ZERO);
        }
        (!wait.is_zero()).then_some((wait, hold.status))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

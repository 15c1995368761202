//! One token, kept fresh: one flight for all who ask, and what still works is given away while a renewal is under way
//! or fails.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt as _, future::Shared};
use time::OffsetDateTime;
use tokio::sync::Notify;

use crate::{clock::Clock, error::Failure, identity::lifetime::Lifetime, retry::Outcome, secret::Secret};

/// A token and the time in which it works.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// The token.
    pub token: Secret,
    /// The token as a JSON text, made once for all who ask.
    pub(super) json: Secret,
    /// When it came and when it ends.
    pub lifetime: Lifetime,
}

impl Fresh {
    /// A token that works for so long.
    #[must_use]
    pub fn new(token: Secret, lifetime: Lifetime) -> Self {
        let json = token.to_json();
        Self { token, json, lifetime }
    }
}

/// How a flight ended. The failure is shared by all who waited for it.
pub type Landing = Result<Fresh, Arc<Failure>>;
/// Fetches a token.
pub type Fetch = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Fresh, Failure>> + Send>> + Send + Sync>;
type Flight = Shared<Pin<Box<dyn Future<Output = Landing> + Send>>>;

/// One token, for one resource, of one session.
pub struct Slot {
    clock: Arc<dyn Clock>,
    fetch: Fetch,
    /// Told of every landing.
    changed: OnceLock<Arc<Notify>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    fresh: Option<Fresh>,
    flight: Option<Flight>,
    /// The last attempt's failure, and when the next attempt may begin: by the clock that nobody sets.
    failed: Option<(Arc<Failure>, Duration)>,
    /// Attempts that failed in a row.
    failures: u32,
    /// After a renewal that brought nothing later: when to try again.
    again_at: Option<OffsetDateTime>,
    /// Whether anybody asked since the last renewal, or somebody reads the token without asking.
    wanted: bool,
    always_wanted: bool,
    counts: Counts,
}

/// What a slot was asked, and what it asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Callers.
    pub asked: u64,
    /// Flights.
    pub fetched: u64,
}

/// How long a caller waits for a renewal while there is something else to give: a token that ends soon, or the failure
/// of the attempt before.
const PATIENCE: Duration = Duration::from_secs(3);
/// With so much life left, a token is given away without waiting for its renewal.
const COMFORT: time::Duration = time::Duration::minutes(2);
/// How long callers without a token get the last failure at once before another attempt: doubling, up to the second.
const REST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// The longest rest that a service can ask for.
const LONGEST_REST: Duration = Duration::from_secs(600);

impl Slot {
    /// A slot that begins with a token, or empty.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, fetch: Fetch, fresh: Option<Fresh>) -> Arc<Self> {
        let state = State { fresh, ..State::default() };
        Arc::new(Self { clock, fetch, changed: OnceLock::new(), state: Mutex::new(state) })
    }

    /// Names who is to be told of every landing.
    pub fn tell(&self, changed: Arc<Notify>) {
        // Whoever was named first stays.
        let _ = self.changed.set(changed);
    }

    fn notify(&self) {
        if let Some(changed) = self.changed.get() {
            changed.notify_one();
        }
    }

    /// Puts a token in that came by other ways.
    pub fn put(&self, fresh: Fresh) {
        self.state().fresh = Some(fresh);
    }

    /// Keeps the token fresh though nobody asks: somebody reads it from a file.
    pub fn want_always(&self) {
        self.state().always_wanted = true;
        self.notify();
    }

    /// The token that is there, whatever its age.
    #[must_use]
    pub fn current(&self) -> Option<Fresh> {
        self.state().fresh.clone()
    }

    /// The token, as fresh as it can be had.
    ///
    /// # Errors
    ///
    /// No token works, and no other could be fetched, now or a moment ago.
    pub async fn get(self: &Arc<Self>) -> Landing {
        let (works, failed, flight) = {
            let mut state = self.state();
            state.counts.asked += 1;
            if !std::mem::replace(&mut state.wanted, true) {
                // Whoever renews ahead of time has left this token out so far.
                self.notify();
            }
            let now = self.clock.now();
            let rests = state.rests(self.clock.elapsed());
            let works = state.fresh.clone().filter(|fresh| fresh.lifetime.works(now));
            let failed = state.failed.as_ref().map(|(failure, _)| Arc::clone(failure));
            match (&works, &failed) {
                (Some(fresh), _) if rests || !state.is_due(fresh, now) => return Ok(fresh.clone()),
                (None, Some(failure)) if rests && state.flight.is_none() => return Err(Arc::clone(failure)),
                _ => {}
            }
            let flight = self.flight(&mut state);
            match &works {
                Some(fresh) if fresh.lifetime.until - now >= COMFORT => return Ok(fresh.clone()),
                _ => (works, failed, flight),
            }
        };
        let instead = match (works, failed) {
            (Some(old), _) => Ok(old),
            (None, Some(failure)) => Err(failure),
            (None, None) => return flight.await,
        };
        tokio::select! {
            landing = flight => landing.or(instead),
            () = self.clock.limit(PATIENCE) => instead,
        }
    }

    /// Begins to renew the token if it is time to. Whoever keeps the slot alive calls this at [`Slot::next`].
    pub fn renew(self: &Arc<Self>) {
        let mut state = self.state();
        let now = self.clock.now();
        let due = state.fresh.as_ref().is_some_and(|fresh| state.is_due(fresh, now));
        let rests = state.rests(self.clock.elapsed());
        if due && state.is_wanted(now) && !rests && state.flight.is_none() {
            state.wanted = false;
            // How it ends is kept for those who ask.
            drop(self.flight(&mut state));
        }
    }

    /// When [`Slot::renew`] has something to do; never, for a token that nobody has asked for since its last renewal.
    #[must_use]
    pub fn next(&self) -> Option<OffsetDateTime> {
        let state = self.state();
        if state.flight.is_some() || !state.is_wanted(self.clock.now()) {
            return None;
        }
        let due = state.due_at(state.fresh.as_ref()?);
        let rest = state
            .failed
            .as_ref()
            .map_or(Duration::ZERO, |(_, rest)| rest.saturating_sub(self.clock.elapsed()));
        Some(due.max(self.clock.now() + rest))
    }

    /// What it was asked, and what it asked.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// Whether a flight is under way.
    #[must_use]
    pub fn is_renewing(&self) -> bool {
        self.state().flight.is_some()
    }

    /// When the token that it has now ends.
    #[must_use]
    pub fn until(&self) -> Option<OffsetDateTime> {
        self.state().fresh.as_ref().map(|fresh| fresh.lifetime.until)
    }

    /// The flight that is under way, or a new one. It goes on if everybody who waits for it goes away.
    fn flight(self: &Arc<Self>, state: &mut State) -> Flight {
        if let Some(flight) = &state.flight {
            return flight.clone();
        }
        state.counts.fetched += 1;
        let slot = Arc::clone(self);
        let fetched = (self.fetch)();
        let flight = async move {
            let result = fetched.await;
            slot.land(result)
        };
        let flight = flight.boxed().shared();
        state.flight = Some(flight.clone());
        tokio::spawn(flight.clone().map(|_landing| ()));
        flight
    }

    fn land(&self, result: Result<Fresh, Failure>) -> Landing {
        let now = self.clock.now();
        let mut state = self.state();
        state.flight = None;
        self.notify();
        match result {
            Ok(fresh) => {
                let later = state.fresh.as_ref().is_none_or(|old| fresh.lifetime.until > old.lifetime.until);
                let old = state.fresh.take();
                // A service may give the same token again: its first half is over all the same.
                let kept = if later { fresh } else { old.unwrap_or(fresh) };
                state.again_at = (!later).then(|| kept.lifetime.again_at(now));
                state.fresh = Some(kept.clone());
                state.failed = None;
                state.failures = 0;
                Ok(kept)
            }
            Err(failure) => {
                let failure = Arc::new(failure);
                let rest = REST.0.saturating_mul(2_u32.saturating_pow(state.failures)).min(REST.1);
                let asked = match failure.outcome {
                    Outcome::Busy { retry_after: Some(asked) } => asked.min(LONGEST_REST),
                    _ => Duration::ZERO,
                };
                state.failures = (state.failures + 1).min(16);
                state.failed = Some((Arc::clone(&failure), self.clock.elapsed() + rest.max(asked)));
                // What was wanted still is.
                state.wanted = true;
                Err(failure)
            }
        }
    }

    /// A panic elsewhere leaves the state as it was between two assignments, each of which is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn due_at(&self, fresh: &Fresh) -> OffsetDateTime {
        self.again_at.unwrap_or_else(|| fresh.lifetime.renew_at())
    }

    fn is_due(&self, fresh: &Fresh, now: OffsetDateTime) -> bool {
        self.due_at(fresh) <= now
    }

    /// Whether to renew ahead of time. Once a token has ended, its next caller fetches another.
    fn is_wanted(&self, now: OffsetDateTime) -> bool {
        let works = self.fresh.as_ref().is_some_and(|fresh| fresh.lifetime.works(now));
        self.always_wanted || self.wanted && works
    }

    /// Whether the last attempt failed too short a time ago for another.
    fn rests(&self, elapsed: Duration) -> bool {
        self.failed.as_ref().is_some_and(|(_, rest)| elapsed < *rest)
    }
}

#[cfg(test)]
mod tests;

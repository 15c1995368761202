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

use crate::{clock::Clock, error::Failure, identity::lifetime::Lifetime, secret::Secret};

/// A token and the time in which it works.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// The token.
    pub token: Secret,
    /// When it came and when it ends.
    pub lifetime: Lifetime,
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
    /// The last attempt's failure, and when the next attempt may begin.
    failed: Option<(Arc<Failure>, OffsetDateTime)>,
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

/// How long a caller waits for a renewal while the old token still works.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long callers without a token get the last failure at once before another attempt: doubling, up to the second.
const REST: (time::Duration, time::Duration) = (time::Duration::seconds(1), time::Duration::seconds(30));

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
        let (works, flight) = {
            let mut state = self.state();
            state.counts.asked += 1;
            state.wanted = true;
            let now = self.clock.now();
            let works = state.fresh.clone().filter(|fresh| fresh.lifetime.works(now));
            match (&works, &state.failed) {
                (Some(fresh), _) if !state.is_due(fresh, now) => return Ok(fresh.clone()),
                (Some(fresh), Some((_, rest))) if now < *rest => return Ok(fresh.clone()),
                (None, Some((failure, rest))) if now < *rest && state.flight.is_none() => {
                    return Err(Arc::clone(failure));
                }
                _ => {}
            }
            (works, self.flight(&mut state))
        };
        match works {
            None => flight.await,
            Some(old) => tokio::select! {
                landing = flight => Ok(landing.unwrap_or(old)),
                () = self.clock.limit(PATIENCE) => Ok(old),
            },
        }
    }

    /// Begins to renew the token if it is time to. Whoever keeps the slot alive calls this at [`Slot::next`].
    pub fn renew(self: &Arc<Self>) {
        let mut state = self.state();
        let now = self.clock.now();
        let due = state.fresh.as_ref().is_some_and(|fresh| state.is_due(fresh, now));
        let rests = state.failed.as_ref().is_some_and(|(_, rest)| now < *rest);
        let wanted = state.wanted || state.always_wanted;
        if due && wanted && !rests && state.flight.is_none() {
            state.wanted = false;
            // How it ends is kept for those who ask.
            drop(self.flight(&mut state));
        }
    }

    /// When [`Slot::renew`] has something to do; never, for a token that nobody has asked for since its last renewal.
    #[must_use]
    pub fn next(&self) -> Option<OffsetDateTime> {
        let state = self.state();
        if state.flight.is_some() || !(state.wanted || state.always_wanted) {
            return None;
        }
        let due = state.due_at(state.fresh.as_ref()?);
        Some(state.failed.as_ref().map_or(due, |(_, rest)| due.max(*rest)))
    }

    /// What it was asked, and what it asked.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state().counts
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
                let rest = (REST.0 * 2_i32.saturating_pow(state.failures)).min(REST.1);
                state.failures = (state.failures + 1).min(16);
                state.failed = Some((Arc::clone(&failure), now + rest));
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
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

    use super::*;
    use crate::{clock::Wait, error::Code};

    /// Nothing waits: what waits for a renewal has no patience.
    #[derive(Default)]
    struct Hand(AtomicI64);

    impl Hand {
        fn set(&self, seconds: i64) {
            self.0.store(seconds, Ordering::SeqCst);
        }
    }

    impl Clock for Hand {
        fn now(&self) -> OffsetDateTime {
            OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(self.0.load(Ordering::SeqCst))
        }

        fn elapsed(&self) -> Duration {
            Duration::ZERO
        }

        fn sleep(&self, _duration: Duration) -> Wait {
            Box::pin(std::future::ready(()))
        }

        fn limit(&self, _duration: Duration) -> Wait {
            Box::pin(async { tokio::task::yield_now().await })
        }
    }

    /// A source whose n-th answer lives so many seconds, or is a failure.
    fn slot(clock: &Arc<Hand>, lives: &'static [Option<i64>]) -> (Arc<Slot>, Arc<AtomicUsize>) {
        let (asked, hand) = (Arc::new(AtomicUsize::new(0)), Arc::clone(clock));
        let counter = Arc::clone(&asked);
        let fetch: Fetch = Arc::new(move || {
            let nth = counter.fetch_add(1, Ordering::SeqCst);
            let from = hand.now();
            Box::pin(async move {
                tokio::task::yield_now().await;
                match lives.get(nth).copied().flatten() {
                    Some(life) => {
                        let until = from + time::Duration::seconds(life);
                        let token = Secret::new(format!("token {nth}"));
                        Ok(Fresh { token, lifetime: Lifetime { from, until } })
                    }
                    None => Err(Failure::new(Code::TimedOut, "down", "wait")),
                }
            })
        });
        (Slot::new(Arc::clone(clock) as _, fetch, None), asked)
    }

    async fn token(slot: &Arc<Slot>) -> Result<String, Code> {
        slot.get().await.map(|fresh| fresh.token.expose().to_owned()).map_err(|failure| failure.code)
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test);
    }

    #[test]
    fn many_callers_cost_one_flight_and_share_its_failure() {
        run(async {
            let clock = Arc::new(Hand::default());
            let (slot, asked) = slot(&clock, &[None, Some(3600)]);
            let all = futures_util::future::join_all((0..1000).map(|_| token(&slot))).await;
            assert!(all.iter().all(|result| *result == Err(Code::TimedOut)));
            assert_eq!(asked.load(Ordering::SeqCst), 1);
            clock.set(2);
            let all = futures_util::future::join_all((0..1000).map(|_| token(&slot))).await;
            assert!(all.iter().all(|result| result.as_deref() == Ok("token 1")));
            assert_eq!(asked.load(Ordering::SeqCst), 2);
            assert_eq!(slot.counts(), Counts { asked: 2000, fetched: 2 });
        });
    }

    #[test]
    fn what_still_works_is_given_away_while_renewals_fail_and_after_it_the_failure_at_once() {
        run(async {
            let clock = Arc::new(Hand::default());
            let (slot, asked) = slot(&clock, &[Some(3600), None, None, None, Some(3600)]);
            assert_eq!(token(&slot).await.as_deref(), Ok("token 0"));
            clock.set(1799);
            assert_eq!(token(&slot).await.as_deref(), Ok("token 0"));
            assert_eq!(asked.load(Ordering::SeqCst), 1, "it is fresh");
            clock.set(1800);
            assert_eq!(token(&slot).await.as_deref(), Ok("token 0"), "it is due, and works");
            assert_eq!(
                token(&slot).await.as_deref(),
                Ok("token 0"),
                "the failure is not tried again at once"
            );
            assert_eq!(asked.load(Ordering::SeqCst), 2);
            clock.set(3600);
            assert_eq!(token(&slot).await, Err(Code::TimedOut));
            assert_eq!(token(&slot).await, Err(Code::TimedOut), "at once, without another flight");
            assert_eq!(asked.load(Ordering::SeqCst), 3);
            clock.set(3602);
            assert_eq!(token(&slot).await, Err(Code::TimedOut));
            clock.set(3640);
            assert_eq!(token(&slot).await.as_deref(), Ok("token 4"), "it recovers by itself");
        });
    }

    #[test]
    fn the_same_token_again_makes_steps_that_only_move_forward() {
        run(async {
            let clock = Arc::new(Hand::default());
            // Each answer ends at the same moment as the first.
            let (slot, asked) = slot(&clock, &[Some(86_700), Some(43_350), Some(21_675), Some(10_838)]);
            token(&slot).await.unwrap();
            clock.set(43_350);
            assert_eq!(token(&slot).await.as_deref(), Ok("token 0"));
            clock.set(43_400);
            assert_eq!(token(&slot).await.as_deref(), Ok("token 0"));
            assert_eq!(asked.load(Ordering::SeqCst), 2, "not again a moment later");
            assert_eq!(slot.next().map(OffsetDateTime::unix_timestamp), Some(43_350 + 21_675));
        });
    }

    #[test]
    fn a_token_that_nobody_asks_for_is_not_renewed_unless_it_is_read_from_a_file() {
        run(async {
            let clock = Arc::new(Hand::default());
            let (slot, _) = slot(&clock, &[Some(3600), Some(3600), Some(3600)]);
            token(&slot).await.unwrap();
            assert_eq!(slot.next().map(OffsetDateTime::unix_timestamp), Some(1800));
            clock.set(1800);
            slot.renew();
            assert_eq!(slot.next(), None, "a renewal is under way");
            while slot.until().map(OffsetDateTime::unix_timestamp) == Some(3600) {
                tokio::task::yield_now().await;
            }
            assert_eq!(slot.next(), None, "nobody asked since");
            let fetched = slot.counts().fetched;
            clock.set(3600);
            slot.renew();
            assert_eq!(slot.counts().fetched, fetched, "somebody else's timer renews nothing here");
            clock.set(1800);
            slot.want_always();
            assert_eq!(slot.next().map(OffsetDateTime::unix_timestamp), Some(3600));
        });
    }
}

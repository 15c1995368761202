//! One token, kept fresh. All callers share one fetch, and they get the old token while a renewal is under way or has
//! failed, as long as that token works.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::Duration,
};

use futures_util::{FutureExt as _, future::Shared};
use time::OffsetDateTime;
use tokio::sync::Notify;
use wif_core::{failure::Failure, retry::RetryClass, secret::Secret, token::lifetime::Lifetime};
use wif_io::clock::{Clock, Limit};

/// A token and the time in which it works.
#[derive(Clone, Debug)]
pub struct CachedToken {
    /// The token.
    pub token: Secret,
    /// The token as a JSON text, made once for all who ask.
    pub(super) json: Secret,
    /// When it came and when it ends.
    pub lifetime: Lifetime,
}

impl CachedToken {
    /// A token that works for so long.
    #[must_use]
    pub fn new(token: Secret, lifetime: Lifetime) -> Self {
        let json = token.to_json();
        Self { token, json, lifetime }
    }
}

/// How a fetch ended. All callers that waited for it share the failure.
pub type FetchResult = Result<CachedToken, Arc<Failure>>;
/// Fetches a token.
pub type Fetch =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<CachedToken, Failure>> + Send>> + Send + Sync>;
type SharedFetch = Shared<Pin<Box<dyn Future<Output = FetchResult> + Send>>>;

/// One token, for one resource, of one session.
pub struct TokenSlot {
    clock: Arc<dyn Clock>,
    fetch: Fetch,
    /// Notified when a fetch ends.
    changed: OnceLock<Arc<Notify>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    fresh: Option<StoredToken>,
    pending: Option<SharedFetch>,
    /// The last attempt's failure, and when the next attempt may begin: by the monotonic clock.
    failed: Option<(Arc<Failure>, Duration)>,
    /// Attempts that failed in a row.
    failures: u32,
    /// After a renewal that brought nothing later: when to try again.
    again_at: Option<OffsetDateTime>,
    /// Whether a caller asked since the last renewal, or a file keeps the token for readers that never ask.
    wanted: bool,
    always_wanted: bool,
    counts: Counts,
}

/// What a token is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// A caller wants it, and may come again.
    Caller,
    /// The broker fetches another token with it.
    Exchange,
}

/// What both clocks say.
#[derive(Clone, Copy)]
struct Moment {
    wall: OffsetDateTime,
    elapsed: Duration,
}

impl Moment {
    fn of(clock: &dyn Clock) -> Self {
        Self { wall: clock.now(), elapsed: clock.elapsed() }
    }
}

/// A token, and its end by the clock that cannot be set, beside the end by the wall clock: the earlier counts.
struct StoredToken {
    fresh: CachedToken,
    end: Duration,
}

/// Two ends that are no further apart are one: the two clocks differ in pace.
const SAME_END: Duration = Duration::from_secs(1);

impl StoredToken {
    /// A token that is there now.
    fn new(fresh: CachedToken, at: Moment) -> Self {
        let end = at.elapsed + not_negative(fresh.lifetime.until - at.wall);
        Self { fresh, end }
    }

    /// A token that came now, and was asked for when so much time had elapsed: its life begins there, though the wall
    /// clock may have been set back since.
    fn asked_at(asked: Duration, fresh: CachedToken, at: Moment) -> Self {
        let life = not_negative(fresh.lifetime.until - fresh.lifetime.from);
        let stored = Self::new(fresh, at);
        Self { end: stored.end.min(asked + life), ..stored }
    }

    /// The time that this token's life is judged by: the wall clock's, or later if that was set back.
    fn now(&self, at: Moment) -> OffsetDateTime {
        at.wall.max(self.fresh.lifetime.until - self.end.saturating_sub(at.elapsed))
    }

    fn works(&self, at: Moment) -> bool {
        self.fresh.lifetime.works(self.now(at))
    }

    fn remaining(&self, at: Moment) -> time::Duration {
        self.fresh.lifetime.until - self.now(at)
    }

    /// The end that does not promise a reader of today's wall clock more life than the token has.
    fn until(&self, at: Moment) -> OffsetDateTime {
        self.fresh.lifetime.until.min(at.wall + self.end.saturating_sub(at.elapsed))
    }

    /// The token as it is given away.
    fn for_caller(&self, at: Moment) -> CachedToken {
        let mut fresh = self.fresh.clone();
        fresh.lifetime.until = self.until(at);
        fresh
    }
}

fn not_negative(duration: time::Duration) -> Duration {
    duration.max(time::Duration::ZERO).unsigned_abs()
}

/// How often callers asked for the token, and how often it was fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests of callers.
    pub asked: u64,
    /// Connections over which these came.
    pub connections: u64,
    /// Fetches.
    pub fetched: u64,
}

/// Which tokens were asked for over one connection, so that each of them counts it once.
#[derive(Default)]
pub struct AskedOver(Mutex<Vec<Weak<TokenSlot>>>);

impl AskedOver {
    /// Whether this token was not asked for yet.
    fn is_first_for(&self, slot: &Arc<TokenSlot>) -> bool {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.iter().any(|one| std::ptr::eq(one.as_ptr(), Arc::as_ptr(slot))) {
            return false;
        }
        // A connection that asks for ever new resources keeps no more than the session does.
        asked.retain(|one| one.strong_count() > 0);
        asked.push(Arc::downgrade(slot));
        true
    }
}

/// How long a caller waits for a renewal while there is something else to give: a token that ends soon, or the failure
/// of the attempt before.
const RENEWAL_WAIT: Duration = Duration::from_secs(3);
/// With so much life left, a token is given away without waiting for its renewal.
const MIN_LIFETIME_WITHOUT_WAITING: time::Duration = time::Duration::minutes(2);
/// How long after a failed fetch the next one may begin; until then, callers without a token get that failure at once.
const MIN_BACKOFF: Duration = Duration::from_secs(1);
/// The longest that this becomes, by doubling with each failure in a row.
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// The longest wait that a service can ask for (`Retry-After`).
const MAX_RETRY_AFTER: Duration = Duration::from_secs(600);

impl TokenSlot {
    /// A slot that begins with a token, or empty.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, fetch: Fetch, fresh: Option<CachedToken>) -> Arc<Self> {
        let fresh = fresh.map(|fresh| StoredToken::new(fresh, Moment::of(&*clock)));
        let state = State { fresh, ..State::default() };
        Arc::new(Self { clock, fetch, changed: OnceLock::new(), state: Mutex::new(state) })
    }

    /// Sets what is notified when a fetch ends.
    pub(crate) fn notify_on_change(&self, changed: Arc<Notify>) {
        // The first one that was given stays.
        let _ = self.changed.set(changed);
    }

    fn notify(&self) {
        if let Some(changed) = self.changed.get() {
            changed.notify_one();
        }
    }

    /// Puts a token in that came by other ways.
    pub fn put(&self, fresh: CachedToken) {
        let stored = StoredToken::new(fresh, self.moment());
        self.state().fresh = Some(stored);
    }

    /// Keeps the token fresh even if no caller asks: it is read from a file.
    pub fn keep_fresh(&self) {
        self.state().always_wanted = true;
        self.notify();
    }

    /// The token that is there, whatever its age.
    #[must_use]
    pub fn current(&self) -> Option<CachedToken> {
        self.state().fresh.as_ref().map(|stored| stored.fresh.clone())
    }

    /// The token, as fresh as it can be had.
    ///
    /// # Errors
    ///
    /// No token works, and no other could be fetched, now or a moment ago.
    pub async fn get(self: &Arc<Self>) -> FetchResult {
        self.get_for(Purpose::Caller).await
    }

    /// The same for a caller whose connection is counted.
    ///
    /// # Errors
    ///
    /// As [`TokenSlot::get`].
    pub async fn get_over(self: &Arc<Self>, connection: &AskedOver) -> FetchResult {
        if connection.is_first_for(self) {
            self.state().counts.connections += 1;
        }
        self.get().await
    }

    /// The token as the broker needs it to fetch another token with: any that works will do, and none is fetched ahead of
    /// time, since the other token is.
    ///
    /// # Errors
    ///
    /// As [`TokenSlot::get`].
    pub async fn get_for_exchange(self: &Arc<Self>) -> FetchResult {
        self.get_for(Purpose::Exchange).await
    }

    async fn get_for(self: &Arc<Self>, purpose: Purpose) -> FetchResult {
        let (works, failed, fetch) = {
            let mut state = self.state();
            if purpose == Purpose::Caller {
                state.counts.asked += 1;
                if !std::mem::replace(&mut state.wanted, true) {
                    // Renewals ahead of time have left this token out so far.
                    self.notify();
                }
            }
            let at = self.moment();
            let backing_off = state.is_backing_off(at.elapsed);
            let works = state.fresh.as_ref().filter(|stored| stored.works(at));
            if let Some(stored) = works
                && (purpose == Purpose::Exchange || backing_off || !state.is_due(stored, at))
            {
                return Ok(stored.for_caller(at));
            }
            let failed = state.failed.as_ref().map(|(failure, _)| Arc::clone(failure));
            if let (None, Some(failure)) = (works, &failed)
                && backing_off
                && state.pending.is_none()
            {
                return Err(Arc::clone(failure));
            }
            let works = works.map(|stored| {
                let works_for = not_negative(stored.fresh.lifetime.works_until() - stored.now(at));
                (stored.for_caller(at), stored.remaining(at), works_for)
            });
            let fetch = self.start_or_join_fetch(&mut state);
            match works {
                Some((fresh, left, _)) if left >= MIN_LIFETIME_WITHOUT_WAITING => return Ok(fresh),
                works => (works, failed, fetch),
            }
        };
        let (fallback, time_is_up) = match (works, failed) {
            // The token's end is a moment in its life, and no limit on a request.
            (Some((old, _, works_for)), _) if works_for < RENEWAL_WAIT => {
                (Ok(old), self.clock.sleep(works_for))
            }
            (Some((old, ..)), _) => (Ok(old), self.clock.limit(Limit::Renewal, RENEWAL_WAIT)),
            (None, Some(failure)) => (Err(failure), self.clock.limit(Limit::Renewal, RENEWAL_WAIT)),
            (None, None) => return fetch.await,
        };
        tokio::select! {
            result = fetch => result.or(fallback),
            () = time_is_up => fallback,
        }
    }

    /// Begins to renew the token if it is time to. The loop that keeps the slot fresh calls this at [`TokenSlot::next`].
    pub fn renew(self: &Arc<Self>) {
        let mut state = self.state();
        let at = self.moment();
        let due = state.fresh.as_ref().is_some_and(|stored| state.is_due(stored, at));
        if due && state.is_wanted(at) && !state.is_backing_off(at.elapsed) && state.pending.is_none() {
            state.wanted = false;
            // How it ends is kept for those who ask.
            drop(self.start_or_join_fetch(&mut state));
        }
    }

    /// When [`TokenSlot::renew`] has something to do; never, for a token that no caller has asked for since its last renewal.
    #[must_use]
    pub fn next(&self) -> Option<OffsetDateTime> {
        let state = self.state();
        let at = self.moment();
        if state.pending.is_some() || !state.is_wanted(at) {
            return None;
        }
        let stored = state.fresh.as_ref()?;
        let wait = state.due_at(stored) - stored.now(at);
        let retry_at = state.failed.as_ref().map_or(Duration::ZERO, |(_, retry_at)| *retry_at);
        let backoff = retry_at.saturating_sub(at.elapsed);
        Some(at.wall + wait.max(backoff.try_into().unwrap_or(time::Duration::MAX)))
    }

    /// How often callers asked for the token, and how often it was fetched.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// Whether a fetch is under way.
    #[must_use]
    pub(crate) fn is_renewing(&self) -> bool {
        self.state().pending.is_some()
    }

    /// When the token that it has now ends.
    #[must_use]
    pub fn until(&self) -> Option<OffsetDateTime> {
        let at = self.moment();
        self.state().fresh.as_ref().map(|stored| stored.until(at))
    }

    /// The fetch that is under way, or a new one. It goes on even if every caller that waits for it goes away.
    fn start_or_join_fetch(self: &Arc<Self>, state: &mut State) -> SharedFetch {
        if let Some(pending) = &state.pending {
            return pending.clone();
        }
        state.counts.fetched += 1;
        let slot = Arc::clone(self);
        let asked = self.clock.elapsed();
        let fetched = (self.fetch)();
        let fetch = async move {
            let result = fetched.await;
            slot.complete(asked, result)
        };
        let fetch = fetch.boxed().shared();
        state.pending = Some(fetch.clone());
        tokio::spawn(fetch.clone().map(|_result| ()));
        fetch
    }

    fn complete(&self, asked: Duration, result: Result<CachedToken, Failure>) -> FetchResult {
        let at = self.moment();
        let mut state = self.state();
        state.pending = None;
        self.notify();
        match result {
            Ok(fresh) => {
                let new = StoredToken::asked_at(asked, fresh, at);
                let old = state.fresh.take().filter(|old| old.works(at));
                // A service may give the same token again: its first half is over all the same.
                let (kept, again_at) = match old {
                    Some(old) if new.end <= old.end + SAME_END => {
                        let again_at = old.fresh.lifetime.again_at(old.now(at));
                        (old, Some(again_at))
                    }
                    _ => (new, None),
                };
                let given = kept.for_caller(at);
                state.again_at = again_at;
                state.fresh = Some(kept);
                state.failed = None;
                state.failures = 0;
                Ok(given)
            }
            Err(failure) => {
                let failure = Arc::new(failure);
                let backoff =
                    MIN_BACKOFF.saturating_mul(2_u32.saturating_pow(state.failures)).min(MAX_BACKOFF);
                let asked = match failure.retry_class {
                    RetryClass::Busy { retry_after: Some(asked) } => asked.min(MAX_RETRY_AFTER),
                    _ => Duration::ZERO,
                };
                state.failures = (state.failures + 1).min(16);
                state.failed = Some((Arc::clone(&failure), self.clock.elapsed() + backoff.max(asked)));
                // The failed renewal is tried again, although no caller asks meanwhile.
                state.wanted = true;
                Err(failure)
            }
        }
    }

    fn moment(&self) -> Moment {
        Moment::of(&*self.clock)
    }

    /// A panic elsewhere leaves the state as it was between two assignments, each of which is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn due_at(&self, stored: &StoredToken) -> OffsetDateTime {
        self.again_at.unwrap_or_else(|| stored.fresh.lifetime.renew_at())
    }

    fn is_due(&self, stored: &StoredToken, at: Moment) -> bool {
        self.due_at(stored) <= stored.now(at)
    }

    /// Whether to renew ahead of time. Once a token has ended, its next caller fetches another.
    fn is_wanted(&self, at: Moment) -> bool {
        self.always_wanted || self.wanted && self.fresh.as_ref().is_some_and(|stored| stored.works(at))
    }

    /// Whether it is too early for another attempt after one that failed.
    fn is_backing_off(&self, elapsed: Duration) -> bool {
        self.failed.as_ref().is_some_and(|(_, retry_at)| elapsed < *retry_at)
    }
}

#[cfg(test)]
mod tests;

//! How many calls of a service run at once: as many as are allowed, fewer when the service asks to slow down, and none while
//! it wants to be left alone.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use wif_azure::rest::Pause;
use wif_io::clock::Clock;

use super::progress::Progress;

/// The pace of one service. The number of calls at once grows by one for each round of answers, and is halved when the service
/// asks to slow down (additive increase, multiplicative decrease).
pub(super) struct Pace {
    clock: Arc<dyn Clock>,
    service: &'static str,
    /// All services share these: so many calls run at once in all.
    slots: Arc<Semaphore>,
    most: usize,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    window: f64,
    running: usize,
    /// No call is sent while it lasts.
    pause: Pause,
    /// It asked to wait for longer than is waited: nothing more is asked of it.
    given_up: Option<Duration>,
}

/// The right to send one call.
pub(super) struct Permit<'a> {
    _place: Place<'a>,
    _slot: Option<OwnedSemaphorePermit>,
}

/// A place in the window of a service.
struct Place<'a>(&'a Pace);

/// The service wants to be left alone for longer than is waited.
#[derive(Clone, Copy, Debug)]
pub(super) struct TooLong(pub(super) Duration);

impl Pace {
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        service: &'static str,
        slots: Arc<Semaphore>,
        most: usize,
    ) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "64 calls at most")]
        let window = most as f64;
        let state = State { window, running: 0, pause: Pause::default(), given_up: None };
        Self { clock, service, slots, most, state: Mutex::new(state), changed: Notify::new() }
    }

    /// Waits until one more call may be sent.
    pub(super) async fn enter(&self) -> Result<Permit<'_>, TooLong> {
        loop {
            let changed = self.changed.notified();
            let wait = {
                let mut state = self.lock();
                if let Some(asked) = state.given_up {
                    return Err(TooLong(asked));
                }
                let wait = state.pause.left(self.clock.elapsed());
                if wait.is_zero() && state.running < whole(state.window) {
                    state.running += 1;
                    break;
                }
                wait
            };
            if wait.is_zero() {
                changed.await;
            } else {
                self.clock.sleep(wait).await;
            }
        }
        // From here on the place is given back, also when the call is dropped.
        let place = Place(self);
        // It is never closed: it lives as long as the pace.
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok();
        Ok(Permit { _place: place, _slot: slot })
    }

    /// An answer came, perhaps with the wish to be left alone before the next call.
    pub(super) fn answered(&self, retry_after: Option<Duration>, progress: &Progress) {
        {
            let mut state = self.lock();
            state.pause.succeeded();
            #[expect(clippy::cast_precision_loss, reason = "64 calls at most")]
            let most = self.most as f64;
            state.window = (state.window + 1.0 / state.window).min(most);
        }
        self.changed.notify_one();
        if let Some(delay) = retry_after.filter(|delay| !delay.is_zero()) {
            // The answer itself is good, so that what it asks for concerns the next call only.
            let _ = self.slow_down(delay, progress);
        }
    }

    /// The service asks to be left alone: everything waits, and fewer calls run at once.
    pub(super) fn slow_down(&self, delay: Duration, progress: &Progress) -> Result<(), TooLong> {
        let mut state = self.lock();
        let now = self.clock.elapsed();
        let is_new = state.pause.left(now).is_zero();
        let Some(longer) = state.pause.ask(now, delay) else { return Ok(()) };
        // Calls that run side by side hear the same wish, which is one.
        if is_new {
            state.window = (state.window / 2.0).max(1.0);
        }
        if state.pause.is_too_long(now) {
            state.given_up = Some(delay.max(state.pause.asked()));
            drop(state);
            self.changed.notify_waiters();
            return Err(TooLong(delay));
        }
        drop(state);
        progress.waits(self.service, delay, longer);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.running = state.running.saturating_sub(1);
        drop(state);
        self.0.changed.notify_one();
    }
}

/// A window of 3.7 calls is one of three.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 64")]
fn whole(window: f64) -> usize {
    window as usize
}

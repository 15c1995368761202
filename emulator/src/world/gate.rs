//! A gate that holds requests until a test opens it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// Holds answers back until the test opens it, so that a test can prove without sleeping that requests overlap. Clones
/// are the same gate.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    arrived: Condvar,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    waiting: usize,
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets every waiting and every later request pass.
    pub fn open(&self) {
        self.state().open = true;
        self.inner.changed.notify_waiters();
    }

    /// How many requests wait now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.state().waiting
    }

    /// Waits until this many requests wait.
    pub async fn reached(&self, count: usize) {
        self.until(|state| state.waiting >= count).await;
    }

    /// Waits, in a thread, until this many requests wait; panics after ten seconds.
    pub fn wait_until_reached(&self, count: usize) {
        let limit = Duration::from_secs(10);
        let (state, timeout) = self
            .inner
            .arrived
            .wait_timeout_while(self.state(), limit, |state| state.waiting < count)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "{} of {count} requests came to the gate", state.waiting);
    }

    pub(crate) async fn pass(&self) {
        let _waiting = WaitingRequest::new(self);
        self.until(|state| state.open).await;
    }

    async fn until(&self, holds: impl Fn(&State) -> bool) {
        loop {
            // Enabled before the state is read, so that no change in between is missed.
            let mut changed = std::pin::pin!(self.inner.changed.notified());
            changed.as_mut().enable();
            if holds(&self.state()) {
                return;
            }
            changed.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A waiting request; dropping it ends the count, also when its client gives up.
struct WaitingRequest<'a>(&'a Gate);

impl<'a> WaitingRequest<'a> {
    fn new(gate: &'a Gate) -> Self {
        gate.state().waiting += 1;
        gate.inner.arrived.notify_all();
        gate.inner.changed.notify_waiters();
        Self(gate)
    }
}

impl Drop for WaitingRequest<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

//! A gate that a test holds shut, to prove that requests overlap.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// Holds answers back until the test opens it: overlap is proved without sleeping. Clones are the same gate.
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

    /// Lets pass everyone who waits and everyone who comes.
    pub fn open(&self) {
        self.state().open = true;
        self.inner.changed.notify_waiters();
    }

    /// How many requests wait now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.state().waiting
    }

    /// Until this many requests wait.
    pub async fn reached(&self, count: usize) {
        self.until(|state| state.waiting >= count).await;
    }

    /// The same for threads; panics after ten seconds.
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
        let _visit = Visit::new(self);
        self.until(|state| state.open).await;
    }

    async fn until(&self, holds: impl Fn(&State) -> bool) {
        loop {
            // Before the look at the state, so that a change between the two is not missed.
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

/// A request before the gate, counted for as long as it waits, also when its client gives up.
struct Visit<'a>(&'a Gate);

impl<'a> Visit<'a> {
    fn new(gate: &'a Gate) -> Self {
        gate.state().waiting += 1;
        gate.inner.arrived.notify_all();
        gate.inner.changed.notify_waiters();
        Self(gate)
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

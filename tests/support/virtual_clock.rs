//! A clock whose sleepers wake only when the test lets time pass.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use time::OffsetDateTime;
use tokio::sync::{Notify, oneshot};
use wif_io::clock::{Clock, Limit, Wait};

/// Time since the test began, and who sleeps until when. Limits are real, since what they limit is, unless the test
/// watches what is on the wire.
pub(crate) struct Virtual {
    begin: OffsetDateTime,
    state: Mutex<State>,
    wire: Option<Arc<Wire>>,
}

/// What is limited and has not ended yet.
#[derive(Default)]
pub(crate) struct Wire {
    requests: AtomicUsize,
    changed: Notify,
}

#[derive(Default)]
struct State {
    passed: Duration,
    sleepers: Vec<(Duration, oneshot::Sender<()>)>,
}

impl Virtual {
    pub(crate) fn new(begin: OffsetDateTime) -> Arc<Self> {
        Arc::new(Self { begin, state: Mutex::default(), wire: None })
    }

    /// Limits are virtual too: no time may pass while an answer is on its way, which [`Wire`] tells.
    pub(crate) fn watching(begin: OffsetDateTime) -> (Arc<Self>, Arc<Wire>) {
        let wire = Arc::<Wire>::default();
        let clock = Self { begin, state: Mutex::default(), wire: Some(Arc::clone(&wire)) };
        (Arc::new(clock), wire)
    }

    /// How many wait for time to pass.
    pub(crate) fn sleepers(&self) -> usize {
        self.state.lock().unwrap().sleepers.iter().filter(|(_, sleeper)| !sleeper.is_closed()).count()
    }

    /// Lets time pass until the next sleeper wakes, but not beyond `most`; how much it was.
    pub(crate) fn pass(&self, most: Duration) -> Duration {
        let mut state = self.state.lock().unwrap();
        // Who was dropped sleeps no more.
        state.sleepers.retain(|(_, sleeper)| !sleeper.is_closed());
        let next = state.sleepers.iter().map(|(wake, _)| *wake).min();
        let until = next.unwrap_or(Duration::MAX).min(state.passed + most);
        let step = until.saturating_sub(state.passed);
        state.passed = until.max(state.passed);
        let now = state.passed;
        let (awake, asleep): (Vec<_>, Vec<_>) = state.sleepers.drain(..).partition(|(wake, _)| *wake <= now);
        state.sleepers = asleep;
        for (_, sleeper) in awake {
            // It may have been dropped since.
            let _ = sleeper.send(());
        }
        step
    }
}

impl Clock for Virtual {
    fn now(&self) -> OffsetDateTime {
        self.begin + self.state.lock().unwrap().passed
    }

    fn elapsed(&self) -> Duration {
        self.state.lock().unwrap().passed
    }

    fn sleep(&self, duration: Duration) -> Wait {
        let (sender, woken) = oneshot::channel();
        let mut state = self.state.lock().unwrap();
        let wake = state.passed + duration;
        state.sleepers.push((wake, sender));
        Box::pin(async move {
            let _ = woken.await;
        })
    }

    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    fn limit(&self, what: Limit, duration: Duration) -> Wait {
        let Some(wire) = &self.wire else { return Box::pin(tokio::time::sleep(duration)) };
        let over = self.sleep(duration);
        let request = (what == Limit::Request).then(|| OnWire::new(wire));
        Box::pin(async move {
            let _request = request;
            over.await;
        })
    }

    /// The delays are the longest.
    fn jitter(&self) -> u8 {
        0
    }
}

impl Wire {
    /// How many requests are on the wire.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Until nothing is on the wire but so many requests that get no answer.
    pub(crate) async fn quiet(&self, hanging: impl Fn() -> usize) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.requests() <= hanging() {
                return;
            }
            changed.await;
        }
    }
}

/// A request, until it is answered or given up.
struct OnWire(Arc<Wire>);

impl OnWire {
    fn new(wire: &Arc<Wire>) -> Self {
        wire.requests.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(wire))
    }
}

impl Drop for OnWire {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }
}

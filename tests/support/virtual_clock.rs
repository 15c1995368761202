//! A clock whose sleepers wake only when the test lets time pass.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use time::OffsetDateTime;
use tokio::sync::oneshot;
use wif::clock::{Clock, Wait};

/// Time since the test began, and who sleeps until when. Limits are real, since what they limit is.
pub(crate) struct Virtual {
    begin: OffsetDateTime,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    passed: Duration,
    sleepers: Vec<(Duration, oneshot::Sender<()>)>,
}

impl Virtual {
    pub(crate) fn new(begin: OffsetDateTime) -> Arc<Self> {
        Arc::new(Self { begin, state: Mutex::default() })
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

    fn limit(&self, duration: Duration) -> Wait {
        Box::pin(tokio::time::sleep(duration))
    }
}

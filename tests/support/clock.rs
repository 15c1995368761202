//! A clock that waits in no time.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use time::OffsetDateTime;
use wif_io::clock::{Clock, Wait};

/// Sleeps are jumps. Limits are real, since what they limit is, but can be made ten times as short.
pub(crate) struct Manual {
    begin: Instant,
    ahead: Arc<Ahead>,
    wrong_by: AtomicI64,
    impatient: AtomicBool,
}

#[derive(Default)]
struct Ahead {
    by: Mutex<Duration>,
    sleeps: Mutex<Vec<Duration>>,
}

const SPEED: u32 = 10;

impl Manual {
    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            begin: Instant::now(),
            ahead: Arc::default(),
            wrong_by: AtomicI64::new(0),
            impatient: AtomicBool::new(false),
        })
    }

    /// Makes the wall clock wrong.
    pub(crate) fn wrong_by(&self, seconds: i64) {
        self.wrong_by.store(seconds, Ordering::SeqCst);
    }

    /// Makes limits short, for what hangs.
    pub(crate) fn be_impatient(&self) {
        self.impatient.store(true, Ordering::SeqCst);
    }

    /// Every wait before another attempt.
    pub(crate) fn sleeps(&self) -> Vec<Duration> {
        self.ahead.sleeps.lock().unwrap().clone()
    }
}

impl Clock for Manual {
    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    fn now(&self) -> OffsetDateTime {
        let wrong_by = time::Duration::seconds(self.wrong_by.load(Ordering::SeqCst));
        OffsetDateTime::now_utc() + *self.ahead.by.lock().unwrap() + wrong_by
    }

    fn elapsed(&self) -> Duration {
        self.begin.elapsed() + *self.ahead.by.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) -> Wait {
        self.ahead.sleeps.lock().unwrap().push(duration);
        *self.ahead.by.lock().unwrap() += duration;
        Box::pin(tokio::task::yield_now())
    }

    fn limit(&self, duration: Duration) -> Wait {
        let ahead = Arc::clone(&self.ahead);
        let real = if self.impatient.load(Ordering::SeqCst) { duration / SPEED } else { duration };
        Box::pin(async move {
            tokio::time::sleep(real).await;
            *ahead.by.lock().unwrap() += duration.saturating_sub(real);
        })
    }
}

//! A clock that waits in no time.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use time::OffsetDateTime;
use wif_io::clock::{Clock, Limit, Wait};

use super::REAL_LIMIT;

/// Time passes only by what is waited for: a sleep is a jump, and so is a limit that is over. A limit is over at once where
/// the test says that what it limits hangs; else it is at least as long as it would be, which no test waits for.
pub(crate) struct Manual {
    ahead: Arc<Ahead>,
    wrong_by: AtomicI64,
    hung: Mutex<Vec<(Limit, Hung)>>,
    runs_out: Mutex<Option<Limit>>,
}

/// How many requests have come to where they hang.
type Hung = Arc<dyn Fn() -> usize + Send + Sync>;

#[derive(Default)]
struct Ahead {
    by: Mutex<Duration>,
    sleeps: Mutex<Vec<Duration>>,
}

/// How often to look whether a request hangs.
const LOOK_EVERY: Duration = Duration::from_millis(1);

impl Manual {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            ahead: Arc::default(),
            wrong_by: AtomicI64::new(0),
            hung: Mutex::default(),
            runs_out: Mutex::default(),
        })
    }

    /// Makes the wall clock wrong.
    pub(crate) fn wrong_by(&self, seconds: i64) {
        self.wrong_by.store(seconds, Ordering::SeqCst);
    }

    /// Ends a limit of this kind as soon as more of what it limits than at its begin has come to where it hangs; `count`
    /// tells how many.
    pub(crate) fn hangs(&self, what: Limit, count: impl Fn() -> usize + Send + Sync + 'static) {
        self.hung.lock().unwrap().push((what, Arc::new(count)));
    }

    /// Ends the limits of this kind at once.
    pub(crate) fn runs_out(&self, what: Limit) {
        *self.runs_out.lock().unwrap() = Some(what);
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
        *self.ahead.by.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) -> Wait {
        self.ahead.sleeps.lock().unwrap().push(duration);
        *self.ahead.by.lock().unwrap() += duration;
        Box::pin(tokio::task::yield_now())
    }

    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    fn limit(&self, what: Limit, duration: Duration) -> Wait {
        let ahead = Arc::clone(&self.ahead);
        let end = self.elapsed() + duration;
        let runs_out = *self.runs_out.lock().unwrap() == Some(what);
        let hung =
            self.hung.lock().unwrap().iter().find(|(kind, _)| *kind == what).map(|(_, hung)| hung.clone());
        // Counted before what is limited begins.
        let hung = hung.map(|hung| (hung(), hung));
        // A busy machine may take longer than the limit, for what does not hang: a look-up of a name, for one.
        let real = duration.max(REAL_LIMIT);
        Box::pin(async move {
            let over = async {
                match hung {
                    _ if runs_out => tokio::task::yield_now().await,
                    Some((before, hung)) => {
                        while hung() == before {
                            tokio::time::sleep(LOOK_EVERY).await;
                        }
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = over => {}
                () = tokio::time::sleep(real) => {}
            }
            let mut by = ahead.by.lock().unwrap();
            *by = end.max(*by);
        })
    }

    /// The delays are the longest.
    fn jitter(&self) -> u8 {
        0
    }
}

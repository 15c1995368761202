//! Waits that end.

use std::{
    fmt::Display,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// How long anything may take on a machine that is busy with other tests.
pub(crate) const REAL_LIMIT: Duration = Duration::from_secs(30);

/// Waits, in a task, until the condition holds. After 30 seconds it panics with what was waited for and `evidence`, such
/// as the emulator's journal.
pub(crate) async fn wait_for<E: Display>(
    what: &str,
    evidence: impl Fn() -> E,
    mut condition: impl FnMut() -> bool,
) {
    let end = Patience::new();
    while !condition() {
        end.check(what, &evidence);
        tokio::task::yield_now().await;
    }
}

/// The same, in a thread.
pub(crate) fn block_until<E: Display>(
    what: &str,
    evidence: impl Fn() -> E,
    mut condition: impl FnMut() -> bool,
) {
    let end = Patience::new();
    while !condition() {
        end.check(what, &evidence);
        std::thread::yield_now();
    }
}

thread_local! {
    static IDLE: Arc<Notify> = Arc::default();
}

/// Runs a test in a runtime that tells [`idle`].
pub(crate) fn run(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().on_thread_park(|| IDLE.with(|idle| idle.notify_waiters()));
    runtime.build().unwrap().block_on(test);
}

/// Waits, in a test that [`run`] runs, until no task can go on: each waits for an answer, or for time to pass.
pub(crate) async fn idle() {
    // What has come over the network is looked for after the first time.
    for _ in 0..2 {
        IDLE.with(Arc::clone).notified().await;
    }
}

/// What comes of a future; an error when it takes longer.
#[expect(clippy::disallowed_methods, reason = "what is waited for happens in real time")]
pub(crate) async fn timeout<T>(limit: Duration, future: impl Future<Output = T>) -> Result<T, String> {
    let result = tokio::time::timeout(limit, future).await;
    result.map_err(|_elapsed| format!("nothing came within {limit:?}"))
}

struct Patience(Instant);

impl Patience {
    #[expect(clippy::disallowed_methods, reason = "what is waited for happens in real time")]
    fn new() -> Self {
        Self(Instant::now())
    }

    fn check<E: Display>(&self, what: &str, evidence: &impl Fn() -> E) {
        assert!(self.0.elapsed() < REAL_LIMIT, "not within {REAL_LIMIT:?}: {what}\n{}", evidence());
    }
}

//! The live log of a job: written by the job's thread, watched by others.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock;

/// The masked lines so far.
#[derive(Debug, Default)]
pub(super) struct Log {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    closed: bool,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A predicate that panics does not change the lines.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, line: &str) {
        self.lock().lines.push(line.to_owned());
        self.changed.notify_all();
    }

    /// Ends the log; no line will follow.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for a line that matches, among earlier lines too. `Err` has all lines, when the time or the job is over.
    pub(super) fn wait(
        &self,
        mut matches: impl FnMut(&str) -> bool,
        limit: Duration,
    ) -> Result<String, Vec<String>> {
        let end = clock::now() + limit;
        let mut state = self.lock();
        let mut seen = 0;
        loop {
            while let Some(line) = state.lines.get(seen) {
                if matches(line) {
                    return Ok(line.clone());
                }
                seen += 1;
            }
            let left = end.saturating_duration_since(clock::now());
            if state.closed || left.is_zero() {
                return Err(state.lines.clone());
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

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

    /// Gives each line as it comes, from the first to the log's end.
    pub(super) fn follow(&self, mut each: impl FnMut(&str)) {
        let mut seen = 0;
        loop {
            let mut state = self.lock();
            while state.lines.len() == seen && !state.closed {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let new = state.lines.get(seen..).unwrap_or_default().to_vec();
            let closed = state.closed;
            // Not under the lock, which the job needs.
            drop(state);
            for line in &new {
                each(line);
            }
            seen += new.len();
            if new.is_empty() && closed {
                return;
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_gets_every_line_before_the_next_is_there_and_ends_with_the_log() {
        let log = Log::default();
        log.push("1");
        let mut lines = Vec::new();
        log.follow(|line| {
            lines.push(line.to_owned());
            match line {
                "1" => log.push("2"),
                _ => log.close(),
            }
        });
        assert_eq!(lines, ["1", "2"]);
    }
}

//! What is said while reading goes on: a status line on a terminal, a line every ten seconds elsewhere.

use std::{
    io::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use wif_core::foreign_text::one_line;
use wif_io::clock::Clock;

use crate::redact::without_addresses;

/// Standard error, as far as reading is concerned. All its lines go through here, so that none is written into the status line.
#[derive(Clone)]
pub struct Progress {
    clock: Arc<dyn Clock>,
    is_terminal: bool,
    state: Arc<Mutex<State>>,
}

/// How far reading has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Projects whose connections were listed.
    pub projects: usize,
    /// Projects that are to be read.
    pub all_projects: usize,
    /// Connections that were seen.
    pub connections: usize,
    /// Calls that were sent, with those that were sent again.
    pub calls: usize,
    /// How long services asked to wait, all together.
    pub waited: Duration,
}

struct State {
    out: Box<dyn Write + Send>,
    counts: Counts,
    begin: Duration,
    /// When the last status was written.
    last: Duration,
    /// The status line is on the terminal.
    is_shown: bool,
    /// Mail addresses of people are not said.
    hides_addresses: bool,
}

/// How often a terminal gets a new status, and a log a new line.
const STATUS_INTERVAL: Duration = Duration::from_millis(100);
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// The longest line, in characters.
const MAX_LINE: usize = 300;
/// The longest status: a longer one would wrap on a narrow terminal, and could not be taken back.
const MAX_STATUS: usize = 79;

impl Progress {
    /// Writes to standard error, or what stands in for it.
    #[must_use]
    pub fn new(out: Box<dyn Write + Send>, is_terminal: bool, clock: Arc<dyn Clock>) -> Self {
        let begin = clock.elapsed();
        let state = State {
            out,
            counts: Counts::default(),
            begin,
            last: begin,
            is_shown: false,
            hides_addresses: false,
        };
        Self { clock, is_terminal, state: Arc::new(Mutex::new(state)) }
    }

    /// How far reading has come.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// From now on says no mail address: what a service or the Azure CLI says of a token names its owner.
    pub fn hide_addresses(&self) {
        self.lock().hides_addresses = true;
    }

    /// Writes a line.
    pub fn say(&self, line: &str) {
        self.lock().line(line);
    }

    /// Takes the status line back, so that a report can follow.
    pub fn end(&self) {
        self.lock().clear();
    }

    /// Says how long services asked to wait, all together, where that was a second or more.
    pub(super) fn tell_waits(&self) {
        let mut state = self.lock();
        let waited = state.counts.waited.as_secs();
        if waited > 0 {
            state.line(&format!("waited {waited} s in all, because services asked for it"));
        }
    }

    pub(super) fn called(&self) {
        self.change(|counts| counts.calls += 1);
    }

    pub(super) fn finds_projects(&self, number: usize) {
        self.change(|counts| counts.all_projects += number);
    }

    pub(super) fn has_listed(&self, connections: usize) {
        self.change(|counts| {
            counts.projects += 1;
            counts.connections += connections;
        });
    }

    /// A service asks to be left alone: for `delay`, by which the wait becomes `longer` than it was.
    pub(crate) fn waits(&self, service: &str, delay: Duration, longer: Duration) {
        let mut state = self.lock();
        state.counts.waited += longer;
        // Less than a second is no news.
        if delay >= Duration::from_secs(1) {
            state.line(&format!("{service} asks to wait {} s", delay.as_secs()));
        }
    }

    fn change(&self, change: impl FnOnce(&mut Counts)) {
        let now = self.clock.elapsed();
        let mut state = self.lock();
        change(&mut state.counts);
        let interval = if self.is_terminal { STATUS_INTERVAL } else { LINE_INTERVAL };
        if now.saturating_sub(state.last) >= interval {
            state.last = now;
            let status = state.status(now);
            if self.is_terminal { state.show(&status) } else { state.line(&status) }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn status(&self, now: Duration) -> String {
        let Counts { projects, all_projects, connections, calls, waited } = self.counts;
        let seconds = now.saturating_sub(self.begin).as_secs();
        let waits = if waited.is_zero() { String::new() } else { format!(", waited {} s", waited.as_secs()) };
        format!(
            "{projects} of {all_projects} projects, {connections} connections, {calls} calls, {seconds} s{waits}"
        )
    }

    // Standard error may be closed, which is no reason not to go on reading.

    fn line(&mut self, line: &str) {
        self.clear();
        let line = if self.hides_addresses { without_addresses(line) } else { line.to_owned() };
        let _ = writeln!(self.out, "{}", one_line(&line, MAX_LINE));
        let _ = self.out.flush();
    }

    fn show(&mut self, status: &str) {
        let _ = write!(self.out, "\r\u{1b}[K{}", one_line(status, MAX_STATUS));
        let _ = self.out.flush();
        self.is_shown = true;
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            let _ = write!(self.out, "\r\u{1b}[K");
            let _ = self.out.flush();
        }
    }
}

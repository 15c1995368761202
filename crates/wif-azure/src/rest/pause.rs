//! What a service asks for when it wants to be left alone.

use std::time::Duration;

/// Until when a service wants to be left alone, and how much of that it has asked for since its last success. Moments are those of a
/// clock's `elapsed`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pause {
    until: Duration,
    asked: Duration,
}

impl Pause {
    /// The most that is waited for, at once or without a success between.
    pub const LONGEST: Duration = Duration::from_secs(300);

    /// Notes the wish to be left alone for `delay` from `now`; the latest end counts. By how much it makes the wait longer; none, if it
    /// does not.
    pub fn ask(&mut self, now: Duration, delay: Duration) -> Option<Duration> {
        let until = now.saturating_add(delay);
        let longer = until.checked_sub(self.until.max(now)).filter(|longer| !longer.is_zero())?;
        self.until = until;
        self.asked = self.asked.saturating_add(longer);
        Some(longer)
    }

    /// The service does what it is asked for again.
    pub const fn succeeded(&mut self) {
        self.asked = Duration::ZERO;
    }

    /// How long it still wants to be left alone.
    #[must_use]
    pub const fn left(&self, now: Duration) -> Duration {
        self.until.saturating_sub(now)
    }

    /// Whether that is more than is waited for.
    #[must_use]
    pub fn is_too_long(&self, now: Duration) -> bool {
        self.asked > Self::LONGEST || self.left(now) > Self::LONGEST
    }

    /// How long it has asked for since its last success.
    #[must_use]
    pub const fn asked(&self) -> Duration {
        self.asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn wishes_that_overlap_are_counted_once_and_a_success_forgets_them() {
        let mut pause = Pause::default();
        assert_eq!(pause.ask(seconds(10), seconds(30)), Some(seconds(30)));
        assert_eq!(pause.ask(seconds(20), seconds(20)), None);
        assert_eq!(pause.ask(seconds(20), seconds(25)), Some(seconds(5)));
        assert_eq!((pause.asked(), pause.left(seconds(40))), (seconds(35), seconds(5)));
        assert_eq!(pause.ask(seconds(100), seconds(1)), Some(seconds(1)));
        pause.succeeded();
        assert_eq!((pause.asked(), pause.left(seconds(100))), (Duration::ZERO, seconds(1)));
    }

    #[test]
    fn five_minutes_are_waited_for_at_once_or_together_and_no_second_more() {
        let mut pause = Pause::default();
        pause.ask(seconds(0), seconds(300));
        assert!(!pause.is_too_long(seconds(0)));
        pause.succeeded();
        pause.ask(seconds(10), seconds(301));
        assert!(pause.is_too_long(seconds(10)), "at once");
        assert!(!pause.is_too_long(seconds(11)), "it has become less");
        pause.ask(seconds(400), seconds(290));
        assert!(pause.is_too_long(seconds(400)), "together");
    }
}

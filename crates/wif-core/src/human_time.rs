//! Durations and moments, as a person reads them.

use time::{Duration, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// A duration as a person says it.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let (minutes, seconds) = (duration.whole_minutes(), duration.whole_seconds() % 60);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) if seconds == 0 => format!("{minutes} min"),
        (0, minutes) => format!("{minutes} min {seconds} s"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// A skew, to ten seconds: dates in headers have no fractions, and an answer takes its time.
#[must_use]
pub fn format_skew(skew: Duration) -> String {
    format_duration(Duration::seconds((skew.abs().whole_seconds() + 5) / 10 * 10))
}

/// A moment and how far off it is, as a person says it.
#[must_use]
pub fn format_moment(moment: OffsetDateTime, now: OffsetDateTime) -> String {
    format!("{} ({})", rfc3339(moment), format_duration(moment - now))
}

/// Whole seconds, in UTC (RFC 3339).
#[must_use]
pub fn rfc3339(moment: OffsetDateTime) -> String {
    let moment = moment.to_offset(UtcOffset::UTC);
    let moment = moment.replace_nanosecond(0).unwrap_or(moment);
    // Years beyond 9999 have no such form; no token lives so long.
    moment.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_in_two_units_at_most() {
        for (seconds, text) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (299, "4 min 59 s"), (86_700, "24 h 5 min")]
        {
            assert_eq!(format_duration(Duration::seconds(seconds)), text);
        }
    }
}

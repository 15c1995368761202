//! The emulator's clock, and the formats of times.

use std::sync::atomic::{AtomicI64, Ordering};

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Duration, OffsetDateTime};

/// The machine's clock, shifted by a test.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    shift: AtomicI64,
}

impl Clock {
    pub(crate) fn shift(&self, seconds: i64) {
        self.shift.fetch_add(seconds, Ordering::Relaxed);
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the emulator reads the machine's clock"
    )]
    pub(crate) fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + Duration::seconds(self.shift.load(Ordering::Relaxed))
    }

    /// Seconds since 1970, the unit of times in tokens.
    pub(crate) fn epoch(&self) -> i64 {
        self.now().unix_timestamp()
    }
}

/// A time in an HTTP header (RFC 9110 §5.6.7).
pub(crate) fn http_date(at: OffsetDateTime) -> String {
    const FORM: &[BorrowedFormatItem<'_>] = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    at.format(FORM).expect("every date has an HTTP form")
}

/// A time in the `timestamp` and the sentences of Entra.
pub(crate) fn entra_time(at: OffsetDateTime) -> String {
    const FORM: &[BorrowedFormatItem<'_>] =
        format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
    at.format(FORM).expect("every date has this form")
}

/// A time as Microsoft Graph writes it.
pub(crate) fn graph_moment(at: OffsetDateTime) -> String {
    const FORM: &[BorrowedFormatItem<'_>] =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    at.to_offset(time::UtcOffset::UTC).format(FORM).expect("every date has this form")
}

/// The begin or the end of a validity period, as Entra prints it.
pub(crate) fn entra_validity_time(epoch: i64) -> String {
    const FORM: &[BorrowedFormatItem<'_>] =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].0000000Z");
    OffsetDateTime::from_unix_timestamp(epoch)
        .map_or_else(|_| epoch.to_string(), |at| at.format(FORM).expect("every date has this form"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_http_wants_it() {
        assert_eq!(http_date(OffsetDateTime::UNIX_EPOCH), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn the_clock_can_be_moved() {
        let clock = Clock::default();
        let before = clock.epoch();
        clock.shift(-3600);
        assert!(clock.epoch() - before <= -3590);
    }
}

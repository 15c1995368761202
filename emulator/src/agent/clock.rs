//! Real time: the agent runs real processes, so its log and its waits do not use the emulator's clock.

use std::time::Instant;

use time::OffsetDateTime;
use time::macros::format_description;

/// The time stamp that the agent puts before each line (`PagingLogger.cs`): UTC, to 100 nanoseconds.
#[expect(clippy::disallowed_methods, reason = "the log of a real process carries real time")]
fn stamp() -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7]Z");
    OffsetDateTime::now_utc().format(&format).expect("every part of the format is a part of a date")
}

/// Adds a line with its stamp to a log.
pub(super) fn append(log: &mut String, text: &str) {
    for part in [&stamp(), " ", text, "\n"] {
        log.push_str(part);
    }
}

/// Now, for waits that bound real processes.
#[expect(clippy::disallowed_methods, reason = "time limits of real processes are in real time")]
pub(super) fn now() -> Instant {
    Instant::now()
}

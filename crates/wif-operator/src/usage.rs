//! When a connection was used last, and when Azure DevOps disables it.

use time::{Date, Duration};

use crate::{moment::Moment, snapshot::connection::Connection};

/// So long a connection may go unused until Azure DevOps disables it.
const DISABLED_AFTER: Duration = Duration::days(100);

/// When a connection was used last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// It was not read in all of its projects.
    Unread,
    /// Never, in any project.
    Never,
    /// When the newest run began.
    Last(Moment),
}

impl Usage {
    /// When this connection was used last.
    #[must_use]
    pub fn of(connection: &Connection) -> Self {
        let runs: Option<Vec<_>> =
            connection.projects.iter().map(|project| project.runs.as_deref()).collect();
        let Some(runs) = runs.filter(|runs| !runs.is_empty()) else { return Self::Unread };
        let last = runs.into_iter().flatten().map(|run| run.started).max();
        last.map_or(Self::Never, Self::Last)
    }
}

/// The day on which Azure DevOps disables a connection that nothing uses from now on. None, if it is disabled already, or its
/// use is not known.
#[must_use]
pub fn disabled_on(connection: &Connection) -> Option<Date> {
    if connection.is_disabled == Some(true) {
        return None;
    }
    let since = match Usage::of(connection) {
        Usage::Unread => return None,
        Usage::Never => connection.created?,
        Usage::Last(last) => last,
    };
    Some(since.after(DISABLED_AFTER).date())
}

//! The moments at which a program is killed.

use std::fmt;

use emulator::Entry;

/// The only requests that change something and are sent with POST end so.
const MADE_BY_POST: [&str; 4] = ["/endpoints", "/configurations", "/servicePrincipals", "/restore"];

/// When the program is killed: by the number of a line of its journal, or of a call that changes something, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// The line was written, and the disk has not said yet that it has it.
    Written(usize),
    /// The line is about to be written: what it tells of has happened.
    Unwritten(usize),
    /// The call has been sent, and the service has not acted.
    Sent(usize),
    /// The service has acted, and its answer is lost.
    Acted(usize),
}

/// A kind of moment, in the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Written,
    Sent,
    Acted,
    Unwritten,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Written => "lines written and not synced",
            Self::Sent => "calls sent and unanswered",
            Self::Acted => "calls done with the answer lost",
            Self::Unwritten => "answers read with the line unwritten",
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written(line) => write!(f, "line {line} written and not synced"),
            Self::Unwritten(line) => write!(f, "line {line} about to be written"),
            Self::Sent(call) => write!(f, "call {call} sent and unanswered"),
            Self::Acted(call) => write!(f, "call {call} done and its answer lost"),
        }
    }
}

impl Moment {
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Written(_) => Kind::Written,
            Self::Unwritten(_) => Kind::Unwritten,
            Self::Sent(_) => Kind::Sent,
            Self::Acted(_) => Kind::Acted,
        }
    }

    /// The call that the service has received without acting.
    pub(super) const fn held(self) -> Option<usize> {
        match self {
            Self::Sent(call) => Some(call),
            _ => None,
        }
    }
}

/// All moments of a run with these requests and so many new lines in its journal.
pub(super) fn of(requests: &[Entry], lines: usize) -> Vec<Moment> {
    let calls = requests.iter().filter(|entry| changes(&entry.method, &entry.path)).count();
    let at_lines = (1..=lines).flat_map(|line| [Moment::Unwritten(line), Moment::Written(line)]);
    let at_calls = (1..=calls).flat_map(|call| [Moment::Sent(call), Moment::Acted(call)]);
    at_lines.chain(at_calls).collect()
}

/// Whether a request changes something.
pub(super) fn changes(method: &str, path: &str) -> bool {
    let is_post = || method == "POST" && MADE_BY_POST.iter().any(|end| path.ends_with(end));
    ["PUT", "PATCH", "DELETE"].contains(&method) || is_post()
}

/// Whether a request that changes something makes a second one if it is sent twice, or is refused then.
pub(super) fn makes_another(entry: &Entry) -> bool {
    entry.method == "POST" || entry.method == "PUT" && entry.query("operation").is_some()
}

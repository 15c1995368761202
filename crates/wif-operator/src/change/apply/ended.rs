//! How steps, connections and whole applications end.

use wif_core::{code::Code, foreign_text::one_line};

use crate::change::{journal::JournalError, observe::Unobserved, service::CallError};

/// The longest text in a journal, in characters.
pub(super) const MAX_TEXT: usize = 500;

/// How a connection has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// Nothing was done: the facts have changed.
    Stale(String),
    /// It failed, for this reason. Whether it is as it was before.
    Failed {
        /// The code.
        code: Code,
        /// The reason.
        text: String,
        /// Whether it was put back.
        is_put_back: bool,
    },
    /// It waits for a person or a run; what is done so far stays.
    Waits(String),
    /// The user asked to stop.
    Interrupted,
    /// It was not begun.
    NotStarted,
}

/// How an application has ended.
#[derive(Debug)]
pub struct Applied {
    /// How each connection has ended, in the order of the plan.
    pub outcomes: Vec<Outcome>,
    /// Whether any change was made.
    pub has_changed: bool,
    /// Why the journal could not be written.
    pub broken: Option<JournalError>,
}

/// A step that has failed.
pub(super) struct Failed {
    pub(super) code: Code,
    pub(super) text: String,
}

/// How a step has ended.
pub(super) enum Ended {
    /// It was made by this plan.
    Made(Option<String>),
    /// There was nothing to do.
    Found,
    Failed(Failed),
    /// It failed, and what it has sent may take effect yet: nothing is taken back.
    Doubtful(Failed),
    /// Another party has to do something first.
    Waits(String),
    Interrupted,
}

pub(super) fn unread(error: &Unobserved) -> Failed {
    let code = match error {
        Unobserved::Call(_, error) => code_of(error),
        _ => Code::ChangeUnconfirmed,
    };
    Failed { code, text: one_line(&error.to_string(), MAX_TEXT) }
}

pub(super) fn code_of(error: &CallError) -> Code {
    if error.is_refusal() { Code::ChangeRefused } else { Code::ChangeUnanswered }
}

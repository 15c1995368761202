//! What a family is, as data: the plan, the guards and the documentation ask it.

use super::{
    broker_endpoint::BrokerEndpoint,
    conflict::Conflict,
    variable::{Facts, Variable},
};

/// A family of settings for later steps.
pub(super) struct Definition {
    /// Its name in the input `exports`.
    pub(super) name: &'static str,
    /// The tools that it serves.
    pub(super) summary: &'static str,
    /// The input that asks for it, where the input `exports` does not name it.
    pub(super) asked_by: Option<&'static str>,
    /// Whether a session, and whether a snapshot, exports it when nothing is asked for.
    pub(super) by_default: (bool, bool),
    /// What it needs while a broker keeps the session alive. A snapshot needs an id token in a file.
    pub(super) needs_live: &'static [Need],
    /// Its variables while a broker keeps the session alive: `refresh: true`.
    pub(super) live: fn(&Facts, &BrokerEndpoint) -> Vec<Variable>,
    /// Its variables without a broker; `None` where nothing of it would last.
    pub(super) snapshot: Option<fn(&Facts) -> Vec<Variable>>,
    /// What would win over them.
    pub(super) conflicts: &'static [Conflict],
}

/// What a family needs beside its variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The id token itself, with which access tokens for every resource can be had.
    IdToken,
    /// The id token in a file of the session's private folder.
    File,
    /// A folder of its own in the session's private folder.
    Folder,
    /// A file in the session's private folder that leads to the broker.
    CredentialFile,
}

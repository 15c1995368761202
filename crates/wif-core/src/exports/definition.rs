//! What a family is, as data: the plan, the guards, the doctor and the documentation ask it.

use super::{
    broker_endpoint::BrokerEndpoint,
    conflict::{Conflict, SessionKind},
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
    /// Its variables without a broker; the reason, where nothing of it would last.
    pub(super) snapshot: Result<fn(&Facts) -> Vec<Variable>, &'static str>,
    /// What would win over them.
    pub(super) conflicts: &'static [Conflict],
    /// How a later step sees that it has them.
    pub(super) markers: &'static [Marker],
    /// The programs that it signs in, by their names, as far as a diagnosis looks for them.
    pub(super) programs: &'static [&'static str],
    /// The alias of a resource that a tool of it asks for whenever it starts, and the warning where the session may not
    /// give tokens for that one.
    pub(super) resource_at_start: Option<(&'static str, &'static str)>,
    /// Other families, by their names, beside which it may not do what is meant, and the warning.
    pub(super) warnings_beside: &'static [(&'static str, &'static str)],
    /// What serves its tools where it may not be exported since it gives the id token away.
    pub(super) instead: Option<&'static str>,
    /// A variable that it sets only where the pipeline or the machine has not.
    pub(super) yielding: Option<YieldingVariable>,
    /// Variables of it that other programs set too, so that a later session does not clear them.
    pub(super) shared: &'static [&'static str],
}

/// A family without a name that has nothing beside its variables: what a definition does not say, it takes from here.
pub(super) const VARIABLES_ONLY: Definition = Definition {
    name: "",
    summary: "",
    asked_by: None,
    by_default: (false, false),
    needs_live: &[],
    live: |_, _| Vec::new(),
    snapshot: Err(""),
    conflicts: &[],
    markers: &[],
    programs: &[],
    resource_at_start: None,
    warnings_beside: &[],
    instead: None,
    yielding: None,
    shared: &[],
};

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

/// A variable by which a later step sees that a session exports a family.
#[derive(Clone, Copy, Debug)]
pub struct Marker {
    /// The variable.
    pub variable: &'static str,
    /// Where its value leads in a session, and nowhere else.
    pub leads_to: LeadsTo,
    /// The sessions that set it so.
    pub sessions: &'static [SessionKind],
}

/// Where the value of a variable leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeadsTo {
    /// To the session's broker; the other variable has the key, where it is not in the address itself.
    Broker(Option<&'static str>),
    /// To a file or folder in the session's private folder.
    Folder,
}

/// A variable that says how a tool signs in: what the pipeline or the machine says, stays.
#[derive(Clone, Copy, Debug)]
pub struct YieldingVariable {
    /// The variable.
    pub variable: &'static str,
    /// The values that sessions give it, in any case: such a one is replaced.
    pub own_values: &'static [&'static str],
    /// What a tool does with another value, as the end of a sentence.
    pub effect: &'static str,
}

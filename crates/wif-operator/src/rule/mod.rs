//! What a rule is, what it is given, and what it says.

pub mod command;
mod context;
mod finding;

pub use context::{Context, Entry, Settings, client_of, root_of};
pub use finding::{Draft, Unconnected};

use serde::Serialize;

use crate::severity::Severity;

/// A rule: a pure function of what was read.
#[derive(Clone, Copy)]
pub struct Rule {
    /// `WIF6101`
    pub code: &'static str,
    /// What it finds, in words: the title of each of its findings.
    pub title: &'static str,
    /// How bad its findings are as a rule; some are of another severity.
    pub severity: Severity,
    /// What mends its findings.
    pub remedy: Remedy,
    /// Adds what it finds.
    pub check: fn(&Context<'_>, &mut Vec<Draft>),
}

/// What mends a finding: the groups of the reports for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Remedy {
    /// A stored secret or certificate becomes federation.
    Convert,
    /// The Azure DevOps issuer becomes Entra's.
    MoveIssuer,
    /// The trust between connection and identity is put right.
    RepairTrust,
    /// The identity or the connection is replaced.
    Replace,
    /// What a conversion left is removed.
    RemoveRemains,
    /// Fewer may use it.
    RestrictUse,
    /// The identity may do less.
    ReduceRoles,
    /// What is not needed goes, and what is known is written down.
    CleanUp,
    /// It is brought back to what its request says.
    FollowRequest,
}

impl Remedy {
    /// The heading of a group.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Convert => "Convert to federation",
            Self::MoveIssuer => "Move to the issuer of Entra",
            Self::RepairTrust => "Repair the trust",
            Self::Replace => "Replace the identity or the connection",
            Self::RemoveRemains => "Remove what a conversion left",
            Self::RestrictUse => "Restrict who may use it",
            Self::ReduceRoles => "Reduce the roles",
            Self::CleanUp => "Clean up",
            Self::FollowRequest => "Follow the request",
        }
    }
}

//! How bad a finding is.

use serde::{Deserialize, Serialize};

/// How bad a finding is; a fault is the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth to know.
    Note,
    /// To be looked at.
    Warning,
    /// To be changed.
    Fault,
}

impl Severity {
    /// The worst first.
    pub const WORST_FIRST: [Self; 3] = [Self::Fault, Self::Warning, Self::Note];

    /// The word for people and files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

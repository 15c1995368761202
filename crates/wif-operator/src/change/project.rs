//! A project as plans name it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlannedProject {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}

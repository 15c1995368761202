//! Whether something exists that is named elsewhere.

use serde::{Deserialize, Serialize};

/// Whether something that is named elsewhere exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Existence {
    /// It was seen.
    Found,
    /// The service said that it does not exist.
    Gone,
    /// It was not asked for, or the answer does not tell.
    #[default]
    Unknown,
}

//! How files name a cloud.

use serde::{Deserialize, Serialize};
use wif_core::azure::cloud::Cloud;

/// The names: `public`, `usgovernment`, `china`, as the option `--cloud` has them.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Cloud", rename_all = "lowercase")]
pub(crate) enum CloudName {
    Public,
    UsGovernment,
    China,
}

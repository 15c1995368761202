//! What is in the job already: the variables of an earlier session.

use std::{collections::BTreeSet, path::Path};

use wif_core::exports::{self, Family, LeadsTo};
use wif_io::{env::Env, private_folder::Folder};

use crate::agent::sessions::BROKER_VARIABLES;

/// Every name that a session can leave behind; what all share is not among them.
pub(super) fn variable_names() -> BTreeSet<String> {
    let shared = exports::shared_names();
    exports::every_name().into_iter().filter(|name| !shared.contains(&name.as_str())).collect()
}

/// Whether an earlier session is there, which `name` gives its own names: by what only a session leaves.
pub(super) fn exists(env: &Env, name: impl Fn(&str) -> String) -> bool {
    let live = BROKER_VARIABLES.iter().all(|variable| env.get(&name(variable)).is_some());
    let is_in_folder =
        |variable| env.get(&name(variable)).is_some_and(|path| Folder::is_in_one(Path::new(path)));
    let mut markers = Family::ALL.iter().flat_map(|family| family.markers());
    live || markers.any(|marker| marker.leads_to == LeadsTo::Folder && is_in_folder(marker.variable))
}

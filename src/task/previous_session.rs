//! What is in the job already: the variables of an earlier session.

use std::{collections::BTreeSet, path::Path};

use wif_core::exports;
use wif_io::{env::Env, private_folder::Folder};

use crate::agent::sessions::BROKER_VARIABLES;

/// Variables that are not this task's alone.
const SHARED: [&str; 3] =
    ["AZURE_EXTENSION_DIR", exports::KEPT_MACHINE_VARIABLES[0], exports::KEPT_MACHINE_VARIABLES[1]];

/// Every name that a session can leave behind; what all share is not among them.
pub(super) fn variable_names() -> BTreeSet<String> {
    exports::every_name().into_iter().filter(|name| !SHARED.contains(&name.as_str())).collect()
}

/// Whether an earlier session is there, which `name` gives its own names: by what only a session leaves.
pub(super) fn exists(env: &Env, name: impl Fn(&str) -> String) -> bool {
    let live = BROKER_VARIABLES.iter().all(|variable| env.get(&name(variable)).is_some());
    live || ["AZURE_FEDERATED_TOKEN_FILE", "ARM_OIDC_TOKEN_FILE_PATH"]
        .iter()
        .any(|variable| env.get(&name(variable)).is_some_and(|file| Folder::is_in_one(Path::new(file))))
}

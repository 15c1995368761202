//! What is in the job already: the variables of an earlier session, and those that come before this one's.

use std::{collections::BTreeSet, path::Path};

use uuid::Uuid;

use super::plan::Plan;
use crate::{
    env::Env,
    exports::{self, Door, Facts, Family, Variable},
    folder::Folder,
};

/// Variables by which tools sign in otherwise, or ask Azure DevOps themselves with what opens the broker.
const BEFORE_TERRAFORM: [&str; 10] = [
    "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID",
    "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID",
    "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
    "ARM_OIDC_TOKEN",
    "ARM_OIDC_TOKEN_FILE_PATH",
    "ARM_CLIENT_SECRET",
    "ARM_CLIENT_SECRET_FILE_PATH",
    "ARM_CLIENT_CERTIFICATE",
    "ARM_CLIENT_CERTIFICATE_PATH",
    "ARM_CLIENT_ID_FILE_PATH",
];
/// The same, for the Azure SDKs.
const BEFORE_AZURE_SDK: [&str; 3] =
    ["AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE"];
/// Variables that are not this task's alone.
const SHARED: [&str; 3] = ["AZURE_EXTENSION_DIR", exports::MACHINE[0], exports::MACHINE[1]];

/// Every name that a session can export, whatever its families, scheme and scope; what all share is not among them.
pub(super) fn names(facts: Facts) -> BTreeSet<String> {
    let facts = Facts { client: Some(Uuid::nil()), subscription: Some(Uuid::nil()), ..facts };
    let all = BTreeSet::from(Family::ALL);
    let doors = [true, false].map(|gives_id_token| Door { gives_id_token, ..Door::anywhere() });
    let live = doors.iter().flat_map(|door| exports::live(&all, &facts, door));
    let variables = live.chain(exports::snapshot(&all, &facts));
    variables.map(|variable| variable.name).filter(|name| !SHARED.contains(&name.as_str())).collect()
}

/// Whether an earlier session is there, which `name` gives its own names: by what only a session leaves.
pub(super) fn is_there(env: &Env, name: impl Fn(&str) -> String) -> bool {
    let live = ["WIF_URL", "WIF_KEY"].iter().all(|variable| env.get(&name(variable)).is_some());
    live || ["AZURE_FEDERATED_TOKEN_FILE", "ARM_OIDC_TOKEN_FILE_PATH"]
        .iter()
        .any(|variable| env.get(&name(variable)).is_some_and(is_ours))
}

/// What of the job comes before the session that is planned. What an earlier session has left is cleared, and no hindrance.
pub(super) fn hindrances(env: &Env, plan: &Plan, variables: &[Variable]) -> Vec<&'static str> {
    if !plan.refresh || plan.is_named() {
        return Vec::new();
    }
    let terraform = BEFORE_TERRAFORM.iter().filter(|_| plan.families.contains(&Family::Terraform));
    let azure_sdk = BEFORE_AZURE_SDK.iter().filter(|_| plan.families.contains(&Family::AzureSdk));
    let cleared = plan.leftovers(env, variables);
    terraform
        .chain(azure_sdk)
        .copied()
        .filter(|name| env.get(name).is_some() && !cleared.iter().any(|cleared| cleared == name))
        .filter(|name| !variables.iter().any(|variable| variable.name == *name))
        .collect()
}

fn is_ours(file: &str) -> bool {
    Path::new(file).parent().is_some_and(Folder::is_named_like_one)
}

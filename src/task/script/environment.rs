//! The environment of a script: that of the step, with the session's variables and without what only a task is given.

use std::path::Path;

use wif_core::{
    exports::{Family, Variable},
    secret::Secret,
};
use wif_io::{child::ChildVariable, env::Env};

use super::super::{
    child_changes::{ChildEnvironment, PathPlace, child_changes},
    plan::Plan,
};
use crate::{agent::connection::Scheme, sign_in::SignedIn};

/// What the environment of a script is made of.
pub(in crate::task) struct ScriptEnvironment<'a> {
    pub(in crate::task) env: &'a Env,
    pub(in crate::task) plan: &'a Plan,
    pub(in crate::task) signed_in: &'a SignedIn,
    /// The session's variables.
    pub(in crate::task) variables: &'a [&'a Variable],
    /// Variables that would win over these.
    pub(in crate::task) removed: &'a [&'a str],
    /// This program.
    pub(in crate::task) program: Option<&'a Path>,
    /// The session's own folder.
    pub(in crate::task) folder: Option<&'a Path>,
}

/// What begins the names that microsoft/azure-pipelines-task-lib takes out of a task's environment before a script of the task
/// starts (`internal.ts`, `_loadData`), and whole names.
const OF_TASKS: [&str; 5] =
    ["INPUT_", "ENDPOINT_AUTH_", "SECUREFILE_TICKET_", "SECRET_", "VSTS_TASKVARIABLE_"];
const LISTS_OF_TASKS: [&str; 3] =
    ["VSTS_PUBLIC_VARIABLES", "VSTS_SECRET_VARIABLES", "COMMAND_CORRELATION_ID"];

fn is_of_tasks(name: &str) -> bool {
    OF_TASKS.iter().any(|prefix| name.starts_with(prefix)) || LISTS_OF_TASKS.contains(&name)
}

impl ScriptEnvironment<'_> {
    /// What the script's environment has beside this process's own, or lacks. Later ones win.
    pub(in crate::task) fn changes(&self) -> Vec<(String, ChildVariable)> {
        let of_tasks = self.env.iter().map(|(name, _)| name).filter(|name| is_of_tasks(name));
        let removed: Vec<_> = of_tasks.chain(self.removed.iter().copied()).collect();
        let mut changes = child_changes(&ChildEnvironment {
            env: self.env,
            removed: &removed,
            variables: self.variables,
            program: self.program,
            programs: self.plan.targets.programs(self.folder),
            place: PathPlace::First,
        });
        let mut set = |name: &str, value: Secret| changes.push((name.to_owned(), ChildVariable::Set(value)));
        self.as_in_azure_cli().into_iter().for_each(|(name, value)| set(name, Secret::new(value)));
        let wants_identity = self.plan.script.as_ref().is_some_and(|script| script.wants_identity);
        if let (true, Some(id_token)) = (wants_identity, &self.signed_in.id_token) {
            set("idToken", id_token.token.clone());
        }
        changes
    }

    /// What `AzureCLI@2` sets, as far as it holds no secret.
    fn as_in_azure_cli(&self) -> Vec<(&'static str, String)> {
        let connection = &self.plan.connection;
        let is_federated = connection.scheme == Scheme::WorkloadIdentityFederation;
        let wants_identity = self.plan.script.as_ref().is_some_and(|script| script.wants_identity);
        let client = self.signed_in.client.map(|client| client.to_string());
        let tenant = Some(connection.identity.tenant.to_string());
        // With it, azapi and others would ask Azure DevOps for an id token, and send the broker's key there.
        let has_terraform = self.plan.families.contains(&Family::Terraform);
        let connection_id = (!has_terraform).then(|| connection.id.to_string());
        let all = [
            (is_federated, "AZURESUBSCRIPTION_CLIENT_ID", client.clone()),
            (is_federated, "AZURESUBSCRIPTION_TENANT_ID", tenant.clone()),
            (is_federated, "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", connection_id),
            (wants_identity, "servicePrincipalId", client),
            (wants_identity, "tenantId", tenant),
        ];
        let wanted = all.into_iter().filter(|(is_wanted, ..)| *is_wanted);
        wanted.filter_map(|(_, name, value)| Some((name, value?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_task_is_given_is_known_by_its_name() {
        for name in [
            "INPUT_INLINESCRIPT",
            "ENDPOINT_AUTH_SYSTEMVSSCONNECTION",
            "ENDPOINT_AUTH_PARAMETER_X_SERVICEPRINCIPALKEY",
            "SECUREFILE_TICKET_X",
            "SECRET_PASSWORD",
            "VSTS_TASKVARIABLE_X",
            "VSTS_PUBLIC_VARIABLES",
            "VSTS_SECRET_VARIABLES",
        ] {
            assert!(is_of_tasks(name), "{name}");
        }
        for name in [
            "PATH",
            "ENDPOINT_URL_SYSTEMVSSCONNECTION",
            "VSTS_PROCESS_LOOKUP_ID",
            "MY_INPUT_",
            "SYSTEM_ACCESSTOKEN",
        ] {
            assert!(!is_of_tasks(name), "{name}");
        }
    }
}

//! Variables of the job that have the name of something that the agent passes to this task.
//!
//! An agent older than v5.277.0 puts public variables into a task's environment after inputs and connections, so that a
//! variable of such a name takes their place. Every agent names its public variables, so such a variable is found.
//!
//! Source: microsoft/azure-pipelines-agent, `NodeHandler.cs`, `RunAsync` (the order, before and after `f7faee85a`), and
//! `Handler.cs` (`VSTS_PUBLIC_VARIABLES`).

use uuid::Uuid;
use wif_core::foreign_text::one_line;
use wif_io::env::Env;

use super::{
    inputs::{self, env_name},
    job_variables::{JobVariables, JobVariablesError},
};

/// What the agent passed cannot be told from what a step has set.
#[derive(Debug, thiserror::Error)]
pub enum ShadowedError {
    /// A variable has such a name.
    #[error(
        "the job has a variable '{variable}', whose name is that of {}, which the agent passes to this task as {name}", what.as_str()
    )]
    Shadowed {
        /// The variable's name, made harmless.
        variable: String,
        /// What it stands for.
        what: Passed,
        /// The name in the environment.
        name: String,
    },
    /// A list of the job's variables is damaged.
    #[error(transparent)]
    Unreadable(#[from] JobVariablesError),
}

/// What the agent passes to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// One of the inputs.
    Input,
    /// A part of the service connection.
    Connection,
    /// A part of the system connection.
    SystemConnection,
    /// A variable that only the stages of one step share.
    TaskVariable,
}

/// What begins the name of each part of a connection.
const CONNECTION: &str = "ENDPOINT_";
/// The system connection, in the names of its parts.
const SYSTEM_CONNECTION: &str = "SYSTEMVSSCONNECTION";

/// Checks the inputs, both connections and the step's task variables, which `task_variables` names as they are set.
///
/// # Errors
///
/// A public variable of the job has the name of one of them.
pub fn check(env: &Env, task_variables: &[&str]) -> Result<(), ShadowedError> {
    check_with(env, &inputs::variables().collect::<Vec<_>>(), task_variables)
}

/// Checks the same for a task whose inputs the agent passes in `input_variables`.
///
/// # Errors
///
/// A public variable of the job has the name of one of them.
pub(crate) fn check_with(
    env: &Env,
    input_variables: &[&str],
    task_variables: &[&str],
) -> Result<(), ShadowedError> {
    let variables = JobVariables::read(env)?.public;
    find(&variables, |name| {
        input_variables.iter().any(|input| input.eq_ignore_ascii_case(name)).then_some(Passed::Input)
    })?;
    check_task_variables_of(&variables, task_variables)?;
    // The input is what the agent passed: that was just found out.
    let connection = Uuid::try_parse(inputs::connection(env)).ok().map(|id| id.to_string().to_uppercase());
    find(&variables, |name| {
        let part = name.strip_prefix(CONNECTION)?;
        let has = |id: &str| part.contains(id);
        match &connection {
            Some(id) if has(id) => Some(Passed::Connection),
            _ => has(SYSTEM_CONNECTION).then_some(Passed::SystemConnection),
        }
    })
}

/// Checks the step's task variables only.
///
/// # Errors
///
/// A public variable of the job has the name of one of them.
pub(crate) fn check_task_variables(env: &Env, task_variables: &[&str]) -> Result<(), ShadowedError> {
    check_task_variables_of(&JobVariables::read(env)?.public, task_variables)
}

fn check_task_variables_of(variables: &[String], own: &[&str]) -> Result<(), ShadowedError> {
    find(variables, |name| {
        let variable = name.strip_prefix("VSTS_TASKVARIABLE_")?;
        own.contains(&variable).then_some(Passed::TaskVariable)
    })
}

/// `what` gets the name that the agent gives a variable in an environment. Its case does not count on Windows, and
/// elsewhere a variable can be set to keep its own.
fn find(variables: &[String], what: impl Fn(&str) -> Option<Passed>) -> Result<(), ShadowedError> {
    let shadowed = variables.iter().find_map(|variable| {
        let name = env_name(variable);
        let what = what(&name)?;
        let variable = one_line(variable, MAX_NAME);
        Some(ShadowedError::Shadowed { variable, what, name: one_line(&name, MAX_NAME) })
    });
    shadowed.map_or(Ok(()), Err)
}

/// The longest name that an error shows, in characters.
const MAX_NAME: usize = 120;

impl Passed {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "an input",
            Self::Connection => "a part of the service connection",
            Self::SystemConnection => "a part of the system connection",
            Self::TaskVariable => "a task variable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
    const OTHER: &str = "6ba7b811-9dad-11d1-80b4-00c04fd430c8";

    fn checked(variables: &str) -> Result<(), ShadowedError> {
        let env = [("INPUT_AZURESUBSCRIPTION", ID), ("VSTS_PUBLIC_VARIABLES", variables)];
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        check(&env.collect(), &["WIF_SESSION_FOLDER"])
    }

    fn list(names: &[String]) -> String {
        serde_json::to_string(names).unwrap()
    }

    #[test]
    fn a_variable_with_the_name_of_what_the_agent_passes_is_named() {
        let inputs = inputs::variables().map(str::to_owned);
        let connection =
            ["URL_", "AUTH_", "AUTH_SCHEME_", "DATA_", "AUTH_PARAMETER_"].into_iter().flat_map(|part| {
                [ID.to_owned(), ID.to_uppercase(), "SYSTEMVSSCONNECTION".to_owned()].map(|id| {
                    format!("ENDPOINT_{part}{id}{}", if part.ends_with("PARAMETER_") { "_X" } else { "" })
                })
            });
        let own = ["vsts.taskvariable.wif_session_folder".to_owned()];
        let spellings = ["Input.allowedTenants", "input allowedtenants", "INPUT_AZURESUBSCRIPTION"];
        let all = inputs.chain(connection).chain(own).chain(spellings.map(str::to_owned));
        for name in all {
            let error = checked(&list(&["system.debug".to_owned(), name.clone()])).unwrap_err().to_string();
            assert!(error.contains(&format!("'{name}'")), "{name}: {error}");
        }
    }

    #[test]
    fn what_the_variable_stands_for_is_said() {
        for (name, what) in [
            ("INPUT_ALLOWEDTENANTS".to_owned(), "an input"),
            (format!("ENDPOINT_URL_{ID}"), "a part of the service connection"),
            ("ENDPOINT_URL_SYSTEMVSSCONNECTION".to_owned(), "a part of the system connection"),
            ("VSTS_TASKVARIABLE_WIF_SESSION_FOLDER".to_owned(), "a task variable"),
        ] {
            let error = checked(&list(&[name])).unwrap_err().to_string();
            assert!(error.contains(&format!("is that of {what},")), "{error}");
        }
    }

    #[test]
    fn the_post_job_stage_checks_the_task_variables_alone() {
        let check = |name: &str| {
            let variables = ("VSTS_PUBLIC_VARIABLES".to_owned(), list(&[name.to_owned()]));
            check_task_variables(&[variables].into_iter().collect(), &["WIF_SESSION_FOLDER"])
        };
        assert!(check("vsts.taskVariable.WIF_SESSION_FOLDER").is_err());
        assert!(check("VSTS_TASKVARIABLE_OTHER").is_ok() && check("INPUT_ALLOWEDTENANTS").is_ok());
    }

    #[test]
    fn other_names_with_these_prefixes_are_ignored() {
        for name in [
            "INPUT_",
            "INPUT_SOMETHINGELSE",
            "INPUT_ALLOWEDTENANTS_X",
            &format!("ENDPOINT_URL_{OTHER}"),
            "ENDPOINT_URL",
            "VSTS_TASKVARIABLE_OTHER",
            "VSTS_TASKVARIABLE_WIF_SESSION_FOLDER_X",
            "SECUREFILE_NAME_x",
            "SYSTEM_ACCESSTOKEN",
        ] {
            assert!(checked(&list(&[name.to_owned()])).is_ok(), "{name}");
        }
        assert!(checked("").is_ok() && checked("[]").is_ok());
    }

    #[test]
    fn a_list_that_cannot_be_read_is_refused() {
        for list in ["x", "{}", "[1]", "null", "[\"a\""] {
            assert!(matches!(checked(list), Err(ShadowedError::Unreadable(_))), "{list}");
        }
    }
}

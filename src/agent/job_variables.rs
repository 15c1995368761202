//! The names of the job's variables, as the agent tells them to a task.
//!
//! Source: microsoft/azure-pipelines-agent, `Handler.cs` (`VSTS_PUBLIC_VARIABLES`, `VSTS_SECRET_VARIABLES`: JSON arrays of the
//! names as they were set).

use wif_io::env::Env;

use super::inputs::env_name;

/// The names of the job's variables, as they were set.
#[derive(Clone, Debug, Default)]
pub(crate) struct JobVariables {
    /// Variables that every later step finds in its environment.
    pub(crate) public: Vec<String>,
    /// Variables that a later step finds only where it maps them.
    pub(crate) secret: Vec<String>,
}

/// A list of the job's variables is damaged.
#[derive(Debug, thiserror::Error)]
#[error("{variable} is not a JSON array of names")]
pub struct JobVariablesError {
    variable: &'static str,
}

impl JobVariables {
    /// Reads both lists. One that is not there is empty.
    ///
    /// # Errors
    ///
    /// A list is not a JSON array of names.
    pub(crate) fn read(env: &Env) -> Result<Self, JobVariablesError> {
        let list = |variable| {
            let text = env.get(variable).unwrap_or("[]");
            serde_json::from_str(text).map_err(|_error| JobVariablesError { variable }) // it may quote a value
        };
        Ok(Self { public: list("VSTS_PUBLIC_VARIABLES")?, secret: list("VSTS_SECRET_VARIABLES")? })
    }

    /// Whether the pipeline, or an earlier step, has set a public variable that is called so in an environment.
    #[must_use]
    pub(crate) fn is_public(&self, name: &str) -> bool {
        self.public.iter().any(|variable| env_name(variable) == env_name(name))
    }

    /// The secret variable that is called so in an environment, as it was set.
    #[must_use]
    pub(crate) fn secret_called(&self, name: &str) -> Option<&str> {
        self.secret.iter().find(|variable| env_name(variable) == env_name(name)).map(String::as_str)
    }

    /// A public variable that has the same name in an environment and another one in the job: the agent keeps both, and
    /// which of them a step finds is not said anywhere.
    #[must_use]
    pub(crate) fn other_spelling(&self, name: &str) -> Option<&str> {
        let is_other =
            |variable: &&String| env_name(variable) == env_name(name) && !variable.eq_ignore_ascii_case(name);
        self.public.iter().find(is_other).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_an_environment_has_them() {
        let variables = JobVariables {
            public: ["arm.tenant.id", "ARM_CLIENT_ID"].map(str::to_owned).to_vec(),
            secret: vec!["Arm Client Secret".to_owned()],
        };
        assert!(variables.is_public("ARM_TENANT_ID") && variables.is_public("arm_client_id"));
        assert_eq!(variables.secret_called("ARM_CLIENT_SECRET"), Some("Arm Client Secret"));
        assert_eq!(variables.secret_called("ARM_CLIENT_ID"), None);
        assert_eq!(variables.other_spelling("ARM_TENANT_ID"), Some("arm.tenant.id"));
        assert_eq!(variables.other_spelling("ARM_CLIENT_ID"), None);
    }

    #[test]
    fn a_list_that_cannot_be_read_is_named() {
        for name in ["VSTS_PUBLIC_VARIABLES", "VSTS_SECRET_VARIABLES"] {
            let env = [(name.to_owned(), "[1]".to_owned())].into_iter().collect();
            assert!(JobVariables::read(&env).unwrap_err().to_string().contains(name));
        }
    }
}

//! What a user reads of a failure to read what the agent gave: code and hint.

use wif_core::{code::Code, failure::Failure};

use super::{
    commands::OutputError, connection::ConnectionError, inputs::InputError, job::JobError,
    job_variables::JobVariablesError, network::NetworkError, session_hours::HoursError,
    shadowed::ShadowedError,
};

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        let (code, hint) = match &error {
            InputError::Connection { .. } => (
                Code::ConnectionInput,
                "set azureSubscription to the name of a service connection that exists and that this pipeline may use",
            ),
            InputError::Reserved { .. } => {
                (Code::NameReserved, "give the variable or the session another name")
            }
            InputError::Value { .. } | InputError::Resource { .. } => {
                (Code::InputInvalid, "correct the input in the pipeline")
            }
            InputError::Macro { .. } => {
                (Code::InputInvalid, "set the variable before this step, or write the value itself")
            }
        };
        Self::new(code, error, hint)
    }
}

impl From<ConnectionError> for Failure {
    fn from(error: ConnectionError) -> Self {
        let (code, hint) = match &error {
            ConnectionError::Absent { .. } => (
                Code::ConnectionAbsent,
                "name the connection in azureSubscription by its name, not by a variable that is set while the job runs, and let this pipeline use it",
            ),
            ConnectionError::Scheme { .. } => (
                Code::SchemeUnsupported,
                "use an Azure Resource Manager connection with workload identity federation",
            ),
            ConnectionError::Missing { .. }
            | ConnectionError::NoGuid { .. }
            | ConnectionError::AuthenticationType { .. } => {
                (Code::ConnectionIncomplete, "edit the connection in the project's settings and save it")
            }
            ConnectionError::NoEndpoint { .. } => (
                Code::AuthorityInvalid,
                "correct the address in the connection; tokens are sent to https addresses only",
            ),
            ConnectionError::Cloud { .. } => (
                Code::AuthorityInvalid,
                "set the connection's environment, or give it the authority of its cloud",
            ),
        };
        Self::new(code, error, hint)
    }
}

impl From<JobVariablesError> for Failure {
    fn from(error: JobVariablesError) -> Self {
        Self::new(
            Code::VariableMissing,
            error,
            "run the task on an Azure Pipelines agent, in a job of a pipeline",
        )
    }
}

impl From<JobError> for Failure {
    fn from(error: JobError) -> Self {
        let (code, hint) = match &error {
            JobError::NoToken => (
                Code::JobTokenMissing,
                "run the task on an Azure Pipelines agent, in a job of a pipeline; a task needs no mapping for it",
            ),
            JobError::Missing { .. } => {
                (Code::VariableMissing, "run the task on an Azure Pipelines agent, in a job of a pipeline")
            }
            JobError::NoEndpoint { .. } => {
                (Code::VariableMissing, "do not set this variable; the agent sets it")
            }
            JobError::OtherOrganization { .. } => (
                Code::OtherOrganization,
                "find the step that sets this variable, or the system connection's URL: it may be after this job's token",
            ),
            JobError::UnknownHost { .. } => (
                Code::AuthorityNotAllowed,
                "if this is your own server of Azure DevOps, name its host in the input allowedAuthorities",
            ),
        };
        Self::new(code, error, hint)
    }
}

impl From<ShadowedError> for Failure {
    fn from(error: ShadowedError) -> Self {
        if let ShadowedError::Unreadable(error) = error {
            return error.into();
        }
        Self::new(
            Code::VariableShadows,
            error,
            "take this variable out: find the pipeline's setting, variable group or earlier step that sets it; an agent older than v5.277.0 would take it for what it passes itself",
        )
    }
}

impl From<NetworkError> for Failure {
    fn from(error: NetworkError) -> Self {
        let variable = error.variable();
        let hint = if variable.starts_with("AGENT_") {
            "correct the agent's configuration (config --proxyurl, --sslcacert, --sslclientcert), or the variable"
                .to_owned()
        } else {
            format!("correct the variable {variable}, or take it out")
        };
        Self::new(Code::NetworkSettings, error, hint)
    }
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        Self::new(Code::Bug, error, "run the job again; the agent closed the task's output")
    }
}

impl From<HoursError> for Failure {
    fn from(error: HoursError) -> Self {
        let hint = "correct the variable, or leave it out: a broker then lives for a day at the most";
        Self::new(Code::InputInvalid, error, hint)
    }
}

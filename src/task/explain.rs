//! From what went wrong to what the user reads: the one place that decides code and hint.

mod services;

use self::services::{of_entra, of_http, of_machine, of_oidc, service_says};
use super::{
    arrival::ArrivalError,
    guards::GuardError,
    run::{OutputError, ValueError},
    sign_in::SignInError,
};
use crate::{
    agent::{
        connection::ConnectionError, inputs::InputError, job::JobError, job_variables::JobVariablesError,
        network::NetworkError, shadowed::ShadowedError,
    },
    devops::connections::ConnectionsError,
    error::{Code, Failure},
    folder::FolderError,
    http::{HttpError, SetupError},
    identity::refusals,
    management::ManagementError,
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

impl From<GuardError> for Failure {
    fn from(error: GuardError) -> Self {
        let (code, hint) = match &error {
            GuardError::Federation { .. } => (
                Code::FederationRequired,
                "convert the connection to workload identity federation (Convert, on the connection's page)",
            ),
            GuardError::Tenant { .. } => {
                (Code::TenantNotAllowed, "use a connection of an allowed tenant, or allow this one")
            }
            GuardError::Subscription { .. } | GuardError::NoSubscription { .. } => (
                Code::SubscriptionNotAllowed,
                "use a connection of an allowed subscription, or allow this one",
            ),
            GuardError::Authority { .. } => (
                Code::AuthorityNotAllowed,
                "if you know this host, name it in the input allowedAuthorities; if nobody configured it, look for a step or a person that changed the connection",
            ),
            GuardError::TokenFileUnlimited => (
                Code::InputsContradict,
                "take token-file out of exports, or leave allowedResources empty; DefaultAzureCredential finds the broker by azure-sdk",
            ),
            GuardError::SnapshotUnlimited => (
                Code::InputsContradict,
                "set refresh: true, or exports: none, or leave allowedResources empty",
            ),
            GuardError::AzureCliSnapshot => (
                Code::InputsContradict,
                "take azure-cli out of exports, or set refresh: true; az keeps an id token that it cannot renew, so a snapshot of it would end within minutes",
            ),
            GuardError::Clash { .. } => (Code::InputsContradict, "give the variable another name"),
            GuardError::NoIdToken { .. } => (
                Code::InputsContradict,
                "take token-file out of exports, or convert the connection to workload identity federation",
            ),
            GuardError::NoSnapshot { .. } => (
                Code::InputsContradict,
                "set exports: none (accessTokens work), or refresh: true, or convert the connection to workload identity federation",
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

impl From<ArrivalError> for Failure {
    fn from(error: ArrivalError) -> Self {
        let families = match error {
            ArrivalError::Unreadable(error) => return error.into(),
            ArrivalError::Secret { ref families, .. } => families,
        };
        let names: Vec<_> = families.iter().map(|family| family.as_str()).collect();
        let leave_out = if names.is_empty() {
            String::new()
        } else {
            format!("leave {} out of exports, or ", names.join(" and "))
        };
        let hint = format!(
            "{leave_out}rename the secret variable, or give the sign-in a name (session: azure), so that its variables have names of their own"
        );
        Self::new(Code::NameIsSecret, error, hint)
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
                Code::AddressForeign,
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
        Self::new(
            Code::NetworkSettings,
            error,
            "correct the agent's configuration (config --proxyurl, --sslcacert, --sslclientcert), or the variable",
        )
    }
}

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Self {
        Self::new(
            Code::NetworkSettings,
            error,
            "install the system's CA certificates (package ca-certificates), or configure the agent with --sslcacert",
        )
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        let (code, hint) = of_http(&error);
        let outcome = error.outcome();
        Self::new(code, error, hint).with_outcome(outcome)
    }
}

impl From<ConnectionsError> for Failure {
    fn from(error: ConnectionsError) -> Self {
        let known = match &error {
            ConnectionsError::Token { status: 401 } => refusals::named("oidctoken-401"),
            ConnectionsError::Token { .. } => refusals::named("oidctoken-203"),
            ConnectionsError::Refused { known, .. } => *known,
            ConnectionsError::Busy { .. } => refusals::named("oidctoken-503"),
            ConnectionsError::Absent => refusals::named("oidctoken-404"),
            ConnectionsError::Http(_) | ConnectionsError::Unusable => None,
        };
        let outcome = error.outcome();
        let (code, hint) = match (&error, known) {
            (ConnectionsError::Http(http), _) => of_http(http),
            (_, Some(known)) => (known.code, known.remedy),
            (_, None) => (
                Code::AnswerUnusable,
                "check the organization, the project and the proxy: something else may have answered",
            ),
        };
        let details = service_says(error.message().map(str::to_owned));
        let failure = Self::new(code, error, hint).with_details(details).with_outcome(outcome);
        failure.with_command(known.map(|known| known.command))
    }
}

impl From<ManagementError> for Failure {
    fn from(error: ManagementError) -> Self {
        let known = error.known();
        let (code, hint) = match (&error, known) {
            (ManagementError::Http(http), _) => of_http(http),
            (ManagementError::Busy { .. }, _) => {
                (Code::ServiceUnavailable, "run the job again later; look at the health of Azure")
            }
            (_, Some(known)) => (known.code, known.remedy),
            (_, None) => (
                Code::AnswerUnusable,
                "check the connection's URL and the proxy: something other than Azure may have answered",
            ),
        };
        let facts = match &error {
            ManagementError::Refused { facts, .. } => facts.clone(),
            _ => Vec::new(),
        };
        let facts = facts.into_iter().map(|(label, value)| format!("{label:<22}{value}"));
        let details: Vec<_> = service_says(error.message()).into_iter().chain(facts).collect();
        let outcome = error.outcome();
        let failure = Self::new(code, error, hint).with_details(details).with_outcome(outcome);
        failure.with_command(known.map(|known| known.command))
    }
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        let hint = "make sure that the agent's temporary folder (AGENT_TEMPDIRECTORY) exists, is writable and has space";
        Self::new(Code::FolderUnwritable, error, hint)
    }
}

impl From<ValueError> for Failure {
    fn from(error: ValueError) -> Self {
        Self::new(
            Code::ValueNotExportable,
            error,
            "give the agent a work folder without such characters in its path",
        )
    }
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        Self::new(Code::Bug, error, "run the job again; the agent closed the task's output")
    }
}

impl From<SignInError> for Failure {
    fn from(error: SignInError) -> Self {
        let (code, hint) = match error {
            SignInError::Job(error) => return error.into(),
            SignInError::Oidc(refusal) => return of_oidc(refusal),
            SignInError::Entra { source, resource, request_id, presented } => {
                return of_entra(source, &resource, request_id, &presented);
            }
            SignInError::Machine { source, resource } => return of_machine(source, resource),
            SignInError::Setup(error) => return error.into(),
            SignInError::Output(error) => return OutputError::from(error).into(),
            SignInError::Certificate(_) => (
                Code::ConnectionIncomplete,
                "edit the connection and give it the certificate and its unencrypted RSA key in one PEM text, or convert it to workload identity federation",
            ),
            SignInError::Malformed { .. } => (
                Code::IdTokenMalformed,
                "run the job again; if it lasts, something on the way may alter the answers of Azure DevOps",
            ),
            SignInError::Expired { .. } | SignInError::NotYet { .. } => {
                (Code::IdTokenExpired, "check this machine's clock and run the job again")
            }
            SignInError::Foreign { .. } => (
                Code::IdTokenForeign,
                "check the connection's tenant id; edit and save the connection, so that its issuer is set anew",
            ),
            SignInError::Clock { .. } => {
                (Code::ClockWrong, "set this machine's clock by a time server (NTP); tokens are judged by it")
            }
        };
        Self::new(code, error, hint)
    }
}

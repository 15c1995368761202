//! From what went wrong to what the user reads: the one place that decides code and hint.

use uuid::Uuid;

use super::{
    guards::GuardError,
    run::{OutputError, ValueError},
    sign_in::SignInError,
    summary::identity_parts,
};
use crate::{
    agent::{connection::ConnectionError, inputs::InputError, job::JobError, network::NetworkError},
    devops::oidc::{self, OidcError},
    entra::token::TokenError,
    error::{Code, Failure},
    folder::FolderError,
    http::{HttpError, SetupError},
    identity::{claims::Unverified, resource::Resource},
};

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        let (code, hint) = match &error {
            InputError::Connection { .. } => (
                Code::ConnectionInput,
                "set azureSubscription to the name of a service connection that exists and that this pipeline may use",
            ),
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
            ConnectionError::Missing { .. } | ConnectionError::NoGuid { .. } => {
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
            GuardError::AzureCliSnapshot => (
                Code::InputsContradict,
                "take azure-cli out of exports, or set refresh: true; az keeps an id token that it cannot renew, so a snapshot of it would end within minutes",
            ),
            GuardError::Clash { .. } => (Code::InputsContradict, "give the variable another name"),
            GuardError::NotYet { input: "refresh" } => (
                Code::NotInThisVersion,
                "set refresh: false; the broker that keeps a session alive comes with a later version (to try it now, set the variable WIF_PREVIEW to true)",
            ),
            GuardError::NotYet { .. } => (Code::NotInThisVersion, "leave the input out"),
            GuardError::SchemeNotYet { .. } => (
                Code::NotInThisVersion,
                "convert the connection to workload identity federation (Convert, on the connection's page)",
            ),
        };
        Self::new(code, error, hint)
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
            JobError::Foreign { .. } => (
                Code::AddressForeign,
                "find the step that sets System.OidcRequestUri or System.CollectionUri: it may be after this job's token",
            ),
        };
        Self::new(code, error, hint)
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
            SignInError::Entra { source, resource, request_id, claims } => {
                return of_entra(source, &resource, request_id, &claims);
            }
            SignInError::Output(error) => return OutputError::from(error).into(),
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

fn of_oidc(refusal: oidc::Refusal) -> Failure {
    let oidc::Refusal { error, ids } = refusal;
    let (code, hint) = match &error {
        OidcError::Http(http) => of_http(http),
        OidcError::JobToken { .. } => (
            Code::JobTokenRefused,
            "run the job again; a job token ends with its job, and after about 24 hours",
        ),
        OidcError::NotReferenced => (
            Code::ConnectionNotReferenced,
            "name the connection in an input of a step of this very stage and job, not in an earlier one",
        ),
        OidcError::UnknownConnection => (
            Code::ConnectionUnknown,
            "check that the connection still exists, is shared with this project, and is not disabled",
        ),
        OidcError::PlanSecurity { .. } | OidcError::Refused { .. } => (
            Code::IdTokenRefused,
            "run the job again; if it lasts, give the ids above to the administrators of Azure DevOps",
        ),
        OidcError::Busy { .. } => {
            (Code::ServiceUnavailable, "run the job again later; look at the health of Azure DevOps")
        }
        OidcError::NoToken { .. } => (
            Code::AnswerUnusable,
            "check the proxy and its settings: something other than Azure DevOps may have answered",
        ),
    };
    Failure::new(code, error, hint).with_details(ids)
}

fn of_entra(error: TokenError, resource: &Resource, request_id: Uuid, claims: &Unverified) -> Failure {
    let (code, hint) = match &error {
        TokenError::Http(http) => of_http(http),
        TokenError::Refused(refusal) => match refusal.meaning() {
            Some(meaning) => (meaning.code, meaning.remedy),
            None => (
                Code::EntraRefused,
                "look the code up at https://login.microsoftonline.com/error, and the correlation id in the tenant's sign-in log",
            ),
        },
        TokenError::Busy { .. } => {
            (Code::ServiceUnavailable, "run the job again later; look at the health of Entra")
        }
        TokenError::Unusable { .. } => (
            Code::AnswerUnusable,
            "check the proxy and its settings, and the connection's authority: something other than Entra may have answered",
        ),
    };
    let mut details = vec![format!("{:<22}{resource}", "resource")];
    if matches!(error, TokenError::Refused(_)) {
        details.extend(presented(claims));
    }
    details.extend(error.refusal().into_iter().flat_map(|refusal| refusal.ids.iter().cloned()));
    details.push(format!("request {request_id}"));
    Failure::new(code, error, hint).with_details(details)
}

/// What the job presented, in parts, which the agent's masks of the whole do not hit.
fn presented(claims: &Unverified) -> impl Iterator<Item = String> {
    let audience = ("audience", claims.audiences.join(", "));
    identity_parts(claims).into_iter().chain([audience]).map(|(label, value)| format!("{label:<22}{value}"))
}

fn of_http(error: &HttpError) -> (Code, &'static str) {
    match error {
        HttpError::Name { .. } => (
            Code::NameNotResolved,
            "check this machine's name server, or configure the agent with its proxy (--proxyurl)",
        ),
        HttpError::Connect { .. } | HttpError::Broken { .. } => (
            Code::ConnectionFailed,
            "check the firewall: this machine must reach Azure DevOps and the authority on port 443, directly or by the agent's proxy",
        ),
        HttpError::Certificate { .. } => (
            Code::TlsFailed,
            "if a proxy inspects TLS here, let the agent trust its CA (--sslcacert), or add it to the system's trust store; check the clock too",
        ),
        HttpError::Tls { .. } | HttpError::Alert { .. } => {
            (Code::TlsFailed, "check whether a proxy or firewall here breaks TLS to this host")
        }
        HttpError::ProxyLogin { .. } => (
            Code::ProxyRefused,
            "configure the agent with the proxy's user and password (--proxyusername, --proxypassword)",
        ),
        HttpError::Proxy { .. } => (
            Code::ProxyRefused,
            "let the proxy connect to this host on port 443, or add the host to its bypass list",
        ),
        HttpError::Timeout { .. } => (
            Code::TimedOut,
            "run the job again; if it lasts, check the firewall and the proxy between this machine and the host",
        ),
        HttpError::TooLarge { .. } => (
            Code::AnswerUnusable,
            "check the proxy and its settings: something other than the service may have answered",
        ),
    }
}

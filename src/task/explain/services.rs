//! What the services, and the ways to them, said or did not say.

use uuid::Uuid;

use crate::{
    devops::oidc::{self, OidcError},
    entra::{machine::MachineError, token::TokenError},
    error::{Code, Failure, Party},
    http::HttpError,
    identity::{
        refusals,
        resource::Resource,
        trust::{self, Difference},
    },
    task::{sign_in::Presented, summary::identity_parts},
};

pub(super) fn of_oidc(refusal: oidc::Refusal) -> Failure {
    let oidc::Refusal { error, ids } = refusal;
    let known = error.known();
    let (code, hint) = match (&error, known) {
        (OidcError::Http(http), _) => of_http(http),
        (OidcError::NoToken { .. }, _) => (
            Code::AnswerUnusable,
            "check the proxy and its settings: something other than Azure DevOps may have answered",
        ),
        (_, Some(known)) => (known.code, known.remedy),
        (_, None) => (
            Code::IdTokenRefused,
            "run the job again; if it lasts, give the ids above to the administrators of Azure DevOps",
        ),
    };
    let outcome = error.outcome();
    let command = known.map(|known| known.command);
    Failure::new(code, error, hint).with_details(ids).with_outcome(outcome).with_command(command)
}

pub(super) fn of_entra(
    error: TokenError,
    resource: &Resource,
    request_id: Uuid,
    presented: &Presented,
) -> Failure {
    let known = match &error {
        TokenError::Refused(refusal) => refusal.known(),
        _ => None,
    };
    let (code, hint) = match &error {
        TokenError::Http(http) => of_http(http),
        TokenError::Refused(_) => match known {
            Some(known) => (known.code, known.remedy),
            None => (
                Code::EntraRefused,
                "look the code up at https://login.microsoftonline.com/error, and the correlation id in the tenant's sign-in log",
            ),
        },
        TokenError::Busy { .. } => {
            (Code::ServiceUnavailable, "run the job again later; look at the health of Entra")
        }
        TokenError::Certificate(_) => (
            Code::Bug,
            "run the job again; if it lasts, report this with the version of the operating system",
        ),
        TokenError::Unusable { .. } => (
            Code::AnswerUnusable,
            "check the proxy and its settings, and the connection's authority: something other than Entra may have answered",
        ),
    };
    let mut details = vec![format!("{:<22}{resource}", "resource")];
    if matches!(error, TokenError::Refused(_)) {
        details.extend(shown(presented));
    }
    if code.party() == Party::FederatedCredential {
        details.extend(trusted(presented));
    }
    details.extend(error.refusal().into_iter().flat_map(|refusal| refusal.ids.iter().cloned()));
    details.push(format!("request {request_id}"));
    let outcome = error.outcome();
    let command = known.map(|known| known.command);
    Failure::new(code, error, hint).with_details(details).with_outcome(outcome).with_command(command)
}

/// What was presented, where it is long in parts, which the agent's masks of the whole do not hit.
fn shown(presented: &Presented) -> Vec<String> {
    let lines = match presented {
        Presented::IdToken { claims, .. } => {
            let mut lines = identity_parts(claims);
            lines.push(("audience", claims.audiences.join(", ")));
            lines
        }
        Presented::ClientSecret { properties } => vec![("client secret", properties.clone())],
        Presented::Certificate { thumbprint } => vec![("certificate", thumbprint.clone())],
    };
    lines.into_iter().map(|(label, value)| format!("{label:<22}{value}")).collect()
}

/// What is trusted is not in a job; what the connection says of itself is.
fn trusted(presented: &Presented) -> Vec<String> {
    let Presented::IdToken { claims, registered } = presented else { return Vec::new() };
    let found = registered.iter().flat_map(|registered| trust::differences(&(&**claims).into(), registered));
    let mut lines: Vec<_> = found
        .flat_map(|Difference { words, lines, .. }| {
            let heading = format!("the connection says otherwise: {words}");
            std::iter::once(heading).chain(lines)
        })
        .collect();
    lines.push(format!(
        "{:<22}not to be seen from a job: az ad app federated-credential list --id <client id>, or wif doctor, which compares",
        "trusted"
    ));
    lines
}

pub(super) fn of_machine(error: MachineError, resource: Option<Resource>) -> Failure {
    let (code, hint) = match &error {
        MachineError::Address { .. } | MachineError::NotLocal { .. } => {
            (Code::NetworkSettings, "correct the variable, or remove it from the agent's environment")
        }
        MachineError::Challenge(_) => (
            Code::MachineIdentityRefused,
            "let the agent's user read the keys of the Azure Connected Machine agent: make it a member of the group himds (Linux) or \"Hybrid agent extension applications\" (Windows), and start the agent anew",
        ),
        MachineError::OtherIdentity { .. } => (
            Code::MachineIdentityRefused,
            "update the Azure Connected Machine agent, or take the client id (msiclientId) out of the connection, so that it signs in as the server's own identity",
        ),
        MachineError::Http(http) => match of_http(http) {
            (code @ (Code::ConnectionFailed | Code::TimedOut | Code::NameNotResolved), _) => (code, MACHINE),
            other => other,
        },
        MachineError::Refused { number, sentence, .. } => match number.and_then(refusals::of_entra) {
            Some(known) => (known.code, known.remedy),
            None if sentence.as_deref().is_some_and(|text| text.contains("Multiple user assigned")) => {
                (Code::MachineIdentityRefused, SEVERAL)
            }
            None => (Code::MachineIdentityRefused, MACHINE),
        },
        MachineError::Busy { .. } => (Code::ServiceUnavailable, MACHINE),
        MachineError::Unusable { .. } => (Code::AnswerUnusable, MACHINE),
    };
    let details = resource.map(|resource| format!("{:<22}{resource}", "resource"));
    let outcome = error.outcome();
    Failure::new(code, error, hint).with_details(details).with_outcome(outcome)
}

const MACHINE: &str = "run the job on an agent whose machine has the managed identity assigned (Microsoft-hosted agents have none), or convert the connection to workload identity federation";

const SEVERAL: &str = "several identities are assigned to this machine: name one by its client id (msiclientId) in the connection, or leave one assigned";

pub(super) fn of_http(error: &HttpError) -> (Code, &'static str) {
    match error {
        HttpError::Name { .. } => (
            Code::NameNotResolved,
            "check this machine's name server, or configure the agent with its proxy (--proxyurl)",
        ),
        HttpError::Connect { .. } | HttpError::Broken { .. } => (
            Code::ConnectionFailed,
            "check the firewall: this machine must reach Azure DevOps and the authority on port 443, directly or by the agent's proxy",
        ),
        HttpError::Stranger { .. } => (Code::Bug, "report this with the version of the task"),
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

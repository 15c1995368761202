//! What a user reads of a failure of a service: code, hint, what the service said, and what was presented to it.

use uuid::Uuid;
use wif_core::{
    azure::resource::Resource,
    code::{Code, Party},
    fact::Fact,
    failure::Failure,
    foreign_text::ForeignText,
    refusals,
    trust::{
        compare::{self, Difference},
        presented::{Presented, identity_parts},
    },
};
use wif_io::failure::explain;

use crate::{
    devops::{
        oidc::{self, OidcError},
        service_connections::ConnectionsError,
    },
    entra::token::TokenError,
    managed_identity::ManagedIdentityError,
    management::ManagementError,
};

impl From<oidc::Refusal> for Failure {
    fn from(refusal: oidc::Refusal) -> Self {
        let oidc::Refusal { error, ids, message } = refusal;
        let known = error.known();
        let (code, hint) = match (&error, known) {
            (OidcError::Http(http), _) => explain(http),
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
        let retry_class = error.retry_class();
        let command = known.map(|known| known.command);
        let details = service_says(message).into_iter().chain(ids.into_iter().map(Fact::from));
        Failure::new(code, error, hint)
            .with_details(details)
            .with_retry_class(retry_class)
            .with_command(command)
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
        let retry_class = error.retry_class();
        let (code, hint) = match (&error, known) {
            (ConnectionsError::Http(http), _) => explain(http),
            (_, Some(known)) => (known.code, known.remedy),
            (_, None) => (
                Code::AnswerUnusable,
                "check the organization, the project and the proxy: something else may have answered",
            ),
        };
        let details = service_says(error.message().map(str::to_owned));
        let failure = Self::new(code, error, hint).with_details(details).with_retry_class(retry_class);
        failure.with_command(known.map(|known| known.command))
    }
}

impl From<ManagementError> for Failure {
    fn from(error: ManagementError) -> Self {
        let known = error.known();
        let (code, hint) = match (&error, known) {
            (ManagementError::Http(http), _) => explain(http),
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
        let facts = facts.into_iter().map(|(label, value)| Fact::new(label, value));
        let details: Vec<_> = service_says(error.message()).into_iter().chain(facts).collect();
        let retry_class = error.retry_class();
        let failure = Self::new(code, error, hint).with_details(details).with_retry_class(retry_class);
        failure.with_command(known.map(|known| known.command))
    }
}

/// Why Entra gave no token for `resource`, with what was presented. `request_id` is the id that it was asked under.
#[must_use]
pub fn exchange_failure(
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
        TokenError::Http(http) => explain(http),
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
    let mut details = vec![Fact::new("resource", resource)];
    if matches!(error, TokenError::Refused(_)) {
        details.extend(describe_presented(presented));
    }
    if code.party() == Party::FederatedCredential {
        details.extend(describe_trusted(presented));
    }
    if let Some(refusal) = error.refusal() {
        // Where the number has no meaning of its own here, the sentence is the story.
        let is_told = known.is_none() && matches!(error, TokenError::Refused(_));
        let sentence = refusal.sentence.as_deref().filter(|_| !is_told);
        details.extend(service_says(sentence.map(|sentence| without_claims(sentence, presented))));
        details.extend(refusal.ids.iter().cloned().map(Fact::from));
    }
    details.push(format!("request {request_id}").into());
    let retry_class = error.retry_class();
    let command = known.map(|known| known.command);
    Failure::new(code, error, hint).with_details(details).with_retry_class(retry_class).with_command(command)
}

/// Why a managed identity gave no token, for `resource` where one was asked for.
#[must_use]
pub fn managed_identity_failure(error: ManagedIdentityError, resource: Option<Resource>) -> Failure {
    let (code, hint) = match &error {
        ManagedIdentityError::Address { .. } | ManagedIdentityError::NotLocal { .. } => {
            (Code::NetworkSettings, "correct the variable, or remove it from the environment")
        }
        ManagedIdentityError::Challenge(_) => (
            Code::MachineIdentityRefused,
            "let the agent's user read the keys of the Azure Connected Machine agent: make it a member of the group himds (Linux) or \"Hybrid agent extension applications\" (Windows), and start the agent anew",
        ),
        ManagedIdentityError::OtherIdentity { .. } => (
            Code::MachineIdentityRefused,
            "update the Azure Connected Machine agent, or take the client id (msiclientId) out of the connection, so that it signs in as the server's own identity",
        ),
        ManagedIdentityError::Http(http) => match explain(http) {
            (code @ (Code::ConnectionFailed | Code::TimedOut | Code::NameNotResolved), _) => {
                (code, MACHINE_FIX)
            }
            other => other,
        },
        ManagedIdentityError::Refused { number, .. } => match number.and_then(refusals::of_entra) {
            Some(known) => (known.code, known.remedy),
            None if error.has_several_identities() => (Code::MachineIdentityRefused, SEVERAL_FIX),
            None => (Code::MachineIdentityRefused, MACHINE_FIX),
        },
        ManagedIdentityError::Busy { .. } => (Code::ServiceUnavailable, MACHINE_FIX),
        ManagedIdentityError::Unusable { .. } => (Code::AnswerUnusable, MACHINE_FIX),
    };
    let details = resource.map(|resource| Fact::new("resource", resource));
    let retry_class = error.retry_class();
    Failure::new(code, error, hint).with_details(details).with_retry_class(retry_class)
}

const MACHINE_FIX: &str = "run the job on an agent whose machine has the managed identity assigned (Microsoft-hosted agents have none), or convert the connection to workload identity federation";

const SEVERAL_FIX: &str = "the machine has several user-assigned identities: choose one in the connection (Project settings > Service connections > the connection > Edit), whose client id becomes the connection's data msiclientId";

/// The service's own words, below ours.
fn service_says(message: Option<impl std::fmt::Display>) -> Option<Fact> {
    message.map(|message| Fact::new("service says", message))
}

/// Entra repeats issuer and subject as they are, which the agent's masks make unreadable. They stand above, in parts.
fn without_claims(sentence: &str, presented: &Presented) -> String {
    let Presented::IdToken { claims, .. } = presented else { return sentence.to_owned() };
    let claims = [&claims.issuer, &claims.subject].map(ToString::to_string);
    let long = claims.iter().filter(|claim| claim.chars().count() >= 10);
    long.fold(sentence.to_owned(), |sentence, claim| sentence.replace(claim, "shown above"))
}

/// What was presented, where it is long in parts, which the agent's masks of the whole do not hit.
fn describe_presented(presented: &Presented) -> Vec<Fact> {
    let lines = match presented {
        Presented::IdToken { claims, .. } => {
            let parts = identity_parts(claims).into_iter();
            let mut lines: Vec<_> = parts.map(|(label, value)| (label, value.to_string())).collect();
            lines.push(("audience", ForeignText::join(&claims.audiences)));
            lines
        }
        Presented::ClientSecret { properties } => vec![("client secret", properties.clone())],
        Presented::Certificate { thumbprint } => vec![("certificate", thumbprint.clone())],
    };
    lines.into_iter().map(|(label, value)| Fact::new(label, value)).collect()
}

/// What is trusted is not in a job; what the connection says of itself is.
fn describe_trusted(presented: &Presented) -> Vec<Fact> {
    let Presented::IdToken { claims, registered } = presented else { return Vec::new() };
    let found =
        registered.iter().flat_map(|registered| compare::differences(&(&**claims).into(), registered));
    let mut lines: Vec<Fact> = found
        .flat_map(|Difference { words, lines, .. }| {
            let heading = format!("the connection says otherwise: {words}");
            std::iter::once(heading.into()).chain(lines)
        })
        .collect();
    lines.push(Fact::new(
        "trusted",
        "not to be seen from a job: az ad app federated-credential list --id <client id>, or wif doctor, which compares",
    ));
    lines
}

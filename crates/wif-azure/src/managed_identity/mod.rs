//! The managed identity of the agent's machine: a service of the host hands out its tokens.
//!
//! Source: <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token> for
//! virtual machines (IMDS), <https://learn.microsoft.com/azure/app-service/overview-managed-identity> for App Service,
//! <https://learn.microsoft.com/azure/azure-arc/servers/managed-identity-authentication> for Azure Arc.

mod arc;

use std::time::Duration;

use reqwest::Method;
use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;
use uuid::Uuid;

pub use self::arc::ChallengeError;
use self::arc::{Challenge, Folder};
use super::entra::{
    error_response::sentence,
    token::{AccessToken, MAX_LIFETIME, is_token, seconds},
};
use wif_core::{
    azure::resource::Resource,
    exports::{IDENTITY_PATH, IDENTITY_VARIABLES, KEPT_MACHINE_VARIABLES},
    refusals,
    retry::{RetryClass, asked_to_wait},
    secret::Secret,
    token::claims,
};
use wif_io::{
    clock::Deadline,
    endpoint::{EndpointError, PlainEndpoint},
    env::Env,
    http::{Http, HttpError, Request, Response},
};

/// Where the machine's own identity is found.
#[derive(Clone, Debug)]
pub struct ManagedIdentity {
    endpoint: PlainEndpoint,
    protocol: Protocol,
}

#[derive(Clone, Debug)]
enum Protocol {
    /// Of virtual machines.
    Imds,
    /// Of App Service and what has taken it over, with the header that keeps others out.
    AppService { header: Secret },
    /// Of Azure Arc servers: a key in a file shows that the caller may read it.
    Arc { folder: Folder },
}

/// No access token of the machine's identity.
#[derive(Debug, thiserror::Error)]
pub enum ManagedIdentityError {
    /// A variable holds something that is not an address.
    #[error("the variable {name} is not the address of a managed identity service")]
    Address {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        source: EndpointError,
    },
    /// The address of an Azure Arc server's service is not on the server.
    #[error(
        "the variable {name} is not an http address of this machine (localhost), as that of an Azure Arc server is"
    )]
    NotLocal {
        /// The variable.
        name: &'static str,
    },
    /// An Azure Arc server's service did not let this caller show who it is.
    #[error("the identity service of this Azure Arc server asks for a key that cannot be given: {0}")]
    Challenge(#[from] ChallengeError),
    /// A token of another identity than the one that was named.
    #[error(
        "the identity service of this Azure Arc server does not say that its token is of the identity {client}, which was asked for"
    )]
    OtherIdentity {
        /// The client id that was asked for.
        client: Uuid,
    },
    /// No answer.
    #[error("no access token from the managed identity service of this machine")]
    Http(#[from] HttpError),
    /// No such identity, or no such resource.
    #[error("the managed identity service of this machine refused (it answered {status}{}): {}", .number.map(|number| format!(", AADSTS{number}")).unwrap_or_default(), .sentence.as_deref().unwrap_or("without a reason"))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The number of `AADSTS…`, where Entra refused the service in turn.
        number: Option<u32>,
        /// The first sentence of its reason.
        sentence: Option<String>,
    },
    /// 404, 408, 410, 429, 5xx: an identity that was just assigned, a service that is being updated.
    #[error("the managed identity service of this machine is unavailable or busy (it answered {status}{})", asked_to_wait(*.retry_after))]
    Busy {
        /// The HTTP status.
        status: u16,
        /// When to come back.
        retry_after: Option<Duration>,
    },
    /// Not what the protocol says.
    #[error(
        "the managed identity service of this machine answered {status} without a token: the body is {body}"
    )]
    Unusable {
        /// The HTTP status.
        status: u16,
        /// What came.
        body: &'static str,
    },
}

/// The address of the instance metadata service (IMDS) on every virtual machine.
const IMDS: &str = "http://169.254.169.254";
/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);
/// The variable that replaces the host of IMDS; the path stays.
const IMDS_HOST_VARIABLE: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";
/// Names the host of an Azure Arc server's service, beside an `IDENTITY_ENDPOINT` without a header.
const ARC_HOST_VARIABLE: &str = "IMDS_ENDPOINT";
/// What [`ManagedIdentity::find`] reads of the environment.
pub const VARIABLES: [&str; 8] = [
    IDENTITY_VARIABLES[0],
    IDENTITY_VARIABLES[1],
    KEPT_MACHINE_VARIABLES[0],
    KEPT_MACHINE_VARIABLES[1],
    IMDS_HOST_VARIABLE,
    ARC_HOST_VARIABLE,
    BROKER_URL_VARIABLE,
    arc::PROGRAM_DATA,
];
/// The broker of an earlier session: it tells an `IDENTITY_ENDPOINT` of the machine from one that a session of this job has left.
const BROKER_URL_VARIABLE: &str = "WIF_URL";

/// The path of the service, of virtual machines and of Azure Arc servers.
const TOKEN_PATH: [&str; 4] = ["metadata", "identity", "oauth2", "token"];

#[derive(Deserialize)]
struct TokenResponse {
    access_token: String,
    token_type: Option<String>,
    #[serde(default, deserialize_with = "maybe_seconds")]
    expires_in: Option<u64>,
    #[serde(default, deserialize_with = "maybe_seconds")]
    expires_on: Option<u64>,
    client_id: Option<String>,
}

#[derive(Deserialize)]
struct ErrorResponse {
    #[serde(alias = "message", alias = "Message")]
    error_description: Option<String>,
}

impl ManagedIdentity {
    /// Finds the service by the environment, else at its usual address. An `IDENTITY_ENDPOINT` that an earlier
    /// sign-in of this very job has set leads to our own broker, which speaks for another connection; the machine's is
    /// then where that sign-in has kept it.
    ///
    /// # Errors
    ///
    /// A variable holds no such address.
    pub fn find(env: &Env) -> Result<Self, ManagedIdentityError> {
        let parsed = |name, text: &str| {
            PlainEndpoint::parse(text).map_err(|source| ManagedIdentityError::Address { name, source })
        };
        for [address, header] in [IDENTITY_VARIABLES, KEPT_MACHINE_VARIABLES] {
            if let (Some(text), Some(header)) = (env.get(address), env.secret(header)) {
                let endpoint = parsed(address, text)?;
                if !is_ours(env, &endpoint, &header) {
                    return Ok(Self { endpoint, protocol: Protocol::AppService { header } });
                }
            }
        }
        if let Some(host) = env.get(ARC_HOST_VARIABLE) {
            // With a header, the address is a broker's of this job, which has taken the place of the server's own.
            let own = env.get(IDENTITY_VARIABLES[0]).filter(|_| env.get(IDENTITY_VARIABLES[1]).is_none());
            let endpoint = match own {
                Some(text) => parsed(IDENTITY_VARIABLES[0], text)?,
                None => parsed(ARC_HOST_VARIABLE, host)?.join(TOKEN_PATH),
            };
            if !endpoint.is_on_this_machine() {
                let name = if own.is_some() { IDENTITY_VARIABLES[0] } else { ARC_HOST_VARIABLE };
                return Err(ManagedIdentityError::NotLocal { name });
            }
            return Ok(Self { endpoint, protocol: Protocol::Arc { folder: Folder::of_service(env) } });
        }
        let base = env
            .get(IMDS_HOST_VARIABLE)
            .map_or_else(|| parsed(IMDS_HOST_VARIABLE, IMDS), |text| parsed(IMDS_HOST_VARIABLE, text))?;
        Ok(Self { endpoint: base.join(TOKEN_PATH), protocol: Protocol::Imds })
    }

    /// The same service, with another folder for the key files of an Azure Arc server: for tests. No variable names it,
    /// since a caller must send the content of no other file.
    #[must_use]
    pub fn with_key_folder(self, folder: &std::path::Path) -> Self {
        let protocol = match self.protocol {
            Protocol::Arc { .. } => Protocol::Arc { folder: Folder::at(folder) },
            other => other,
        };
        Self { protocol, ..self }
    }

    /// What a session must keep for a later one of the same job before it takes the usual names: the address of the
    /// machine's own service, and its header. `None` where the machine has no such service, or where it is kept already.
    #[must_use]
    pub fn endpoint_to_restore(env: &Env) -> Option<(String, Secret)> {
        let [address, header] = IDENTITY_VARIABLES;
        let (text, header) = (env.get(address)?, env.secret(header)?);
        PlainEndpoint::parse(text).ok().filter(|endpoint| !is_ours(env, endpoint, &header))?;
        Some((text.to_owned(), header))
    }

    /// Where requests go.
    #[must_use]
    pub fn endpoint(&self) -> &PlainEndpoint {
        &self.endpoint
    }

    /// Asks for an access token of the identity `client`, or of the machine's only one, and finds out who that is.
    ///
    /// # Errors
    ///
    /// None was given by the deadline, or another attempt cannot help.
    pub async fn access_token(
        &self,
        http: &Http,
        deadline: Deadline,
        client: Option<Uuid>,
        resource: &Resource,
    ) -> Result<(AccessToken, Option<Uuid>), ManagedIdentityError> {
        let request = self.request(client, resource);
        tracing::debug!(%resource, "asking the machine's identity for an access token");
        let attempt = |limit| {
            let request = request.clone();
            let begin = http.clock().now();
            async move {
                let until = Deadline::after(http.clock(), limit);
                let mut answer = http.send(request.clone(), limit).await?;
                if let (401, Protocol::Arc { folder }) = (answer.status, &self.protocol) {
                    let key = Challenge::of(&answer).and_then(|challenge| folder.key(&challenge))?;
                    let basic = Secret::new(format!("Basic {}", key.expose()));
                    answer = http
                        .send(request.secret_header("authorization", &basic), until.remaining(http.clock()))
                        .await?;
                }
                self.check_identity(client, read(&answer, begin)?)
            }
        };
        http.retrying(deadline, ATTEMPT_TIMEOUT, ManagedIdentityError::retry_class, attempt).await
    }

    /// An Azure Arc agent that knows one identity only ignores which one is asked for.
    fn check_identity(
        &self,
        asked_for: Option<Uuid>,
        granted: (AccessToken, Option<Uuid>),
    ) -> Result<(AccessToken, Option<Uuid>), ManagedIdentityError> {
        match (&self.protocol, asked_for) {
            (Protocol::Arc { .. }, Some(client)) if granted.1 != Some(client) => {
                Err(ManagedIdentityError::OtherIdentity { client })
            }
            _ => Ok(granted),
        }
    }

    fn request(&self, client: Option<Uuid>, resource: &Resource) -> Request {
        let (resource, client) = (resource.to_string(), client.map(|id| id.to_string()));
        let version = match self.protocol {
            Protocol::Imds => "2018-02-01",
            Protocol::AppService { .. } => "2019-08-01",
            Protocol::Arc { .. } => "2020-06-01",
        };
        let mut query = vec![("api-version", version), ("resource", &*resource)];
        query.extend(client.as_deref().map(|client| ("client_id", client)));
        let request = Request::new(Method::GET, self.endpoint.with_query(&query));
        match &self.protocol {
            Protocol::Imds | Protocol::Arc { .. } => request.header("metadata", "true"),
            Protocol::AppService { header } => request.secret_header("x-identity-header", header),
        }
    }
}

/// Whether an address is that of a broker which an earlier sign-in of this job has left: the last one's, or one that looks
/// like a broker's and wants a broker's key.
fn is_ours(env: &Env, endpoint: &PlainEndpoint, header: &Secret) -> bool {
    let last = env.get(BROKER_URL_VARIABLE).and_then(|url| PlainEndpoint::parse(url).ok());
    let broker =
        endpoint.as_str().starts_with("http://127.0.0.1:") && endpoint.as_str().ends_with(IDENTITY_PATH);
    let key = header.expose();
    let is_key = key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    last.is_some_and(|last| last.same_origin(endpoint)) || broker && is_key
}

/// `begin` is the time before the request was sent.
fn read(
    response: &Response,
    begin: OffsetDateTime,
) -> Result<(AccessToken, Option<Uuid>), ManagedIdentityError> {
    let status = response.status;
    match status {
        200..=299 => read_token(response, begin),
        404 | 408 | 410 | 429 | 500..=599 => {
            Err(ManagedIdentityError::Busy { status, retry_after: response.retry_after })
        }
        400..=499 => {
            let reason = response.json::<ErrorResponse>().and_then(|refused| refused.error_description);
            let number = reason.as_deref().and_then(refusals::number_in);
            let sentence = reason.as_deref().and_then(sentence);
            Err(ManagedIdentityError::Refused { status, number, sentence })
        }
        _ => Err(ManagedIdentityError::Unusable { status, body: response.kind() }),
    }
}

fn read_token(
    response: &Response,
    begin: OffsetDateTime,
) -> Result<(AccessToken, Option<Uuid>), ManagedIdentityError> {
    let unusable = |body| ManagedIdentityError::Unusable { status: response.status, body };
    let granted = response.json::<TokenResponse>().ok_or_else(|| unusable(response.kind()))?;
    let token = Secret::new(granted.access_token);
    let bearer = granted.token_type.is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
    if !bearer || !is_token(&token) {
        return Err(unusable("JSON without a bearer token that can be passed on"));
    }
    // The service keeps tokens: the first may count from when this one was made, the second trusts this clock.
    let by_life = granted.expires_in.map(Duration::from_secs);
    let by_clock = granted.expires_on.and_then(|on| {
        let end = OffsetDateTime::from_unix_timestamp(on.try_into().ok()?).ok()?;
        Some((end - begin).try_into().unwrap_or_default())
    });
    let life: Duration =
        by_life.into_iter().chain(by_clock).min().ok_or_else(|| unusable("JSON without the token's end"))?;
    let named = granted.client_id.and_then(|id| Uuid::try_parse(&id).ok());
    let client = named.or_else(|| claims::client(&token)).filter(|id| !id.is_nil());
    Ok((AccessToken { token, expires: begin + MAX_LIFETIME.min(life) }, client))
}

impl ManagedIdentityError {
    /// Whether the machine has several identities, and none was named.
    #[must_use]
    pub fn has_several_identities(&self) -> bool {
        matches!(self, Self::Refused { sentence: Some(text), .. } if text.to_lowercase().contains("multiple user assigned"))
    }

    /// Whether another attempt may help.
    #[must_use]
    pub fn retry_class(&self) -> RetryClass {
        match self {
            Self::Http(error) => error.retry_class(),
            Self::Busy { retry_after, .. } => RetryClass::Busy { retry_after: *retry_after },
            Self::Address { .. }
            | Self::NotLocal { .. }
            | Self::Challenge(_)
            | Self::OtherIdentity { .. }
            | Self::Refused { .. } => RetryClass::Refused,
            Self::Unusable { .. } => RetryClass::Unreachable,
        }
    }
}

fn maybe_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    seconds(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(variables: &[(&str, &str)]) -> Result<ManagedIdentity, ManagedIdentityError> {
        let env = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ManagedIdentity::find(&env)
    }

    #[test]
    fn the_service_is_where_the_environment_says_or_where_it_always_is() {
        let imds = "http://169.254.169.254/metadata/identity/oauth2/token";
        let app = ("IDENTITY_ENDPOINT", "http://localhost:4141/msi/token");
        let header = ("IDENTITY_HEADER", "h");
        for (variables, address) in [
            (&[][..], imds),
            (&[app], imds),
            (&[app, header], "http://localhost:4141/msi/token"),
            (&[app, header, ("WIF_URL", "http://127.0.0.1:9/")], "http://localhost:4141/msi/token"),
            (&[app, header, ("WIF_URL", "http://localhost:4141")], imds),
            (
                &[
                    app,
                    header,
                    ("WIF_URL", "http://localhost:4141"),
                    (KEPT_MACHINE_VARIABLES[0], "http://localhost:7/x"),
                    (KEPT_MACHINE_VARIABLES[1], "k"),
                ],
                "http://localhost:7/x",
            ),
            (
                &[(IMDS_HOST_VARIABLE, "http://10.0.0.4:80/")],
                "http://10.0.0.4/metadata/identity/oauth2/token",
            ),
        ] {
            assert_eq!(find(variables).unwrap().endpoint().as_str(), address, "{variables:?}");
        }
        for variables in
            [&[("IDENTITY_ENDPOINT", "localhost"), header][..], &[(IMDS_HOST_VARIABLE, "file:///x")]]
        {
            assert!(matches!(find(variables), Err(ManagedIdentityError::Address { .. })), "{variables:?}");
        }
    }
}

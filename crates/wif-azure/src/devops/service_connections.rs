//! Service connections over REST, as far as the token's owner may see them.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde::{Deserialize, de::DeserializeOwned};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use url::Url;
use uuid::Uuid;
use wif_core::{
    foreign_text::service_message,
    refusals::{self, KnownRefusal},
    retry::RetryClass,
    secret::Secret,
};
use wif_io::{
    clock::Deadline,
    endpoint::Endpoint,
    http::{Http, HttpError, Request, Response},
};

/// What to ask with.
#[derive(Clone, Debug)]
pub enum Token {
    /// A job token, or an access token of Entra.
    Bearer(Secret),
    /// A personal access token, sent as a password (Basic).
    Personal(Secret),
}

/// How to ask an organization.
#[derive(Clone, Copy)]
pub struct Organization<'a> {
    /// The way.
    pub http: &'a Http,
    /// By when.
    pub deadline: Deadline,
    /// Its base URL.
    pub base: &'a Endpoint,
    /// What to ask with.
    pub token: &'a Token,
}

/// A connection, as its REST resource tells.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceConnection {
    /// Its id.
    pub id: Uuid,
    /// Its name in this project.
    #[serde(default)]
    pub name: String,
    /// Its URL.
    pub url: Option<String>,
    /// How it signs in. None for a caller that may only see that it exists.
    pub authorization: Option<Authorization>,
    /// Its data.
    pub data: Option<BTreeMap<String, Option<String>>>,
    /// Whether it is disabled; not every version tells.
    #[serde(default)]
    pub is_disabled: bool,
    /// Whether it was made to its end.
    pub is_ready: Option<bool>,
}

/// How a connection signs in, without its secrets.
#[derive(Clone, Debug, Deserialize)]
pub struct Authorization {
    /// The scheme.
    pub scheme: Option<String>,
    /// The parameters; secrets are null.
    #[serde(default)]
    pub parameters: BTreeMap<String, Option<String>>,
}

/// No usable answer.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionsError {
    /// No answer.
    #[error("no answer from Azure DevOps")]
    Http(#[from] HttpError),
    /// 401, or a page for signing in.
    #[error("Azure DevOps refused the token (it answered {status})")]
    Token {
        /// The HTTP status.
        status: u16,
    },
    /// A refusal.
    #[error("Azure DevOps refused (it answered {status}){}", known.map(|known| format!(": {}", known.meaning)).unwrap_or_default())]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it means, where that is known.
        known: Option<&'static KnownRefusal>,
        /// Its own message, as far as it may be shown.
        message: Option<String>,
    },
    /// 408, 429, 5xx
    #[error("Azure DevOps is unavailable or busy (it answered {status})")]
    Busy {
        /// The HTTP status.
        status: u16,
        /// When to come back.
        retry_after: Option<Duration>,
    },
    /// The project has no such connection.
    #[error("the project has no such service connection, or none that this token may see")]
    Absent,
    /// Not what the protocol says.
    #[error("Azure DevOps answered with something that is not what was asked for")]
    Unusable,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    instance_id: Uuid,
}

#[derive(Deserialize)]
struct List {
    value: Vec<ServiceConnection>,
}

#[derive(Deserialize)]
struct History {
    value: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    data: Execution,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Execution {
    start_time: Option<String>,
}

/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// The version that tells whether a connection is disabled.
const API_VERSION: &str = "7.2-preview.4";

impl Organization<'_> {
    /// The organization's id, which it tells every user that it knows.
    ///
    /// # Errors
    ///
    /// It does not know the token, or cannot be reached.
    pub async fn id(&self) -> Result<Uuid, ConnectionsError> {
        let Described { instance_id } =
            self.get(self.base.join(["_apis", "connectionData"]), "7.1-preview.1").await?;
        Ok(instance_id)
    }

    /// A connection of a project, by its id.
    ///
    /// # Errors
    ///
    /// The token's owner may see no such connection, or Azure DevOps cannot be reached.
    pub async fn by_id(&self, project: &str, id: Uuid) -> Result<ServiceConnection, ConnectionsError> {
        let url = self.base.join([project, "_apis", "serviceendpoint", "endpoints", &id.to_string()]);
        // Nothing is found as well by success and null.
        let found: Option<ServiceConnection> = self.get(url, API_VERSION).await?;
        found.ok_or(ConnectionsError::Absent)
    }

    /// When a connection was last used in a project; none, if never, or longer ago than Azure DevOps remembers.
    ///
    /// # Errors
    ///
    /// The token's owner may see no such connection, or Azure DevOps cannot be reached.
    pub async fn last_used(
        &self,
        project: &str,
        id: Uuid,
    ) -> Result<Option<OffsetDateTime>, ConnectionsError> {
        let mut url =
            self.base.join([project, "_apis", "serviceendpoint", &id.to_string(), "executionhistory"]);
        url.query_pairs_mut().append_pair("top", "1");
        let History { value } = self.get(url, "7.1").await?;
        let moments = value
            .into_iter()
            .filter_map(|record| OffsetDateTime::parse(&record.data.start_time?, &Rfc3339).ok());
        Ok(moments.max())
    }

    /// A connection of a project, by its name.
    ///
    /// # Errors
    ///
    /// The token's owner may see no such connection, or Azure DevOps cannot be reached.
    pub async fn by_name(&self, project: &str, name: &str) -> Result<ServiceConnection, ConnectionsError> {
        let mut url = self.base.join([project, "_apis", "serviceendpoint", "endpoints"]);
        url.query_pairs_mut().append_pair("endpointNames", name);
        let List { value } = self.get(url, API_VERSION).await?;
        value.into_iter().find(|seen| seen.name.eq_ignore_ascii_case(name)).ok_or(ConnectionsError::Absent)
    }

    async fn get<T: DeserializeOwned>(&self, url: Url, version: &str) -> Result<T, ConnectionsError> {
        let is_usable = |response: &Response| response.json::<T>().is_some();
        self.answer(url, version, &is_usable).await?.json().ok_or(ConnectionsError::Unusable)
    }

    /// Sends the request with retries; the caller decodes the body. Not generic, to keep one copy in the program.
    async fn answer(
        &self,
        mut url: Url,
        version: &str,
        is_usable: &(dyn Fn(&Response) -> bool + Sync),
    ) -> Result<Response, ConnectionsError> {
        url.query_pairs_mut().append_pair("api-version", version);
        let request = Request::new(Method::GET, url)
            .header("accept", "application/json")
            // Without it a bad token is answered with a redirect to a sign-in page.
            .header("x-tfs-fedauthredirect", "Suppress");
        let request = match self.token {
            Token::Bearer(token) => request.bearer(token),
            Token::Personal(token) => {
                let pair = STANDARD.encode(format!(":{}", token.expose()));
                request.secret_header("authorization", &Secret::new(format!("Basic {pair}")))
            }
        };
        let attempt = |limit| {
            let answer = self.http.send(request.clone(), limit);
            async {
                let response = checked(answer.await?)?;
                if is_usable(&response) { Ok(response) } else { Err(ConnectionsError::Unusable) }
            }
        };
        self.http.retrying(self.deadline, ATTEMPT_TIMEOUT, ConnectionsError::outcome, attempt).await
    }
}

fn checked(response: Response) -> Result<Response, ConnectionsError> {
    #[derive(Deserialize)]
    struct Refused {
        message: Option<String>,
    }
    let status = response.status;
    match status {
        _ if status == 401 || response.is_devops_sign_in() => Err(ConnectionsError::Token { status }),
        200..=299 => Ok(response),
        300..=399 => Err(ConnectionsError::Unusable),
        408 | 429 | 500..=599 => Err(ConnectionsError::Busy { status, retry_after: response.retry_after }),
        _ => {
            let message = response.json().and_then(|Refused { message }| message);
            let known = message.as_deref().and_then(refusals::in_words);
            let message = message.as_deref().and_then(service_message);
            Err(ConnectionsError::Refused { status, known, message })
        }
    }
}

impl ConnectionsError {
    /// The service's own message, as far as it may be shown.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Refused { message, .. } => message.as_deref(),
            _ => None,
        }
    }

    /// Whether another attempt may help.
    #[must_use]
    pub const fn outcome(&self) -> RetryClass {
        match self {
            Self::Http(error) => error.outcome(),
            Self::Busy { retry_after, .. } => RetryClass::Busy { retry_after: *retry_after },
            Self::Unusable => RetryClass::Unreachable,
            Self::Token { .. } | Self::Refused { .. } | Self::Absent => RetryClass::Refused,
        }
    }
}

//! Service connections over REST, as far as the token's owner may see them.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;
use wif_core::{
    foreign_text::service_message,
    refusals::{self, KnownRefusal},
    retry::RetryClass,
};
use wif_io::{
    clock::Deadline,
    endpoint::Endpoint,
    http::{Http, HttpError, Response},
};

use super::SUPPRESS_SIGN_IN;
pub use crate::rest::Token;
use crate::rest::{Rest, RestError, ServiceError};

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
    /// Whether its creation is complete (`isReady`).
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

/// The version that tells whether a connection is disabled.
const API_VERSION: &str = "7.2-preview.4";

impl Organization<'_> {
    /// The organization's id, which it tells every user that it knows.
    ///
    /// # Errors
    ///
    /// It does not know the token, or cannot be reached.
    pub async fn id(&self) -> Result<Uuid, ConnectionsError> {
        let Described { instance_id } = self.get(&["_apis", "connectionData"], &[], "7.1-preview.1").await?;
        Ok(instance_id)
    }

    /// A connection of a project, by its id.
    ///
    /// # Errors
    ///
    /// The token's owner may see no such connection, or Azure DevOps cannot be reached.
    pub async fn by_id(&self, project: &str, id: Uuid) -> Result<ServiceConnection, ConnectionsError> {
        let path = [project, "_apis", "serviceendpoint", "endpoints", &id.to_string()];
        // Nothing is found as well by success and null.
        let found: Option<ServiceConnection> = self.get(&path, &[], API_VERSION).await?;
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
        let path = [project, "_apis", "serviceendpoint", &id.to_string(), "executionhistory"];
        let History { value } = self.get(&path, &[("top", "1")], "7.1").await?;
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
        let path = [project, "_apis", "serviceendpoint", "endpoints"];
        let List { value } = self.get(&path, &[("endpointNames", name)], API_VERSION).await?;
        value.into_iter().find(|seen| seen.name.eq_ignore_ascii_case(name)).ok_or(ConnectionsError::Absent)
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        version: &str,
    ) -> Result<T, ConnectionsError> {
        let (name, value) = SUPPRESS_SIGN_IN;
        let rest = Rest::new(self.http, self.deadline, self.base.join([]), self.token).header(name, value);
        rest.get(path.iter().copied()).query(query).query(&[("api-version", version)]).json().await
    }
}

impl From<&RestError> for ConnectionsError {
    fn from(error: &RestError) -> Self {
        match error {
            RestError::Http(error) => Self::Http(error.clone()),
            RestError::HeldBack { status, retry_after } => {
                Self::Busy { status: *status, retry_after: Some(*retry_after) }
            }
            RestError::Busy(response) | RestError::Refused(response) | RestError::Unusable(response)
                if is_token_refused(response) =>
            {
                Self::Token { status: response.status }
            }
            RestError::Busy(response) => {
                Self::Busy { status: response.status, retry_after: response.retry_after }
            }
            RestError::Refused(response) => Self::refused(response),
            RestError::Unusable(_) => Self::Unusable,
        }
    }
}

impl ServiceError for ConnectionsError {
    fn is_success(response: &Response) -> bool {
        (200..=299).contains(&response.status) && !response.is_devops_sign_in()
    }

    fn retry_class(&self) -> RetryClass {
        self.retry_class()
    }
}

/// 401, or a page for signing in.
fn is_token_refused(response: &Response) -> bool {
    response.status == 401 || response.is_devops_sign_in()
}

impl ConnectionsError {
    fn refused(response: &Response) -> Self {
        #[derive(Deserialize)]
        struct Refused {
            message: Option<String>,
        }
        let message = response.json().and_then(|Refused { message }| message);
        let known = message.as_deref().and_then(refusals::in_words);
        let message = message.as_deref().and_then(service_message);
        Self::Refused { status: response.status, known, message }
    }

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
    pub const fn retry_class(&self) -> RetryClass {
        match self {
            Self::Http(error) => error.retry_class(),
            Self::Busy { retry_after, .. } => RetryClass::Busy { retry_after: *retry_after },
            Self::Unusable => RetryClass::Unreachable,
            Self::Token { .. } | Self::Refused { .. } | Self::Absent => RetryClass::Refused,
        }
    }
}

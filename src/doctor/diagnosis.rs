//! What all checks share: the way out, what was found on it, and what is known of the connection.

use std::sync::Arc;

use uuid::Uuid;
use wif_azure::devops::service_connections::{ConnectionsError, Organization, Token};
use wif_core::{
    azure::{hosts::AllowedHosts, resource::Resource},
    code::Code,
    failure::Failure,
    secret::Secret,
    trust::compare::Claims,
};
use wif_io::{
    clock::{Clock, Deadline},
    endpoint::Endpoint,
    env::Env,
    http::{Http, HttpError},
};

use super::report::{NO_FACTS, Report, Topic};
use crate::agent::{addresses::Addresses, connection::Connection, network};

/// An access token of Entra for Azure DevOps.
pub(super) const DEVOPS_TOKEN: &str = "WIF_DEVOPS_TOKEN";
/// An access token for Microsoft Graph.
pub(super) const GRAPH_TOKEN: &str = "WIF_GRAPH_TOKEN";
/// An access token for Azure Resource Manager.
pub(super) const ARM_TOKEN: &str = "WIF_ARM_TOKEN";

/// A diagnosis: how it asks, and the report that it fills.
pub(super) struct Diagnosis<'a> {
    pub(super) http: Arc<Http>,
    pub(super) env: &'a Env,
    pub(super) deadline: Deadline,
    /// Hosts that may get tokens beside those of the known clouds.
    pub(super) allowed_hosts: AllowedHosts,
    pub(super) report: Report,
    pub(super) network: Network,
}

/// A connection that could be read, and where its services are.
pub(super) struct ReadConnection {
    pub(super) connection: Connection,
    pub(super) addresses: Addresses,
}

/// What is known of the identity behind a connection.
#[derive(Default)]
pub(super) struct Evidence {
    /// What its id tokens present.
    pub(super) claims: Option<Claims>,
    /// Whether Entra took one.
    pub(super) exchanged: Option<bool>,
    /// The id token.
    pub(super) id_token: Option<Secret>,
    /// The access tokens that it was exchanged for.
    pub(super) access_tokens: Vec<(Resource, Secret)>,
    /// An access token for Azure Resource Manager.
    pub(super) arm: Option<Secret>,
    /// The object id of its service principal.
    pub(super) object: Option<Uuid>,
    /// Where the user's tokens for Graph and Azure Resource Manager come from; the variables, where nothing is said.
    pub(super) sources: TokenSources,
}

/// Where the tokens come from with which the user reads.
#[derive(Default)]
pub(super) struct TokenSources {
    pub(super) graph: Option<String>,
    pub(super) arm: Option<String>,
}

/// A service that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    DevOps,
    Entra,
    ResourceManager,
}

/// What came of asking.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) service: Service,
    pub(super) host: String,
    pub(super) error: Option<HttpError>,
    pub(super) skew: Option<time::Duration>,
}

/// Every service that was asked.
#[derive(Debug, Default)]
pub(super) struct Network(pub(super) Vec<Reached>);

impl Service {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::DevOps => "Azure DevOps",
            Self::Entra => "Entra",
            Self::ResourceManager => "Azure Resource Manager",
        }
    }
}

impl Network {
    /// Whether the service answered.
    pub(super) fn reaches(&self, service: Service) -> bool {
        self.0.iter().any(|reached| reached.service == service && reached.error.is_none())
    }
}

/// The way out, as the agent is configured.
pub(super) fn settings(env: &Env, clock: &Arc<dyn Clock>, report: &mut Report) -> Option<Http> {
    let made = network::settings(env)
        .map_err(Failure::from)
        .and_then(|(settings, remarks)| Ok((Http::new(settings, Arc::clone(clock))?, remarks.warnings)));
    match made {
        Ok((http, warnings)) if warnings.is_empty() => {
            let fact = network::proxy_variable(env)
                .map_or_else(|| "no proxy".to_owned(), |name| format!("the proxy of {name}"));
            report.good(Topic::Settings, vec![fact]);
            Some(http)
        }
        Ok((http, warnings)) => {
            let hint = "correct the setting, or go on if this is meant";
            let failure =
                Failure::new(Code::NetworkSettings, "a setting was passed over, or is dangerous", hint);
            report.warning(Topic::Settings, failure, warnings);
            Some(http)
        }
        Err(failure) => {
            report.fault(Topic::Settings, failure, NO_FACTS);
            None
        }
    }
}

/// The connection as the variables tell.
pub(super) fn read(env: &Env, id: Uuid) -> Result<ReadConnection, Failure> {
    let connection = Connection::read(env, id)?;
    let addresses = Addresses::read(env, &connection)?;
    Ok(ReadConnection { connection, addresses })
}

/// How to get another token than the one that was refused.
pub(super) struct Renewal {
    /// What to do.
    pub(super) hint: &'static str,
    /// The command that does it.
    pub(super) command: &'static str,
}

impl Diagnosis<'_> {
    /// The organization's id, which its service tells the owner of a token that it takes. `renewal` is how to get another token,
    /// where it is not the job's.
    pub(super) async fn organization(
        &mut self,
        base: &Endpoint,
        token: &Token,
        renewal: Option<Renewal>,
    ) -> Option<Uuid> {
        let organization = Organization { http: &self.http, deadline: self.deadline, base, token };
        match organization.id().await {
            Ok(id) => {
                self.report.good(Topic::Token, vec![format!("the organization {id} takes it")]);
                Some(id)
            }
            Err(error @ (ConnectionsError::Unusable | ConnectionsError::Absent)) => {
                self.report.skipped(Topic::Token, error.to_string());
                None
            }
            Err(error) => {
                let is_refused = matches!(error, ConnectionsError::Token { .. });
                let mut failure = Failure::from(error);
                if let Some(Renewal { hint, command }) = renewal.filter(|_| is_refused) {
                    hint.clone_into(&mut failure.hint);
                    failure.command = Some(command);
                }
                self.report.fault(Topic::Token, failure, NO_FACTS);
                None
            }
        }
    }

    pub(super) fn skip_rest(&mut self, reason: &str) {
        for subject in [Topic::IdToken, Topic::Trust, Topic::Exchange, Topic::Subscription, Topic::Roles] {
            self.report.skipped(subject, reason);
        }
    }
}

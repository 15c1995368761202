//! Azure DevOps signs an id token for a service connection of the job.

use uuid::Uuid;
use wif_azure::devops::oidc;
use wif_core::{azure::hosts::AllowedHosts, failure::Failure, secret::Secret};
use wif_io::{clock::Deadline, env::Env, http::Http};

use super::{
    Fetched, IdTokenSource,
    error::{SourceError, not_set},
};
use crate::agent::{
    connection::Connection,
    job::{self, Job},
};

/// What this source reads of the environment.
pub(crate) const VARIABLES: [&str; 12] = job::VARIABLES;

/// The id tokens of one connection.
pub(crate) struct AzurePipelines {
    /// The variables of the job that say where it is, and what it shows there.
    env: Env,
    /// Hosts that may get the job token beside those of Azure DevOps.
    allowed_hosts: AllowedHosts,
    /// The connection's id.
    connection: Uuid,
    /// An id token that came along.
    at_hand: Option<Secret>,
}

impl AzurePipelines {
    /// The id tokens of a connection of this job.
    pub(crate) fn of(connection: &Connection, env: &Env, allowed_hosts: &AllowedHosts) -> Self {
        Self {
            env: env.only(&VARIABLES),
            allowed_hosts: allowed_hosts.clone(),
            connection: connection.id,
            at_hand: connection.id_token.clone(),
        }
    }

    /// What a script of a job has only where its step says so.
    ///
    /// # Errors
    ///
    /// The pipeline does not map the job's token for this step.
    pub(crate) fn check_mapped(&self) -> Result<(), SourceError> {
        if self.at_hand.is_some() || job::has_token(&self.env) {
            return Ok(());
        }
        Err(SourceError::Absent {
            signer: self.signer(),
            missing: not_set(&["SYSTEM_ACCESSTOKEN"]),
            mend: "map the job's token for this step, env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)"
                .to_owned(),
        })
    }

    async fn ask(&self, http: &Http, deadline: Deadline) -> Result<Secret, Failure> {
        let job = Job::read(&self.env, &self.allowed_hosts)?;
        let url = job.id_token_url(self.connection);
        Ok(oidc::id_token(http, deadline, &url, &job.token).await?)
    }
}

impl IdTokenSource for AzurePipelines {
    fn signer(&self) -> &'static str {
        "Azure DevOps"
    }

    fn takes_audience(&self) -> bool {
        false
    }

    fn at_hand(&self) -> Option<&Secret> {
        self.at_hand.as_ref()
    }

    /// The audience is that of the connection's cloud, or the one of Entra's own issuer: Azure DevOps takes no wish.
    fn fetch<'a>(&'a self, http: &'a Http, deadline: Deadline, _audience: &'a str) -> Fetched<'a> {
        Box::pin(async move { self.ask(http, deadline).await.map_err(Box::new) })
    }
}

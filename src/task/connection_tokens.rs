//! Access tokens of a step's service connection, for the other task of this extension.

use std::{io, sync::Arc};

use wif_core::{
    azure::{cloud::Cloud, hosts::AllowedHosts, resource::Resource},
    code::Code,
    failure::Failure,
    secret::Secret,
};
use wif_io::{env::Env, http::Http};

use crate::{
    agent::{
        connection::{Connection, Scheme},
        inputs::Inputs,
        job::Job,
    },
    guards,
    sign_in::SignIn,
    sources::azure_pipelines::AzurePipelines,
};

/// The connection of the input `azureSubscription`.
pub struct ConnectionTokens<'a> {
    env: &'a Env,
    http: Arc<Http>,
    connection: Connection,
    allowed_hosts: AllowedHosts,
}

impl<'a> ConnectionTokens<'a> {
    /// Reads the connection. No request is sent.
    ///
    /// # Errors
    ///
    /// The connection is not part of the job or incomplete, or its authority is not one that may get its credential.
    pub fn read(env: &'a Env, http: Arc<Http>) -> Result<Self, Failure> {
        let inputs = Inputs::read(env)?;
        let connection = Connection::read(env, inputs.connection)?;
        let allowed_hosts = inputs.allowed_authorities;
        guards::authority(&connection, &allowed_hosts)?;
        if connection.scheme == Scheme::WorkloadIdentityFederation {
            Job::read(env, &allowed_hosts)?;
        }
        Ok(Self { env, http, connection, allowed_hosts })
    }

    /// The cloud of the connection.
    #[must_use]
    pub fn cloud(&self) -> Cloud {
        self.connection.identity.audiences.cloud
    }

    /// What is worth a warning: the connection stores a secret or a certificate.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        self.connection.stored_secret_warning()
    }

    /// Signs in, and gives an access token for a resource: its alias (`graph`), or its name. `on_id_token` gets the id token
    /// before it is used.
    ///
    /// # Errors
    ///
    /// A service refuses, or cannot be reached.
    pub async fn token(
        &self,
        resource: &str,
        on_id_token: &mut (dyn FnMut(&Secret) -> io::Result<()> + Send),
    ) -> Result<Secret, Failure> {
        let Self { env, connection, allowed_hosts, .. } = self;
        let (http, identity) = (Arc::clone(&self.http), &connection.identity);
        let bug = |error: String| Failure::new(Code::Bug, error, "report it, with the log of the step");
        let resource =
            Resource::parse(resource, &identity.audiences).map_err(|error| bug(error.to_string()))?;
        let source = AzurePipelines::of(connection, env, allowed_hosts);
        let sign_in = SignIn { http, env, identity, source: &source, listing: None };
        let signed_in = sign_in.run(std::slice::from_ref(&resource), on_id_token).await?;
        let token = signed_in.access_tokens.into_iter().next();
        token.map(|token| token.token).ok_or_else(|| bug("no access token came".to_owned()))
    }
}

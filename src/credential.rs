//! The sign-in as an `azure_core` credential, for Rust programs that run as tasks.

use std::{collections::HashMap, fmt, sync::Arc};

use azure_core::{
    credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions},
    error::{Error, ErrorKind},
};
use tokio::sync::Mutex;
use uuid::Uuid;
use wif_azure::entra;
use wif_core::{
    azure::{hosts::AllowedHosts, resource::Resource},
    failure::Failure,
};
use wif_io::{clock::Clock, env::Env, http::Http};

use crate::{
    agent::{connection::Connection, network},
    guards,
    sign_in::SignIn,
    sources::azure_pipelines::AzurePipelines,
};

/// Signs in with a service connection of the job that this process is a task of.
///
/// Access tokens are kept until five minutes before their end.
pub struct PipelineCredential {
    env: Env,
    http: Arc<Http>,
    connection: Connection,
    allowed_hosts: AllowedHosts,
    tokens: Mutex<HashMap<Resource, entra::token::AccessToken>>,
}

/// A token with less life than this is renewed.
const MIN_LIFETIME: time::Duration = time::Duration::minutes(5);

impl PipelineCredential {
    /// A credential for the connection `id`, from a task's environment. Credentials go to hosts of the known clouds, and to
    /// those of `allowed_hosts`.
    ///
    /// # Errors
    ///
    /// The connection is not part of the job or incomplete, its authority is neither known nor allowed, or the network
    /// settings cannot be used.
    pub fn new(
        env: Env,
        id: Uuid,
        allowed_hosts: AllowedHosts,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, Failure> {
        let connection = Connection::read(&env, id)?;
        guards::authority(&connection, &allowed_hosts)?;
        let (settings, _) = network::settings(&env)?;
        let http = Arc::new(Http::new(settings, clock)?);
        Ok(Arc::new(Self { env, http, connection, allowed_hosts, tokens: Mutex::default() }))
    }

    async fn signed_in(&self, resource: &Resource) -> Result<entra::token::AccessToken, Failure> {
        let mut tokens = self.tokens.lock().await;
        let now = self.http.clock().now();
        if let Some(token) = tokens.get(resource).filter(|token| token.expires > now + MIN_LIFETIME) {
            return Ok(token.clone());
        }
        let Self { env, connection, allowed_hosts, .. } = self;
        let (http, identity) = (Arc::clone(&self.http), &connection.identity);
        let source = AzurePipelines::of(connection, env, allowed_hosts);
        let sign_in = SignIn { http, env, identity, source: &source, listing: None };
        let signed_in = sign_in.run(std::slice::from_ref(resource), &mut |_| Ok(())).await?;
        let token = signed_in.access_tokens.into_iter().next();
        let token =
            token.ok_or_else(|| Failure::new(wif_core::code::Code::Bug, "no token came", "report this"))?;
        tokens.insert(resource.clone(), token.clone());
        Ok(token)
    }
}

#[async_trait::async_trait]
impl TokenCredential for PipelineCredential {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let failed = |failure: Failure| Error::new(ErrorKind::Credential, failure);
        let [scope] = scopes else {
            return Err(Error::with_message(ErrorKind::Credential, "exactly one scope is accepted"));
        };
        let resource = Resource::parse(scope, &self.connection.identity.audiences)
            .map_err(|error| Error::new(ErrorKind::Credential, error))?;
        let token = self.signed_in(&resource).await.map_err(failed)?;
        Ok(AccessToken::new(Secret::new(token.token.expose().to_owned()), token.expires))
    }
}

impl fmt::Debug for PipelineCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineCredential").field("connection", &self.connection.id).finish_non_exhaustive()
    }
}

//! Access tokens of a step's service connection, for the other task of this extension.

use std::{io, sync::Arc};

use uuid::Uuid;
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
        inputs::{self, InputError},
        job::Job,
        shadowed,
    },
    sign_in::SignIn,
    sources::azure_pipelines::AzurePipelines,
};

/// The connection of the input `azureSubscription`.
pub struct ConnectionTokens<'a> {
    env: &'a Env,
    http: Arc<Http>,
    connection: Connection,
    /// The hosts of the known clouds: the other task has no input that allows more.
    allowed_hosts: AllowedHosts,
}

impl<'a> ConnectionTokens<'a> {
    /// Reads the connection. No request is sent. The agent passes the task's inputs in `input_variables`.
    ///
    /// # Errors
    ///
    /// A variable of the job has the name of an input or of a part of the connection, the connection is not part of the job
    /// or incomplete, or its authority is not one that may get its credential.
    pub fn read(env: &'a Env, http: Arc<Http>, input_variables: &[&str]) -> Result<Self, Failure> {
        let allowed_hosts = AllowedHosts::default();
        let connection = connection(env, input_variables, &allowed_hosts)?;
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

fn connection(
    env: &Env,
    input_variables: &[&str],
    allowed_hosts: &AllowedHosts,
) -> Result<Connection, Failure> {
    shadowed::check_with(env, input_variables, &[])?;
    let value = inputs::connection(env);
    let id = Uuid::try_parse(value).ok().filter(|id| !id.is_nil());
    let id = id.ok_or_else(|| InputError::Connection { value: value.to_owned() })?;
    let connection = Connection::read(env, id)?;
    if let Some(host) = connection.foreign_authority(allowed_hosts) {
        let error = format!("the connection's authority {host} is not a host of a known cloud");
        let hint = "use a connection of a known cloud; if this host was not configured by your team, look for a step or a person that changed the connection";
        return Err(Failure::new(Code::AuthorityNotAllowed, error, hint));
    }
    if connection.scheme == Scheme::WorkloadIdentityFederation {
        Job::read(env, allowed_hosts)?;
    }
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";

    fn read(changes: &[(&str, &str)]) -> Result<Connection, Failure> {
        let usual = [
            ("INPUT_AZURESUBSCRIPTION", ID),
            ("ENDPOINT_URL_ID", "https://management.azure.com/"),
            ("ENDPOINT_AUTH_SCHEME_ID", "ServicePrincipal"),
            ("ENDPOINT_AUTH_PARAMETER_ID_TENANTID", "11111111-1111-1111-1111-111111111111"),
            ("ENDPOINT_AUTH_PARAMETER_ID_SERVICEPRINCIPALID", "22222222-2222-2222-2222-222222222222"),
            ("ENDPOINT_AUTH_PARAMETER_ID_SERVICEPRINCIPALKEY", "a key"),
        ];
        let all = usual.iter().chain(changes);
        let named = all.map(|(name, value)| (name.replace("_ID", &format!("_{ID}")), (*value).to_owned()));
        connection(&named.collect(), &["INPUT_AZURESUBSCRIPTION", "INPUT_FAILON"], &AllowedHosts::default())
    }

    #[test]
    fn a_variable_that_could_stand_for_an_input_or_the_connection_is_refused() {
        read(&[]).unwrap();
        for name in [
            "input.failOn",
            "INPUT_AZURESUBSCRIPTION",
            &format!("endpoint.data.{ID}.activeDirectoryAuthority"),
        ] {
            let list = serde_json::to_string(&[name]).unwrap();
            let failure = read(&[("VSTS_PUBLIC_VARIABLES", &list)]).unwrap_err();
            assert_eq!(failure.code, Code::VariableShadows, "{failure}");
            assert!(failure.to_string().contains(name), "{failure}");
        }
    }

    #[test]
    fn no_variable_allows_an_authority_to_get_the_credential() {
        for host in ["login.example", "login.microsoftonline.com.login.example"] {
            let failure = read(&[
                ("ENDPOINT_DATA_ID_ACTIVEDIRECTORYAUTHORITY", &format!("https://{host}/")),
                ("INPUT_ALLOWEDAUTHORITIES", host),
            ])
            .unwrap_err();
            assert_eq!(failure.code, Code::AuthorityNotAllowed, "{failure}");
            assert!(failure.to_string().contains(host), "{failure}");
        }
    }
}

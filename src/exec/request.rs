//! What `wif exec` is asked for, as the variables that an agent would pass: one reader takes them apart.

use std::ffi::OsString;

use uuid::Uuid;
use wif_core::{azure::cloud::Cloud, code::Code, failure::Failure, foreign_text::one_line};
use wif_io::{endpoint::Endpoint, env::Env};

use crate::{
    agent::{
        connection::Scheme,
        inputs::{self, Input},
    },
    sources::choice::SourceName,
};

/// What to sign in with, and what to run.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Where id tokens come from; `None`: the first source that is recognized.
    pub source: Option<SourceName>,
    /// The service connection, for Azure Pipelines.
    pub connection: Option<Uuid>,
    /// The tenant.
    pub tenant: Option<Uuid>,
    /// The application or managed identity.
    pub client: Option<Uuid>,
    /// The subscription.
    pub subscription: Option<Uuid>,
    /// The cloud.
    pub cloud: Option<Cloud>,
    /// Entra's base URL, where it is not the cloud's.
    pub authority: Option<Endpoint>,
    /// Azure Resource Manager's base URL, where it is not the cloud's.
    pub resource_manager: Option<Endpoint>,
    /// The audience of id tokens, where it is not the cloud's.
    pub audience: Option<String>,
    /// Which of the machine's identities proves itself, with the source `managed-identity`.
    pub identity: Option<Uuid>,
    /// The application whose access token another cloud is shown, for `wif trust`.
    pub assertion: Option<String>,
    /// The task's inputs that were given.
    pub inputs: Vec<(&'static Input, String)>,
    /// Whether to say more than is needed.
    pub verbose: bool,
    /// The program and its arguments.
    pub command: Vec<OsString>,
}

/// What names the connection of a job that has mapped it.
const CONNECTION: &str = "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID";
/// Stands for the connection where there is none, and for an identity that is not asked for. It is never sent.
const STAND_IN: Uuid = Uuid::from_u128(1);
/// Who to sign in as, where no option says so: the first variable of each that is set.
const TENANTS: [&str; 2] = ["AZURE_TENANT_ID", "AZURESUBSCRIPTION_TENANT_ID"];
const CLIENTS: [&str; 2] = ["AZURE_CLIENT_ID", "AZURESUBSCRIPTION_CLIENT_ID"];
const SUBSCRIPTIONS: [&str; 2] = ["AZURE_SUBSCRIPTION_ID", "AZURESUBSCRIPTION_SUBSCRIPTION_ID"];
const AUTHORITY: &str = "AZURE_AUTHORITY_HOST";
/// Where a script finds the collection that its job belongs to. The first can be set by no step.
const COLLECTIONS: [&str; 3] =
    ["SYSTEM_TEAMFOUNDATIONSERVERURI", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "SYSTEM_COLLECTIONURI"];
/// The longest value that an error shows, in characters.
const MAX_VALUE: usize = 100;

impl Request {
    /// The tenant, by its option or its variable.
    pub(super) fn tenant(&self, env: &Env) -> Result<Option<Uuid>, Failure> {
        id(self.tenant, env, "--tenant", &TENANTS)
    }

    /// The same request, for its source alone: an identity that stands for the one that is not named. Nothing is asked of Entra.
    pub(super) fn with_stand_ins(&self, env: &Env) -> Result<Self, Failure> {
        let tenant = self.tenant(env)?.unwrap_or(STAND_IN);
        let client = self.client(env)?.unwrap_or(STAND_IN);
        Ok(Self { tenant: Some(tenant), client: Some(client), ..self.clone() })
    }

    fn required_tenant(&self, env: &Env) -> Result<Uuid, Failure> {
        self.tenant(env)?.ok_or_else(|| missing("tenant", "--tenant", TENANTS[0]))
    }

    /// Who signs in, by its option or its variable.
    pub(super) fn client(&self, env: &Env) -> Result<Option<Uuid>, Failure> {
        id(self.client, env, "--client", &CLIENTS)
    }

    /// The cloud and Entra's address in it.
    pub(super) fn authority(&self, env: &Env) -> Result<(Cloud, Endpoint), Failure> {
        let parsed = |name: &str, text: &str| {
            Endpoint::parse(text).map_err(|error| {
                invalid(format!("{name} cannot be used: {error}"), "accepted is an https URL")
            })
        };
        let named = match (&self.authority, self.cloud, env.get(AUTHORITY)) {
            (Some(authority), ..) => Some(authority.clone()),
            (None, None, Some(text)) => Some(parsed(AUTHORITY, text)?),
            (None, ..) => None,
        };
        let of_authority = named.as_ref().and_then(|authority| Cloud::from_authority(authority.as_str()));
        let cloud = self.cloud.or(of_authority).unwrap_or(Cloud::Public);
        let authority = named.map_or_else(|| parsed("--cloud", cloud.authority()), Ok)?;
        Ok((cloud, authority))
    }

    /// The environment of a step whose connection is the identity that was named. Nothing that an agent or another
    /// program has put under the same names is in it.
    pub(super) fn environment(&self, env: &Env, source: &SourceName, scheme: Scheme) -> Result<Env, Failure> {
        let connection = self.connection(env, source)?;
        let id = connection.to_string();
        let (cloud, authority) = self.authority(env)?;
        let mut own = vec![
            (format!("ENDPOINT_AUTH_SCHEME_{id}"), scheme.to_string()),
            (format!("ENDPOINT_AUTH_PARAMETER_{id}_TENANTID"), self.required_tenant(env)?.to_string()),
            (format!("ENDPOINT_DATA_{id}_ENVIRONMENT"), cloud.environment().to_owned()),
            (format!("ENDPOINT_DATA_{id}_ACTIVEDIRECTORYAUTHORITY"), authority.as_str().to_owned()),
            (inputs::CONNECTION_VARIABLE.to_owned(), id.clone()),
        ];
        let url = self.resource_manager.as_ref().map_or(cloud.resource_manager(), Endpoint::as_str);
        own.push((format!("ENDPOINT_URL_{id}"), url.to_owned()));
        match (self.client(env)?, scheme) {
            (Some(client), Scheme::ManagedServiceIdentity) => {
                own.push((format!("ENDPOINT_DATA_{id}_MSICLIENTID"), client.to_string()));
            }
            (Some(client), _) => {
                own.push((format!("ENDPOINT_AUTH_PARAMETER_{id}_SERVICEPRINCIPALID"), client.to_string()));
            }
            (None, Scheme::ManagedServiceIdentity) => {}
            (None, _) => return Err(missing("application or managed identity", "--client", CLIENTS[0])),
        }
        if let Some(subscription) = self::id(self.subscription, env, "--subscription", &SUBSCRIPTIONS)? {
            own.push((format!("ENDPOINT_DATA_{id}_SUBSCRIPTIONID"), subscription.to_string()));
        }
        if let Some(collection) = COLLECTIONS.into_iter().find_map(|name| env.get(name)) {
            own.push(("ENDPOINT_URL_SYSTEMVSSCONNECTION".to_owned(), collection.to_owned()));
        }
        let given = self.inputs.iter().map(|(input, value)| (input.variable.to_owned(), value.clone()));
        let of_others = env.iter().filter(|(name, _)| !is_of_step(name));
        let of_others = of_others.map(|(name, value)| (name.to_owned(), value.to_owned()));
        // Only what is asked for puts tokens into the environment of a command.
        let none = std::iter::once((inputs::TOKENS_VARIABLE.to_owned(), String::new()));
        Ok(of_others.chain(none).chain(own).chain(given).collect())
    }

    fn connection(&self, env: &Env, source: &SourceName) -> Result<Uuid, Failure> {
        if *source != SourceName::AzurePipelines {
            return Ok(STAND_IN);
        }
        let found = id(self.connection, env, "--connection", &[CONNECTION])?;
        found.ok_or_else(|| missing("service connection", "--connection", CONNECTION))
    }
}

/// What an agent passes to a task, and other systems to programs of theirs.
fn is_of_step(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["INPUT_", "ENDPOINT_", "SECRET_SYSTEM_ACCESSTOKEN"].iter().any(|prefix| name.starts_with(prefix))
}

fn id(option: Option<Uuid>, env: &Env, name: &str, variables: &[&str]) -> Result<Option<Uuid>, Failure> {
    let found = variables.iter().find_map(|variable| Some((*variable, env.get(variable)?)));
    match (option, found) {
        (Some(id), _) => Ok(Some(id)),
        (None, None) => Ok(None),
        (None, Some((variable, text))) => Uuid::try_parse(text.trim()).map(Some).map_err(|_error| {
            let value = one_line(text, MAX_VALUE);
            let hint = format!("correct the variable, or give {name}, which is used first");
            // The parser's text adds nothing.
            invalid(format!("the variable {variable} is '{value}', accepted is an id (GUID)"), &hint)
        }),
    }
}

fn missing(what: &str, option: &str, variable: &str) -> Failure {
    invalid(format!("no {what} is named"), &format!("give {option} ID, or set {variable}"))
}

pub(super) fn invalid(error: String, hint: &str) -> Failure {
    Failure::new(Code::ArgumentInvalid, error, hint)
}

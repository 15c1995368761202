//! The parameters and data of a connection, as the agent passes them.

use uuid::Uuid;
use wif_core::{
    azure::{cloud::Cloud, resource::Audiences},
    secret::Secret,
};
use wif_io::{endpoint::Endpoint, env::Env};

use super::error::{ConnectionError, printable};
use crate::agent::inputs::env_name;

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: Uuid,
    /// Its name, where the connection tells: a harmless line, since the log and `az` show it.
    pub name: Option<String>,
}

/// What the agent passes of one connection.
pub(super) struct Fields<'a> {
    pub(super) env: &'a Env,
    pub(super) id: Uuid,
}

impl<'a> Fields<'a> {
    pub(super) fn parameter(&self, key: &str) -> Option<&'a str> {
        self.env.get(&format!("ENDPOINT_AUTH_PARAMETER_{}_{}", self.id, env_name(key)))
    }

    pub(super) fn secret(&self, key: &str) -> Option<Secret> {
        self.parameter(key).map(|value| Secret::new(value.to_owned()))
    }

    pub(super) fn data(&self, key: &str) -> Option<&'a str> {
        self.env.get(&format!("ENDPOINT_DATA_{}_{}", self.id, env_name(key))).map(str::trim)
    }

    pub(super) fn guid(&self, what: &'static str, value: Option<&str>) -> Result<Uuid, ConnectionError> {
        let id = self.id;
        let value = value.ok_or(ConnectionError::Missing { id, what })?.trim();
        Uuid::try_parse(value).ok().filter(|guid| !guid.is_nil()).ok_or_else(|| ConnectionError::NoGuid {
            id,
            what,
            value: printable(value),
        })
    }

    fn endpoint(&self, what: &'static str, value: &str) -> Result<Endpoint, ConnectionError> {
        Endpoint::parse(value).map_err(|source| ConnectionError::NoEndpoint {
            id: self.id,
            what,
            // A URL may carry a password or a signature.
            value: if value.contains(['@', '?']) { "not printable".to_owned() } else { printable(value) },
            source,
        })
    }

    /// Every scope but a management group's is in a subscription: a resource group's, or that of a machine learning workspace. An
    /// all-zero id, which some connections store, stands for no subscription.
    pub(super) fn subscription(&self) -> Result<Option<Subscription>, ConnectionError> {
        let scope = self.data("scopeLevel").unwrap_or_default();
        let above = ["ManagementGroup", "Tenant"].iter().any(|above| above.eq_ignore_ascii_case(scope));
        let stored = self.data("subscriptionId").filter(|text| *text != Uuid::nil().to_string());
        if stored.is_none() || above {
            return Ok(None);
        }
        let id = self.guid("subscription id (data subscriptionId)", stored)?;
        Ok(Some(Subscription { id, name: self.data("subscriptionName").map(printable) }))
    }

    /// The connection's own data first, its URL among it, then what its environment names.
    pub(super) fn cloud(&self) -> Result<(Option<Cloud>, Endpoint, Audiences), ConnectionError> {
        let id = self.id;
        let url = self.env.get(&format!("ENDPOINT_URL_{id}"));
        let resource_manager = url.map(|url| self.endpoint("URL", url)).transpose()?;
        let by_url = resource_manager.as_ref().and_then(|url| Cloud::from_resource_manager_host(url.host()));
        let environment = self.data("environment");
        let cloud = match environment {
            Some(name) => Cloud::from_environment(name),
            None => by_url.or(Some(Cloud::Public)),
        };
        let authority = ["activeDirectoryAuthority", "environmentAuthorityUrl"]
            .into_iter()
            .find_map(|key| Some((key, self.data(key)?)));
        let authority = match (authority, cloud) {
            (Some((key, url)), _) => self.endpoint(key, url)?,
            (None, Some(cloud)) => self.endpoint("environment", cloud.authority())?,
            (None, None) => {
                let environment = printable(environment.unwrap_or_default());
                return Err(ConnectionError::Cloud { id, environment });
            }
        };
        let own = |key| self.data(key).map(|url| url.trim_end_matches('/').to_owned());
        // Entra knows no loopback address as a resource: such a URL leads to a stand-in.
        let public_url = resource_manager.as_ref().filter(|url| !url.is_loopback());
        let audience = own("activeDirectoryServiceEndpointResourceId")
            .or_else(|| public_url.map(|url| url.bare().to_owned()))
            .or_else(|| cloud.map(|cloud| cloud.resource_manager().to_owned()))
            .ok_or(ConnectionError::Missing { id, what: "URL" })?;
        let audiences = Audiences {
            cloud: cloud.unwrap_or(Cloud::Public),
            resource_manager: audience,
            key_vault: own("AzureKeyVaultServiceEndpointResourceId"),
            graph: own("microsoftGraphUrl"),
        };
        Ok((cloud, authority, audiences))
    }
}

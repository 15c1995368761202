//! Where the services of a connection are, beside Entra.

use wif_core::{
    azure::hosts::{AllowedHosts, Service},
    foreign_text::one_line,
};
use wif_io::{endpoint::Endpoint, env::Env};

use super::connection::{Connection, ConnectionError};

/// Base URLs.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    /// Azure Resource Manager.
    pub(crate) resource_manager: Endpoint,
    /// Microsoft Graph.
    pub(crate) graph: Endpoint,
}

/// Whether an access token may be sent there. An earlier step can change a connection's data, and a person who may edit
/// the connection its URL: so the host is a known one or one that the user names, on loopback too.
#[must_use]
pub(crate) fn may_get_tokens(allowed: &AllowedHosts, service: Service, endpoint: &Endpoint) -> bool {
    allowed.admits(service, endpoint.host(), endpoint.port())
}

/// Where the connection says that Azure Resource Manager is: as it stands there.
#[must_use]
pub(crate) fn resource_manager<'a>(env: &'a Env, connection: &'a Connection) -> &'a str {
    env.get(&format!("ENDPOINT_URL_{}", connection.id))
        .unwrap_or(&connection.identity.audiences.resource_manager)
}

/// Azure Resource Manager of the connection, if it may get access tokens.
#[must_use]
pub(crate) fn allowed_resource_manager(
    env: &Env,
    connection: &Connection,
    allowed: &AllowedHosts,
) -> Option<Endpoint> {
    let endpoint = Endpoint::parse(resource_manager(env, connection)).ok();
    endpoint.filter(|endpoint| may_get_tokens(allowed, Service::ResourceManager, endpoint))
}

impl Addresses {
    /// The connection's own addresses first, then those of its cloud.
    ///
    /// # Errors
    ///
    /// One is no https URL.
    pub(crate) fn read(env: &Env, connection: &Connection) -> Result<Self, ConnectionError> {
        let id = connection.id;
        let url = resource_manager(env, connection);
        let endpoint = |what: &'static str, value: &str| {
            let shown = if value.contains(['@', '?']) { "not shown" } else { value };
            Endpoint::parse(value).map_err(|source| ConnectionError::NoEndpoint {
                id,
                what,
                value: one_line(shown, 100),
                source,
            })
        };
        Ok(Self {
            resource_manager: endpoint("URL", url)?,
            graph: endpoint("microsoftGraphUrl", &connection.identity.audiences.graph_url())?,
        })
    }
}

//! Where the services of a connection are, beside Entra.

use super::connection::{Connection, ConnectionError};
use crate::{endpoint::Endpoint, env::Env};

/// Base URLs.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Azure Resource Manager.
    pub resource_manager: Endpoint,
    /// Microsoft Graph.
    pub graph: Endpoint,
}

impl Addresses {
    /// The connection's own addresses first, then those of its cloud.
    ///
    /// # Errors
    ///
    /// One is no https URL.
    pub fn read(env: &Env, connection: &Connection) -> Result<Self, ConnectionError> {
        let id = connection.id;
        let url = env.get(&format!("ENDPOINT_URL_{id}")).unwrap_or(&connection.audiences.resource_manager);
        let endpoint = |what: &'static str, value: &str| {
            let shown = if value.contains(['@', '?']) { "not shown" } else { value };
            Endpoint::parse(value).map_err(|source| ConnectionError::NoEndpoint {
                id,
                what,
                value: shown.chars().take(100).collect(),
                source,
            })
        };
        Ok(Self {
            resource_manager: endpoint("URL", url)?,
            graph: endpoint("microsoftGraphUrl", &connection.audiences.graph())?,
        })
    }
}

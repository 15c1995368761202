//! Where the services of a connection are, beside Entra.

use super::connection::{Connection, ConnectionError};
use crate::{endpoint::Endpoint, env::Env, foreign_text::one_line};

/// Base URLs.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Azure Resource Manager.
    pub resource_manager: Endpoint,
    /// Microsoft Graph.
    pub graph: Endpoint,
}

/// Every host of both services that is known by name.
const KNOWN: [&str; 8] = [
    "management.azure.com",
    "management.core.windows.net",
    "management.usgovcloudapi.net",
    "management.chinacloudapi.cn",
    "graph.microsoft.com",
    "graph.microsoft.us",
    "dod-graph.microsoft.us",
    "microsoftgraph.chinacloudapi.cn",
];

/// Whether an access token may be sent there. An earlier step can change a connection's data, and whoever may edit a
/// connection its URL. A loopback address passes while certificates are checked: who presents a trusted one there
/// controls this machine's trust already.
#[must_use]
pub fn may_get_tokens(env: &Env, endpoint: &Endpoint) -> bool {
    KNOWN.contains(&endpoint.host()) || (endpoint.is_loopback() && !env.is_true("AGENT_SKIPCERTVALIDATION"))
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
                value: one_line(shown, 100),
                source,
            })
        };
        Ok(Self {
            resource_manager: endpoint("URL", url)?,
            graph: endpoint("microsoftGraphUrl", &connection.audiences.graph())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_hosts_and_this_machine_get_tokens() {
        let may = |url: &str, unchecked: &str| {
            let env = [("AGENT_SKIPCERTVALIDATION".to_owned(), unchecked.to_owned())].into_iter().collect();
            may_get_tokens(&env, &Endpoint::parse(url).unwrap())
        };
        for url in
            ["https://graph.evil.example", "https://management.azure.com.evil.example", "https://azure.com"]
        {
            assert!(!may(url, ""), "{url}");
        }
        assert!(
            may("https://graph.microsoft.com", "True") && may("https://management.usgovcloudapi.net/", "")
        );
        assert!(may("https://127.0.0.1:8443", "") && !may("https://127.0.0.1:8443", "True"));
    }
}

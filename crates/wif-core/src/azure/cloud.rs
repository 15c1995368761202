//! The national clouds: public, government, China.

/// A cloud whose addresses are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// `AzureCloud`.
    Public,
    /// `AzureUSGovernment`.
    UsGovernment,
    /// `AzureChinaCloud`, run by 21Vianet.
    China,
}

impl Cloud {
    /// The audience that Entra recommends for the id tokens of other issuers.
    ///
    /// Source: Microsoft Learn, "Important considerations and restrictions for federated identity credentials".
    #[must_use]
    pub const fn token_exchange_audience(self) -> &'static str {
        match self {
            Self::Public => "api://AzureADTokenExchange",
            Self::UsGovernment => "api://AzureADTokenExchangeUSGov",
            Self::China => "api://AzureADTokenExchangeChina",
        }
    }

    /// Every known cloud.
    pub const ALL: [Self; 3] = [Self::Public, Self::UsGovernment, Self::China];

    /// The name in a connection's data entry `environment`, in any case.
    #[must_use]
    pub fn from_environment(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cloud| cloud.environment().eq_ignore_ascii_case(name))
    }

    /// The cloud whose resource manager has this host.
    #[must_use]
    pub fn from_resource_manager_host(host: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cloud| {
            cloud
                .resource_manager()
                .strip_prefix("https://")
                .is_some_and(|own| own.eq_ignore_ascii_case(host))
        })
    }

    /// The cloud whose Entra has this base URL.
    #[must_use]
    pub fn from_authority(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cloud| cloud.authority() == url.trim_end_matches('/'))
    }

    /// The name in a connection's data entry `environment`.
    #[must_use]
    pub const fn environment(self) -> &'static str {
        self.names().environment
    }

    /// Entra's base URL, without a trailing slash.
    #[must_use]
    pub const fn authority(self) -> &'static str {
        self.names().authority
    }

    /// ARM's base URL, which is also its resource, without a trailing slash.
    #[must_use]
    pub const fn resource_manager(self) -> &'static str {
        self.names().resource_manager
    }

    /// What the hosts of storage accounts end with, after `core.`.
    #[must_use]
    pub(crate) const fn storage_suffix(self) -> &'static str {
        self.names().storage_suffix
    }

    /// The value of `ARM_ENVIRONMENT`.
    #[must_use]
    pub const fn terraform_environment(self) -> &'static str {
        self.names().terraform_environment
    }

    /// Its row in the table.
    pub(super) const fn names(self) -> &'static Names {
        match self {
            Self::Public => &PUBLIC,
            Self::UsGovernment => &US_GOVERNMENT,
            Self::China => &CHINA,
        }
    }
}

/// What a cloud and its services are called. Hosts that may get tokens, and resources, are found here and nowhere else.
///
/// Source: <https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud>; Azure/azure-cli, `cloud.py`; the
/// list of authorities that Microsoft's libraries trust without asking (`KnownAuthorities`).
pub(super) struct Names {
    environment: &'static str,
    terraform_environment: &'static str,
    authority: &'static str,
    /// Hosts that are the same Entra.
    pub(super) other_authorities: &'static [&'static str],
    resource_manager: &'static str,
    /// The resource manager's resource by its older name, which az still uses.
    pub(super) older_resource_manager: &'static str,
    /// Another host that answers as the resource manager.
    pub(super) other_resource_manager: Option<&'static str>,
    pub(super) graph: &'static str,
    /// Another host that answers as Microsoft Graph.
    pub(super) other_graph: Option<&'static str>,
    pub(super) key_vault: &'static str,
    pub(super) sql: &'static str,
    /// Azure Database for open-source databases.
    pub(super) ossrdbms: &'static str,
    pub(super) log_analytics: &'static str,
    pub(super) batch: &'static str,
    storage_suffix: &'static str,
}

const PUBLIC: Names = Names {
    environment: "AzureCloud",
    terraform_environment: "public",
    authority: "https://login.microsoftonline.com",
    other_authorities: &["login.windows.net", "login.microsoft.com"],
    resource_manager: "https://management.azure.com",
    older_resource_manager: "https://management.core.windows.net",
    other_resource_manager: Some("management.core.windows.net"),
    graph: "https://graph.microsoft.com",
    other_graph: None,
    key_vault: "https://vault.azure.net",
    sql: "https://database.windows.net",
    ossrdbms: "https://ossrdbms-aad.database.windows.net",
    log_analytics: "https://api.loganalytics.io",
    batch: "https://batch.core.windows.net",
    storage_suffix: "windows.net",
};

const US_GOVERNMENT: Names = Names {
    environment: "AzureUSGovernment",
    terraform_environment: "usgovernment",
    authority: "https://login.microsoftonline.us",
    other_authorities: &[],
    resource_manager: "https://management.usgovcloudapi.net",
    older_resource_manager: "https://management.core.usgovcloudapi.net",
    other_resource_manager: None,
    graph: "https://graph.microsoft.us",
    other_graph: Some("dod-graph.microsoft.us"),
    key_vault: "https://vault.usgovcloudapi.net",
    sql: "https://database.usgovcloudapi.net",
    ossrdbms: "https://ossrdbms-aad.database.usgovcloudapi.net",
    log_analytics: "https://api.loganalytics.us",
    batch: "https://batch.core.usgovcloudapi.net",
    storage_suffix: "usgovcloudapi.net",
};

const CHINA: Names = Names {
    environment: "AzureChinaCloud",
    terraform_environment: "china",
    authority: "https://login.chinacloudapi.cn",
    other_authorities: &["login.partner.microsoftonline.cn"],
    resource_manager: "https://management.chinacloudapi.cn",
    older_resource_manager: "https://management.core.chinacloudapi.cn",
    other_resource_manager: None,
    graph: "https://microsoftgraph.chinacloudapi.cn",
    other_graph: None,
    key_vault: "https://vault.azure.cn",
    sql: "https://database.chinacloudapi.cn",
    ossrdbms: "https://ossrdbms-aad.database.chinacloudapi.cn",
    log_analytics: "https://api.loganalytics.azure.cn",
    batch: "https://batch.chinacloudapi.cn",
    storage_suffix: "chinacloudapi.cn",
};

/// Hosts of Entra in clouds whose other services are not known here.
pub(super) const OTHER_CLOUDS_AUTHORITIES: [&str; 4] = [
    "login.microsoftonline.de",
    "login.sovcloud-identity.fr",
    "login.sovcloud-identity.de",
    "login.sovcloud-identity.sg",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_environment_is_no_cloud() {
        assert_eq!(Cloud::from_environment("AzureStack"), None);
        assert_eq!(Cloud::from_environment(""), None);
        assert_eq!(Cloud::from_resource_manager_host("127.0.0.1"), None);
    }

    #[test]
    fn every_cloud_is_found_by_its_names() {
        for cloud in Cloud::ALL {
            assert_eq!(Cloud::from_environment(&cloud.environment().to_uppercase()), Some(cloud));
            let host = cloud.resource_manager().trim_start_matches("https://");
            assert_eq!(Cloud::from_resource_manager_host(host), Some(cloud));
        }
    }

    #[test]
    fn a_cloud_is_found_by_its_authority() {
        for cloud in Cloud::ALL {
            assert_eq!(Cloud::from_authority(&format!("{}/", cloud.authority())), Some(cloud));
        }
        assert_eq!(Cloud::from_authority("https://login.example/"), None);
        assert_eq!(Cloud::from_authority(""), None);
    }
}

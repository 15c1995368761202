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
        match self {
            Self::Public => "AzureCloud",
            Self::UsGovernment => "AzureUSGovernment",
            Self::China => "AzureChinaCloud",
        }
    }

    /// Entra's base URL, without a trailing slash.
    #[must_use]
    pub const fn authority(self) -> &'static str {
        match self {
            Self::Public => "https://login.microsoftonline.com",
            Self::UsGovernment => "https://login.microsoftonline.us",
            Self::China => "https://login.chinacloudapi.cn",
        }
    }

    /// ARM's base URL, which is also its resource, without a trailing slash.
    #[must_use]
    pub const fn resource_manager(self) -> &'static str {
        match self {
            Self::Public => "https://management.azure.com",
            Self::UsGovernment => "https://management.usgovcloudapi.net",
            Self::China => "https://management.chinacloudapi.cn",
        }
    }

    /// What the hosts of storage accounts end with, after `core.`.
    #[must_use]
    pub const fn storage_suffix(self) -> &'static str {
        match self {
            Self::Public => "windows.net",
            Self::UsGovernment => "usgovcloudapi.net",
            Self::China => "chinacloudapi.cn",
        }
    }

    /// The value of `ARM_ENVIRONMENT`.
    #[must_use]
    pub const fn terraform_environment(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::UsGovernment => "usgovernment",
            Self::China => "china",
        }
    }
}

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

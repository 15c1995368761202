//! What an access token is for: alias, resource and scope.

use std::fmt;

use uuid::Uuid;

use super::cloud::Cloud;
use crate::foreign_text::one_line;

/// The audience that Entra is asked for, as a scope ending in `/.default`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource(String);

/// Where the aliases lead for one connection.
#[derive(Clone, Debug)]
pub struct Audiences {
    /// The cloud whose table is used.
    pub cloud: Cloud,
    /// The resource manager's resource, without a trailing slash.
    pub resource_manager: String,
    /// Key Vault's resource, where the connection names it.
    pub key_vault: Option<String>,
    /// Microsoft Graph's resource, where the connection names it.
    pub graph: Option<String>,
}

/// A text that is no resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is no resource; accepted are an alias ({}), an https:// resource, a GUID, or a scope ending in /.default",
    ALIASES.join(", ")
)]
pub struct ResourceError {
    text: String,
}

/// The aliases, as users write them, in any case.
pub const ALIASES: [&str; 14] = [
    "arm",
    "keyvault",
    "storage",
    "sql",
    "graph",
    "devops",
    "aks",
    "acr",
    "disk",
    "cosmos",
    "servicebus",
    "loganalytics",
    "ossrdbms",
    "batch",
];

const DEFAULT: &str = "/.default";
/// What tools call the resource manager: `az` has names of its own for it.
const RESOURCE_MANAGER_NAMES: [&str; 6] = [
    "https://management.azure.com",
    "https://management.core.windows.net",
    "https://management.core.usgovcloudapi.net",
    "https://management.core.chinacloudapi.cn",
    "https://management.usgovcloudapi.net",
    "https://management.chinacloudapi.cn",
];
/// The one service whose resource ends in a slash, so that its scope has two.
const MANAGED_DISK: &str = "https://disk.azure.com";

impl Resource {
    /// Reads an alias, an `https://` resource, a GUID, or a full scope.
    ///
    /// # Errors
    ///
    /// The text is none of them.
    pub fn parse(text: &str, audiences: &Audiences) -> Result<Self, ResourceError> {
        let error = || ResourceError { text: one_line(text, 100) };
        if text.is_empty() || text.len() > 400 || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(error());
        }
        if let Some(resource) = audiences.alias(&text.to_ascii_lowercase()) {
            return Ok(Self::of(&resource));
        }
        if let Some(resource) = text.strip_suffix(DEFAULT) {
            return if resource.is_empty() { Err(error()) } else { Ok(Self(text.to_owned())) };
        }
        if let Ok(id) = Uuid::try_parse(text) {
            return Ok(Self::of(&id.hyphenated().to_string()));
        }
        let host = text.strip_prefix("https://").ok_or_else(error)?;
        if host.starts_with('/') || host.is_empty() || host.contains(['?', '#', '@']) {
            return Err(error());
        }
        Ok(Self::of(text))
    }

    /// Reads what a tool asks a broker for: the same, with or without `/.default` and slashes, and either host of the
    /// resource manager, so that every spelling is one resource.
    ///
    /// # Errors
    ///
    /// The text is none of them.
    pub fn asked_for(text: &str, audiences: &Audiences) -> Result<Self, ResourceError> {
        let bare = text.strip_suffix(DEFAULT).unwrap_or(text).trim_end_matches('/');
        if RESOURCE_MANAGER_NAMES.contains(&bare) || bare == audiences.resource_manager {
            return Ok(audiences.resource_manager());
        }
        // A full scope passes whatever stands before its end, `api://…` too.
        let scope = format!("{bare}{DEFAULT}");
        let parsed = Self::parse(if bare.contains("://") { &scope } else { bare }, audiences)?;
        Ok(Self::of(&parsed.to_string()))
    }

    fn of(resource: &str) -> Self {
        let bare = resource.trim_end_matches('/');
        let slash = if bare.eq_ignore_ascii_case(MANAGED_DISK) { "/" } else { "" };
        Self(format!("{bare}{slash}{DEFAULT}"))
    }

    /// The scope for Entra's v2.0 endpoint.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Resource {
    /// The resource without `/.default`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.strip_suffix(DEFAULT).unwrap_or(&self.0))
    }
}

impl Audiences {
    /// The resource of the resource manager: what a sign-in is proved with.
    #[must_use]
    pub fn resource_manager(&self) -> Resource {
        Resource::of(&self.resource_manager)
    }

    /// Microsoft Graph's resource, which is its base URL, too.
    #[must_use]
    pub fn graph(&self) -> String {
        self.alias("graph").unwrap_or_default()
    }

    fn alias(&self, alias: &str) -> Option<String> {
        let by_cloud = |public: &str, government: &str, china: &str| {
            match self.cloud {
                Cloud::Public => public,
                Cloud::UsGovernment => government,
                Cloud::China => china,
            }
            .to_owned()
        };
        Some(match alias {
            "arm" => self.resource_manager.clone(),
            "keyvault" => self.key_vault.clone().unwrap_or_else(|| {
                by_cloud(
                    "https://vault.azure.net",
                    "https://vault.usgovcloudapi.net",
                    "https://vault.azure.cn",
                )
            }),
            "graph" => self.graph.clone().unwrap_or_else(|| {
                by_cloud(
                    "https://graph.microsoft.com",
                    "https://graph.microsoft.us",
                    "https://microsoftgraph.chinacloudapi.cn",
                )
            }),
            "storage" => "https://storage.azure.com".to_owned(),
            "sql" => by_cloud(
                "https://database.windows.net",
                "https://database.usgovcloudapi.net",
                "https://database.chinacloudapi.cn",
            ),
            "ossrdbms" => by_cloud(
                "https://ossrdbms-aad.database.windows.net",
                "https://ossrdbms-aad.database.usgovcloudapi.net",
                "https://ossrdbms-aad.database.chinacloudapi.cn",
            ),
            "devops" => "499b84ac-1321-427f-aa17-267ca6975798".to_owned(),
            "aks" => "6dae42f8-4368-4678-94ff-3960e28e3630".to_owned(),
            "acr" => "https://containerregistry.azure.net".to_owned(),
            "disk" => MANAGED_DISK.to_owned(),
            "cosmos" => "https://cosmos.azure.com".to_owned(),
            "servicebus" => "https://servicebus.azure.net".to_owned(),
            "loganalytics" => by_cloud(
                "https://api.loganalytics.io",
                "https://api.loganalytics.us",
                "https://api.loganalytics.azure.cn",
            ),
            "batch" => by_cloud(
                "https://batch.core.windows.net",
                "https://batch.core.usgovcloudapi.net",
                "https://batch.chinacloudapi.cn",
            ),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn audiences(cloud: Cloud) -> Audiences {
        Audiences {
            cloud,
            resource_manager: cloud.resource_manager().to_owned(),
            key_vault: None,
            graph: None,
        }
    }

    fn scope(text: &str) -> Result<String, ResourceError> {
        Resource::parse(text, &audiences(Cloud::Public)).map(|resource| resource.scope().to_owned())
    }

    #[test]
    fn what_is_no_resource_is_refused_with_what_is_accepted() {
        for text in [
            "",
            "amr",
            "http://vault.azure.net",
            "https://",
            "https:///x",
            "/.default",
            "a b/.default",
            "api://app",
            "https://x y",
            "https://user@host",
            "https://host?q",
            "https://host\n",
        ] {
            let error = scope(text).unwrap_err().to_string();
            assert!(
                error.contains(&format!("'{}'", text.replace('\n', " "))) && error.contains("keyvault"),
                "{error}"
            );
        }
    }

    #[test]
    fn each_form_becomes_a_scope() {
        for (text, expected) in [
            ("arm", "https://management.azure.com/.default"),
            ("ARM", "https://management.azure.com/.default"),
            ("https://vault.azure.net/", "https://vault.azure.net/.default"),
            ("https://vault.azure.net", "https://vault.azure.net/.default"),
            ("https://disk.azure.com/", "https://disk.azure.com//.default"),
            ("disk", "https://disk.azure.com//.default"),
            ("devops", "499b84ac-1321-427f-aa17-267ca6975798/.default"),
            ("499B84AC-1321-427F-AA17-267CA6975798", "499b84ac-1321-427f-aa17-267ca6975798/.default"),
            ("api://my-app/.default", "api://my-app/.default"),
            ("https://x.example//.default", "https://x.example//.default"),
        ] {
            assert_eq!(scope(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn every_alias_leads_somewhere_in_every_cloud() {
        for cloud in Cloud::ALL {
            for alias in ALIASES {
                assert!(Resource::parse(alias, &audiences(cloud)).is_ok(), "{alias} in {cloud:?}");
            }
        }
    }

    #[test]
    fn a_sovereign_cloud_has_addresses_of_its_own() {
        let government = audiences(Cloud::UsGovernment);
        let resource = |text| Resource::parse(text, &government).unwrap().to_string();
        assert_eq!(resource("keyvault"), "https://vault.usgovcloudapi.net");
        assert_eq!(resource("arm"), "https://management.usgovcloudapi.net");
        assert_eq!(resource("storage"), "https://storage.azure.com");
    }

    #[test]
    fn every_spelling_of_a_tool_is_one_resource() {
        let asked_for =
            |text| Resource::asked_for(text, &audiences(Cloud::Public)).map(|r| r.scope().to_owned());
        for text in [
            "arm",
            "https://management.azure.com",
            "https://management.azure.com/",
            "https://management.core.windows.net//.default",
        ] {
            assert_eq!(asked_for(text).as_deref(), Ok("https://management.azure.com/.default"), "{text}");
        }
        for text in [
            "keyvault",
            "https://vault.azure.net",
            "https://vault.azure.net/",
            "https://vault.azure.net/.default",
        ] {
            assert_eq!(asked_for(text).as_deref(), Ok("https://vault.azure.net/.default"), "{text}");
        }
        assert_eq!(asked_for("https://disk.azure.com/").as_deref(), Ok("https://disk.azure.com//.default"));
        assert_eq!(asked_for("api://app").as_deref(), Ok("api://app/.default"));
        assert!(asked_for("").is_err() && asked_for("/").is_err() && asked_for("x y").is_err());
    }

    proptest! {
        #[test]
        fn no_input_panics_and_a_scope_is_read_back_as_itself(text in ".{0,60}") {
            if let Ok(resource) = Resource::parse(&text, &audiences(Cloud::Public)) {
                let again = Resource::parse(resource.scope(), &audiences(Cloud::Public));
                prop_assert_eq!(Ok(resource), again);
            }
        }
    }
}

//! What an access token is for: alias, resource and scope.

use std::fmt;

use url::Url;
use uuid::Uuid;

use super::{cloud::Cloud, hosts::is_loopback};
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
    /// Microsoft Graph's URL, where the connection names it. It is the resource too, except on loopback.
    pub graph: Option<String>,
}

/// A text that is not a resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not a resource; accepted are an alias ({}), an https:// resource, the URI of an application, a GUID, or a scope ending in /.default",
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

/// The application of Azure DevOps in Entra: what an access token for it is asked for.
pub const DEVOPS_APPLICATION: &str = "499b84ac-1321-427f-aa17-267ca6975798";
const DEFAULT: &str = "/.default";
/// The one service whose resource ends in a slash, so that its scope has two.
const MANAGED_DISK: &str = "https://disk.azure.com";
/// Azure Storage, whatever the account.
const STORAGE: &str = "https://storage.azure.com";
/// The services of an account that take tokens.
const STORAGE_SERVICES: [&str; 5] = ["blob", "queue", "table", "dfs", "file"];
/// The suffix of accounts whose names have a DNS zone.
const ZONED_STORAGE: &str = "storage.azure.net";
/// The longest text that is read, in bytes, without the end of a scope: so each resource can be asked for by its scope too.
const MAX_LENGTH: usize = 400;

impl Resource {
    /// The longest text that is read, in bytes: of a scope.
    pub const MAX_TEXT: usize = MAX_LENGTH + DEFAULT.len();

    /// Reads an alias, an `https://` resource, the URI of an application, a GUID, or a full scope. A step, its broker and
    /// `wif token` all read by this one function, so that a text means the same to each of them, and every name of the
    /// resource manager is one resource.
    ///
    /// The App Service protocol takes a scope without its `/.default`: so the URI of an application stands for its scope.
    ///
    /// # Errors
    ///
    /// The text is neither an alias nor a resource.
    pub fn parse(text: &str, audiences: &Audiences) -> Result<Self, ResourceError> {
        let error = || ResourceError { text: one_line(text, 100) };
        let scope = text.strip_suffix(DEFAULT);
        if text.is_empty() || scope.unwrap_or(text).len() > MAX_LENGTH {
            return Err(error());
        }
        if let Some(resource) = audiences.alias(&text.to_ascii_lowercase()) {
            return Ok(Self::of(&resource));
        }
        if let Ok(id) = Uuid::try_parse(text) {
            return Ok(Self::of(&id.hyphenated().to_string()));
        }
        let resource = with_lower_case_host(scope.unwrap_or(text));
        let bare = resource.trim_end_matches('/');
        let is_resource_manager =
            |cloud: Cloud| [cloud.resource_manager(), cloud.names().older_resource_manager].contains(&bare);
        if Cloud::ALL.into_iter().any(is_resource_manager) || bare == audiences.resource_manager {
            return Ok(audiences.resource_manager());
        }
        if !is_resource(&resource, scope.is_some()) {
            return Err(error());
        }
        // A scope is sent to Entra as it stands: a slash before its end belongs to the name of the resource.
        Ok(if scope.is_some() { Self(format!("{resource}{DEFAULT}")) } else { Self::of(&resource) })
    }

    /// Whether a token for `other` may be given where this resource is allowed: it is the same, or this is Azure Storage and
    /// the other is the data plane of a storage account.
    #[must_use]
    pub fn covers(&self, other: &Self, cloud: Cloud) -> bool {
        self == other || (self.0 == format!("{STORAGE}{DEFAULT}") && other.is_storage_account(cloud))
    }

    /// Whether the resource is one service of one storage account: `https://ACCOUNT.blob.core.windows.net`, or, with a zone,
    /// `https://ACCOUNT.zNN.blob.storage.azure.net`.
    ///
    /// Source: <https://learn.microsoft.com/azure/storage/common/storage-account-overview>, "Storage account endpoints".
    #[must_use]
    pub fn is_storage_account(&self, cloud: Cloud) -> bool {
        let host = self.0.strip_suffix(DEFAULT).and_then(|resource| resource.strip_prefix("https://"));
        let Some((account, rest)) = host.and_then(|host| host.split_once('.')) else { return false };
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let is_service = |service: &str| STORAGE_SERVICES.contains(&service);
        let standard = rest.split_once('.').is_some_and(|(service, suffix)| {
            is_service(service) && suffix.strip_prefix("core.") == Some(cloud.storage_suffix())
        });
        let zone = rest.split_once('.').and_then(|(zone, rest)| Some((zone, rest.split_once('.')?)));
        let zoned = zone.is_some_and(|(zone, (service, suffix))| {
            let number = zone.strip_prefix('z').unwrap_or_default();
            let digits = number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit());
            cloud == Cloud::Public && digits && is_service(service) && suffix == ZONED_STORAGE
        });
        is_label(account) && (standard || zoned)
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

/// Whether a text can name a resource. With a scheme it may stand alone, except `http://`, which is nearly always a
/// mistake for `https://`; in a full scope it may be any name.
fn is_resource(text: &str, in_scope: bool) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || "-._~:/%+!*'()&=;".contains(c);
    let Some((scheme, rest)) = text.split_once(':') else {
        return in_scope && !text.is_empty() && text.chars().all(allowed) && !text.starts_with('/');
    };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let host = rest.strip_prefix("//");
    let named = match host {
        Some(host) => !host.is_empty() && !host.starts_with(['/', ':']),
        None => !rest.trim_matches('/').is_empty() && scheme != "https" && scheme != "http",
    };
    is_scheme && named && text.chars().all(allowed) && (in_scope || scheme != "http")
}

/// The same text with the host of an `https://` resource in lower case: case does not count in it.
fn with_lower_case_host(text: &str) -> String {
    let Some(rest) = text.strip_prefix("https://") else { return text.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    format!("https://{}{path}", host.to_ascii_lowercase())
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

    /// The resource of Microsoft Graph.
    #[must_use]
    pub fn graph(&self) -> Resource {
        Resource::of(&self.graph_resource())
    }

    /// Microsoft Graph's base URL.
    #[must_use]
    pub fn graph_url(&self) -> String {
        self.graph.clone().unwrap_or_else(|| self.graph_resource())
    }

    /// Entra knows no loopback address as a resource: such a URL leads to a stand-in.
    fn graph_resource(&self) -> String {
        let named = self.graph.clone();
        let named = named.filter(|url| !Url::parse(url).is_ok_and(|url| is_loopback(&url)));
        named.unwrap_or_else(|| self.cloud.names().graph.to_owned())
    }

    fn alias(&self, alias: &str) -> Option<String> {
        let names = self.cloud.names();
        Some(match alias {
            "arm" => self.resource_manager.clone(),
            "keyvault" => self.key_vault.clone().unwrap_or_else(|| names.key_vault.to_owned()),
            "graph" => self.graph_resource(),
            "storage" => STORAGE.to_owned(),
            "sql" => names.sql.to_owned(),
            "ossrdbms" => names.ossrdbms.to_owned(),
            "devops" => DEVOPS_APPLICATION.to_owned(),
            "aks" => "6dae42f8-4368-4678-94ff-3960e28e3630".to_owned(),
            "acr" => "https://containerregistry.azure.net".to_owned(),
            "disk" => MANAGED_DISK.to_owned(),
            "cosmos" => "https://cosmos.azure.com".to_owned(),
            "servicebus" => "https://servicebus.azure.net".to_owned(),
            "loganalytics" => names.log_analytics.to_owned(),
            "batch" => names.batch.to_owned(),
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
            "https:///.default",
            "https://?x/.default",
            "a b/.default",
            "##vso[task.complete]://x/.default",
            "http:/.default",
            "api:",
            "api://",
            "https:vault",
            "https://x y",
            "https://user@host",
            "https://host?q",
            "https://host\n",
            "1api://x",
            "a_b://x",
            "://x",
        ] {
            let error = scope(text).unwrap_err().to_string();
            assert!(
                error.contains(&format!("'{}'", one_line(text, 100))) && error.contains("keyvault"),
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
            ("https://Vault.AZURE.net/Path", "https://vault.azure.net/Path/.default"),
            ("api://my-app", "api://my-app/.default"),
            ("http://my-app/.default", "http://my-app/.default"),
            ("my-app/.default", "my-app/.default"),
            (
                "urn:ms-drs:enterpriseregistration.windows.net/.default",
                "urn:ms-drs:enterpriseregistration.windows.net/.default",
            ),
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
    fn a_text_of_400_bytes_is_read_and_one_more_is_too_long() {
        let of = |length: usize| format!("api://{}", "a".repeat(length - "api://".len()));
        let longest = scope(&of(400)).unwrap();
        assert_eq!(longest.len(), Resource::MAX_TEXT);
        assert_eq!(scope(&longest).as_ref(), Ok(&longest), "what is accepted can be asked for by its scope");
        for length in [401, 402, 10_000] {
            assert!(scope(&of(length)).is_err(), "{length}");
        }
    }

    #[test]
    fn graph_is_the_clouds_unless_the_connection_names_another_and_never_a_loopback_address() {
        let with =
            |url: Option<&str>| Audiences { graph: url.map(str::to_owned), ..audiences(Cloud::UsGovernment) };
        let asked = |audiences: &Audiences| Resource::parse("graph", audiences).unwrap().to_string();
        let none = with(None);
        assert_eq!((none.graph_url(), asked(&none)), (asked(&none), "https://graph.microsoft.us".to_owned()));
        let own = with(Some("https://graph.stack.example"));
        assert_eq!((own.graph_url(), asked(&own)), (asked(&own), "https://graph.stack.example".to_owned()));
        let stand_in = with(Some("https://127.0.0.1:8443"));
        assert_eq!(stand_in.graph_url(), "https://127.0.0.1:8443", "where requests are sent");
        assert_eq!(asked(&stand_in), "https://graph.microsoft.us", "what Entra knows");
    }

    #[test]
    fn every_spelling_of_a_tool_is_one_resource() {
        for text in [
            "arm",
            "https://management.azure.com",
            "https://management.azure.com/",
            "https://management.core.windows.net//.default",
        ] {
            assert_eq!(scope(text).as_deref(), Ok("https://management.azure.com/.default"), "{text}");
        }
        for text in [
            "keyvault",
            "https://vault.azure.net",
            "https://vault.azure.net/",
            "https://vault.azure.net/.default",
        ] {
            assert_eq!(scope(text).as_deref(), Ok("https://vault.azure.net/.default"), "{text}");
        }
    }

    #[test]
    fn storage_covers_the_hosts_of_its_accounts_and_no_others() {
        let resource = |text: &str, cloud| Resource::parse(text, &audiences(cloud)).unwrap();
        let covers = |text: &str, cloud| resource("storage", cloud).covers(&resource(text, cloud), cloud);
        for text in [
            "https://acc1.blob.core.windows.net",
            "https://acc1.blob.core.windows.net/",
            "https://acc1-secondary.queue.core.windows.net",
            "https://acc1.table.core.windows.net/.default",
            "https://acc1.dfs.core.windows.net",
            "https://acc1.file.core.windows.net",
            "https://acc1.z07.blob.storage.azure.net",
            "storage",
        ] {
            assert!(covers(text, Cloud::Public), "{text}");
        }
        for text in [
            "keyvault",
            "https://blob.core.windows.net",
            "https://a.b.blob.core.windows.net",
            "https://acc1.blob.core.windows.net.evil.example",
            "https://acc1.blob.core.windows.net:8443",
            "https://acc1.blob.core.windows.net/container",
            "https://acc1.vault.core.windows.net",
            "https://acc1.blob.core.usgovcloudapi.net",
            "https://acc1.z7.blob.storage.azure.net",
            "https://acc1.z123.blob.storage.azure.net",
            "https://acc1.zab.blob.storage.azure.net",
            "https://acc1.x07.blob.storage.azure.net",
            "https://acc1.z07.vault.storage.azure.net",
            "https://acc1.z07.blob.storage.evil.example",
            "https://.blob.core.windows.net",
            "https://a_b.blob.core.windows.net",
            "api://acc1.blob.core.windows.net",
        ] {
            assert!(!covers(text, Cloud::Public), "{text}");
        }
        assert!(covers("https://acc1.blob.core.usgovcloudapi.net", Cloud::UsGovernment));
        assert!(!covers("https://acc1.blob.core.windows.net", Cloud::UsGovernment));
        assert!(!covers("https://acc1.z07.blob.storage.azure.net", Cloud::UsGovernment));
        let one = resource("https://acc1.blob.core.windows.net", Cloud::Public);
        assert!(!one.covers(&resource("storage", Cloud::Public), Cloud::Public), "never the other way round");
    }

    proptest! {
        #[test]
        fn no_input_panics_and_a_scope_is_read_back_as_itself(text in ".{0,60}") {
            if let Ok(resource) = Resource::parse(&text, &audiences(Cloud::Public)) {
                let again = Resource::parse(resource.scope(), &audiences(Cloud::Public));
                prop_assert_eq!(Ok(resource), again);
            }
        }

        #[test]
        fn what_is_accepted_is_read_back_from_every_form_that_a_tool_makes_of_it(
            text in "(https://|api://|urn:|http://|)[a-zA-Z0-9./:_-]{1,30}(/|)(/\\.default|)",
        ) {
            let audiences = audiences(Cloud::Public);
            if let Ok(resource) = Resource::parse(&text, &audiences) {
                prop_assert_eq!(Resource::parse(resource.scope(), &audiences), Ok(resource.clone()));
                prop_assert!(resource.covers(&resource, Cloud::Public));
            }
        }
    }
}

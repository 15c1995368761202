//! The resources that Entra issues access tokens for.

use uuid::Uuid;

use crate::world::World;
use crate::world::directory::entra::Tenant;

/// The resource of a scope `RESOURCE/.default`, as it is spelled, with any trailing slash.
pub(super) fn resource_of_scope(scope: &str) -> Option<&str> {
    scope.strip_suffix("/.default").filter(|resource| !resource.is_empty())
}

/// Whether the tenant knows the resource.
pub(crate) fn is_known(world: &World, tenant: &Tenant, resource: &str) -> bool {
    // This one is registered with its trailing slash, and the others without.
    if resource == "https://disk.azure.com/" {
        return true;
    }
    let bare = resource.strip_suffix('/').unwrap_or(resource);
    let is_id = |known: &str| Uuid::try_parse(bare).is_ok_and(|id| id.to_string() == known);
    ARM_URLS.contains(&bare)
        || bare == world.urls.arm
        || bare == world.urls.graph
        || OTHER_URLS.contains(&bare)
        || is_storage_account(bare)
        || APPLICATION_IDS.iter().any(|known| is_id(known))
        || tenant.resources.iter().any(|known| known == bare || known == resource)
}

/// Whether the resource is one account's service, like `https://ACCOUNT.blob.core.windows.net`.
fn is_storage_account(resource: &str) -> bool {
    let host = resource.strip_prefix("https://").and_then(|host| host.strip_suffix(".core.windows.net"));
    let parts = host.and_then(|host| host.split_once('.'));
    parts.is_some_and(|(account, service)| {
        !account.is_empty() && ["blob", "queue", "table", "dfs", "file"].contains(&service)
    })
}

/// Whether a token with this audience is meant for the resource manager.
pub(crate) fn is_arm(world: &World, audience: &str) -> bool {
    let bare = audience.strip_suffix('/').unwrap_or(audience);
    ARM_URLS.contains(&bare) || bare == world.urls.arm || bare == ARM_ID
}

const ARM_ID: &str = "797f4846-ba00-4fd7-ba43-dac1f8f63013";

const ARM_URLS: [&str; 7] = [
    "https://management.azure.com",
    "https://management.core.windows.net",
    "https://management.usgovcloudapi.net",
    "https://management.core.usgovcloudapi.net",
    "https://management.chinacloudapi.cn",
    "https://management.core.chinacloudapi.cn",
    "https://management.microsoftazure.de",
];

const OTHER_URLS: [&str; 24] = [
    "https://vault.azure.net",
    "https://vault.usgovcloudapi.net",
    "https://vault.azure.cn",
    "https://storage.azure.com",
    "https://database.windows.net",
    "https://database.usgovcloudapi.net",
    "https://database.chinacloudapi.cn",
    "https://ossrdbms-aad.database.windows.net",
    "https://ossrdbms-aad.database.usgovcloudapi.net",
    "https://ossrdbms-aad.database.chinacloudapi.cn",
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "https://dod-graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
    "https://graph.windows.net",
    "https://cosmos.azure.com",
    "https://servicebus.azure.net",
    "https://eventhubs.azure.net",
    "https://api.loganalytics.io",
    "https://containerregistry.azure.net",
    "https://batch.core.windows.net",
    "https://managedhsm.azure.net",
    "https://dev.azuresynapse.net",
    "https://app.vssps.visualstudio.com",
];

const APPLICATION_IDS: [&str; 4] = [
    ARM_ID,
    "499b84ac-1321-427f-aa17-267ca6975798",
    "6dae42f8-4368-4678-94ff-3960e28e3630",
    "00000003-0000-0000-c000-000000000000",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_keeps_its_slash() {
        assert_eq!(resource_of_scope("https://disk.azure.com//.default"), Some("https://disk.azure.com/"));
        assert_eq!(resource_of_scope("https://vault.azure.net/.default"), Some("https://vault.azure.net"));
        assert_eq!(resource_of_scope("https://vault.azure.net"), None);
        assert_eq!(resource_of_scope("/.default"), None);
    }
}

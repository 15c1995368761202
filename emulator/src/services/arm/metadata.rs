//! The metadata of a cloud at `/metadata/endpoints`, in the shapes of three API versions.

use serde_json::{Value, json};

use crate::services::arm::refusal::Refusal;

/// The document of an API version, with these URLs of the login service and the resource manager.
pub(super) fn endpoints(version: &str, login: &str, arm: &str) -> Result<Value, Refusal> {
    match version {
        "2015-01-01" => Ok(json!({
            "galleryEndpoint": "https://gallery.azure.com",
            "graphEndpoint": "https://graph.windows.net",
            "portalEndpoint": "https://portal.azure.com",
            "authentication": { "loginEndpoint": format!("{login}/"), "audiences": AUDIENCES },
        })),
        // This version has a list of clouds, the next has one cloud.
        "2019-05-01" => Ok(json!([cloud(login, arm)])),
        "2022-09-01" => Ok(cloud(login, arm)),
        _ => Err(Refusal::unknown_version(version)),
    }
}

fn cloud(login: &str, arm: &str) -> Value {
    json!({
        "name": "AzureCloud",
        "portal": "https://portal.azure.com",
        "authentication": {
            "loginEndpoint": login,
            "audiences": AUDIENCES,
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "resourceManager": arm,
        "media": "https://rest.media.azure.net",
        "graph": "https://graph.windows.net/",
        "graphAudience": "https://graph.windows.net/",
        "batch": "https://batch.core.windows.net/",
        "gallery": "https://gallery.azure.com/",
        "sqlManagement": "https://management.core.windows.net:8443/",
        "vmImageAliasDoc": "https://raw.githubusercontent.com/Azure/azure-rest-api-specs/main/arm-compute/quickstart-templates/aliases.json",
        "activeDirectoryDataLake": "https://datalake.azure.net/",
        "microsoftGraphResourceId": "https://graph.microsoft.com/",
        "appInsightsResourceId": "https://api.applicationinsights.io",
        "appInsightsTelemetryChannelResourceId": "https://dc.applicationinsights.azure.com/v2/track",
        "attestationResourceId": "https://attest.azure.net",
        "synapseAnalyticsResourceId": "https://dev.azuresynapse.net",
        "logAnalyticsResourceId": "https://api.loganalytics.io",
        "ossrDbmsResourceId": "https://ossrdbms-aad.database.windows.net",
        "suffixes": {
            "storage": "core.windows.net",
            "keyVaultDns": "vault.azure.net",
            "mhsmDns": "managedhsm.azure.net",
            "acrLoginServer": "azurecr.io",
            "sqlServerHostname": "database.windows.net",
            "mysqlServerEndpoint": "mysql.database.azure.com",
            "postgresqlServerEndpoint": "postgres.database.azure.com",
            "mariadbServerEndpoint": "mariadb.database.azure.com",
            "azureDataLakeStoreFileSystem": "azuredatalakestore.net",
            "azureDataLakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
            "azureFrontDoorEndpointSuffix": "azurefd.net",
            "storageSyncEndpointSuffix": "afs.azure.net",
            "synapseAnalytics": "dev.azuresynapse.net",
            "attestationEndpoint": "attest.azure.net",
        },
    })
}

const AUDIENCES: [&str; 2] = ["https://management.core.windows.net/", "https://management.azure.com/"];

//! Issuers, subjects and audiences of id tokens, as Azure DevOps and Entra spell them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::{Uuid, uuid};

/// The audience that a federated credential is registered with, and that the Azure DevOps issuer writes.
pub const EXCHANGE_AUDIENCE: &str = "api://AzureADTokenExchange";

/// What the Entra issuer writes as audience instead of [`EXCHANGE_AUDIENCE`].
pub const EXCHANGE_AUDIENCE_ID: Uuid = uuid!("fb60f99c-7a34-4190-8149-302f77469936");

/// Azure DevOps as an application of Entra.
pub const DEVOPS_APPLICATION: Uuid = uuid!("499b84ac-1321-427f-aa17-267ca6975798");

/// The issuer of an organization's own tokens.
#[must_use]
pub fn devops_issuer(organization: Uuid) -> String {
    format!("https://vstoken.dev.azure.com/{organization}")
}

/// The issuer of a tenant's tokens, version 2.0.
#[must_use]
pub fn entra_issuer(tenant: Uuid) -> String {
    format!("https://login.microsoftonline.com/{tenant}/v2.0")
}

/// The issuer of a tenant's version 1.0 tokens, which resources such as ARM receive.
#[must_use]
pub fn sts_issuer(tenant: Uuid) -> String {
    format!("https://sts.windows.net/{tenant}/")
}

/// The subject of a connection under the Azure DevOps issuer: names, so a rename changes it.
#[must_use]
pub fn devops_subject(organization: &str, project: &str, connection: &str) -> String {
    format!("sc://{organization}/{project}/{connection}")
}

/// The subject of a connection under the Entra issuer: ids only.
#[must_use]
pub fn entra_subject(tenant: Uuid, organization: Uuid, connection: Uuid) -> String {
    let (tenant, application) = (little_endian(tenant), little_endian(DEVOPS_APPLICATION));
    format!("/eid1/c/pub/t/{tenant}/a/{application}/sc/{organization}/{connection}")
}

/// base64url of a GUID's bytes in the order of .NET's `Guid.ToByteArray`.
fn little_endian(id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(id.to_bytes_le())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_devops_application_has_its_known_spelling() {
        assert_eq!(little_endian(DEVOPS_APPLICATION), "rISbSSETf0KqFyZ8ppdXmA");
    }

    #[test]
    fn an_entra_subject_holds_the_ids_in_order() {
        let (tenant, organization, connection) =
            (uuid!("72f988bf-86f1-41af-91ab-2d7cd011db47"), Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(
            entra_subject(tenant, organization, connection),
            format!(
                "/eid1/c/pub/t/v4j5cvGGr0GRqy180BHbRw/a/rISbSSETf0KqFyZ8ppdXmA/sc/{organization}/{connection}"
            )
        );
    }
}

//! Microsoft Graph: the federated credentials that an application trusts, and its service principal.

use serde::Deserialize;
use uuid::Uuid;
use wif_core::{
    foreign_text::{ForeignText, one_line},
    secret::Secret,
    trust::compare::Trusted,
};
use wif_io::{clock::Deadline, endpoint::Endpoint, http::Http};

use super::rest::{ManagementError, ask};

/// The longest name of a federated credential that is shown, in characters. Graph allows 120.
const MAX_NAME: usize = 120;

/// The service principal of an identity.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Principal {
    /// Its object id: what roles are assigned to.
    pub id: Uuid,
    /// `Application`, `ManagedIdentity`, …
    pub service_principal_type: Option<String>,
}

#[derive(Deserialize)]
struct List {
    value: Vec<Credential>,
}

#[derive(Deserialize)]
struct Credential {
    name: Option<String>,
    issuer: ForeignText,
    /// A flexible federated credential has none.
    subject: Option<ForeignText>,
    #[serde(default)]
    audiences: Vec<ForeignText>,
}

impl Principal {
    /// Whether it is a managed identity, which has no application in Graph.
    #[must_use]
    pub fn is_managed(&self) -> bool {
        self.service_principal_type.as_deref() == Some("ManagedIdentity")
    }
}

/// The federated credentials of an application.
///
/// Source: Microsoft Graph v1.0, "List federatedIdentityCredentials".
///
/// # Errors
///
/// The token may not read it, or there is no such application.
pub async fn federated_credentials(
    http: &Http,
    deadline: Deadline,
    base: &Endpoint,
    token: &Secret,
    client: Uuid,
) -> Result<Vec<Trusted>, ManagementError> {
    let url = base.join(["v1.0", &format!("applications(appId='{client}')"), "federatedIdentityCredentials"]);
    let List { value } = ask(http, deadline, url, token).await?;
    Ok(value.into_iter().map(|credential| trusted(credential, client)).collect())
}

/// The service principal of a client id.
///
/// # Errors
///
/// As for `federated_credentials`.
pub async fn principal(
    http: &Http,
    deadline: Deadline,
    base: &Endpoint,
    token: &Secret,
    client: Uuid,
) -> Result<Principal, ManagementError> {
    let url = base.join(["v1.0", &format!("servicePrincipals(appId='{client}')")]);
    ask(http, deadline, url, token).await
}

fn trusted(credential: Credential, client: Uuid) -> Trusted {
    let name = one_line(&credential.name.unwrap_or_default(), MAX_NAME);
    Trusted {
        by: format!("the federated credential '{name}' of the application {client}"),
        issuer: credential.issuer,
        subject: credential.subject,
        audiences: credential.audiences,
    }
}

//! Microsoft Graph: the federated credentials that an application trusts, and its service principal.

use serde::Deserialize;
use uuid::Uuid;
use wif_core::{foreign_text::one_line, secret::Secret, trust::compare::Trusted};
use wif_io::{clock::Deadline, endpoint::Endpoint, http::Http};

use super::{
    management::{FederatedCredential, ManagementError},
    rest::{Rest, Token},
};

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
    value: Vec<FederatedCredential>,
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
    let path = ["v1.0", &format!("applications(appId='{client}')"), "federatedIdentityCredentials"];
    let List { value } = rest(http, deadline, base, token).get(path).json::<_, ManagementError>().await?;
    let trusted = |credential: FederatedCredential| {
        let name = one_line(credential.name.as_deref().unwrap_or_default(), MAX_NAME);
        credential.trusted(&name, &format!("the application {client}"))
    };
    Ok(value.into_iter().map(trusted).collect())
}

/// The service principal of a client id.
///
/// # Errors
///
/// The token may not read it, or the tenant has no such application.
pub async fn principal(
    http: &Http,
    deadline: Deadline,
    base: &Endpoint,
    token: &Secret,
    client: Uuid,
) -> Result<Principal, ManagementError> {
    let path = ["v1.0", &format!("servicePrincipals(appId='{client}')")];
    rest(http, deadline, base, token).get(path).json().await
}

fn rest<'a>(http: &'a Http, deadline: Deadline, base: &Endpoint, token: &Secret) -> Rest<'a> {
    Rest::new(http, deadline, base.join([]), &Token::Bearer(token.clone()))
}

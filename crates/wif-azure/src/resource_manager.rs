//! Azure Resource Manager: subscriptions, roles, and managed identities.

use serde::Deserialize;
use serde_json::Value;
use url::Url;
use uuid::Uuid;
use wif_core::{
    foreign_text::{ForeignText, one_line},
    secret::Secret,
    trust::compare::Trusted,
};
use wif_io::{clock::Deadline, endpoint::Endpoint, http::Http};

use super::rest::{ManagementError, ask, ask_once};

/// How to ask.
#[derive(Clone, Copy)]
pub struct ResourceManager<'a> {
    /// The way.
    pub http: &'a Http,
    /// By when.
    pub deadline: Deadline,
    /// Its base URL.
    pub base: &'a Endpoint,
    /// An access token for it.
    pub token: &'a Secret,
}

/// A subscription.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// `Enabled`, `Warned`, `PastDue`, `Disabled`, `Deleted`.
    pub state: String,
}

/// A subscription as the list of all has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedSubscription {
    /// Its id.
    pub subscription_id: Uuid,
    /// Its name.
    pub display_name: Option<String>,
    /// `Enabled`, `Warned`, `PastDue`, `Disabled`, `Deleted`.
    pub state: Option<String>,
    /// The tenant that it belongs to.
    pub tenant_id: Option<Uuid>,
    /// Tenants that manage it (Azure Lighthouse).
    pub managed_by_tenants: Option<Vec<ManagingTenant>>,
}

/// A tenant that manages a subscription of another.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagingTenant {
    /// Its id.
    pub tenant_id: Uuid,
}

/// Why a list of subscriptions does not have all of them.
#[derive(Debug, thiserror::Error)]
pub enum ListEnd {
    /// A page did not come.
    #[error("{}", with_cause(.0))]
    Page(#[from] ManagementError),
    /// The time was over.
    #[error("it took too long")]
    Slow,
    /// The next page is elsewhere, and the token is for this resource manager only.
    #[error("its next page is at another host")]
    OtherHost,
    /// There are more than are wanted.
    #[error("there are more than {MAX_SUBSCRIPTIONS}")]
    TooMany,
}

/// A role that an identity holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The role's name where it is a well-known one, else its id.
    pub name: String,
    /// Where it holds.
    pub scope: String,
}

#[derive(Deserialize)]
struct List<T> {
    value: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    value: Vec<Value>,
    next_link: Option<String>,
}

#[derive(Deserialize)]
struct Object<T> {
    #[serde(default)]
    id: String,
    #[serde(default)]
    name: String,
    properties: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assignment {
    role_definition_id: String,
    scope: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    client_id: Uuid,
}

#[derive(Deserialize)]
struct Credential {
    issuer: ForeignText,
    subject: Option<ForeignText>,
    #[serde(default)]
    audiences: Vec<ForeignText>,
}

/// The same in every tenant.
const ROLES: [(&str, &str); 5] = [
    ("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner"),
    ("b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor"),
    ("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader"),
    ("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", "User Access Administrator"),
    ("f58310d9-a9f6-439a-9e8d-f62e7b41a168", "Role Based Access Control Administrator"),
];
/// Longer names and scopes are cut, in characters.
const MAX_NAME: usize = 200;
/// More are not shown.
const MAX_ROLES: usize = 20;
/// More subscriptions are not listed.
pub const MAX_SUBSCRIPTIONS: usize = 1_000;
/// A page has up to 1,000 subscriptions of some hundred bytes each, and their tags.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;

impl ResourceManager<'_> {
    /// A subscription, as the token's owner may see it.
    ///
    /// # Errors
    ///
    /// The token's owner may not read it, or it does not exist.
    pub async fn subscription(&self, id: Uuid) -> Result<Subscription, ManagementError> {
        self.get(&format!("subscriptions/{id}"), &[("api-version", "2022-12-01")]).await
    }

    /// The subscriptions that the token's owner sees, and why they are not all. Each page is asked for once.
    pub async fn subscriptions(&self) -> (Vec<ListedSubscription>, Option<ListEnd>) {
        let mut all = Vec::new();
        let mut url = self.base.join(["subscriptions"]);
        url.query_pairs_mut().append_pair("api-version", "2022-12-01");
        loop {
            let limit = self.deadline.remaining(self.http.clock());
            let page: Page = match ask_once(self.http, limit, url, self.token, MAX_PAGE_BYTES).await {
                Ok(page) => page,
                Err(_slow) if self.deadline.remaining(self.http.clock()).is_zero() => {
                    return (all, Some(ListEnd::Slow));
                }
                Err(error) => return (all, Some(error.into())),
            };
            // One that cannot be read is no reason to do without the others.
            all.extend(page.value.into_iter().filter_map(|one| serde_json::from_value(one).ok()));
            let next = page.next_link.filter(|link| !link.is_empty());
            if all.len() > MAX_SUBSCRIPTIONS || (all.len() == MAX_SUBSCRIPTIONS && next.is_some()) {
                all.truncate(MAX_SUBSCRIPTIONS);
                return (all, Some(ListEnd::TooMany));
            }
            let Some(next) = next else { return (all, None) };
            match Url::parse(&next).ok().filter(|next| self.base.admits(next)) {
                Some(next) => url = next,
                None => return (all, Some(ListEnd::OtherHost)),
            }
        }
    }

    /// The roles that an identity holds itself, at a subscription, above it and below it.
    ///
    /// # Errors
    ///
    /// The token's owner may not read role assignments.
    pub async fn roles(&self, subscription: Uuid, object: Uuid) -> Result<Vec<Role>, ManagementError> {
        let path = format!("subscriptions/{subscription}/providers/Microsoft.Authorization/roleAssignments");
        let filter = format!("principalId eq '{object}'");
        let query = [("api-version", "2022-04-01"), ("$filter", filter.as_str())];
        let List { value } = self.get::<List<Object<Assignment>>>(&path, &query).await?;
        Ok(value.into_iter().take(MAX_ROLES).map(|one| role(&one.properties)).collect())
    }

    /// The federated credentials of a managed identity of a subscription; none, if it has no such identity.
    ///
    /// # Errors
    ///
    /// The token's owner may not read managed identities.
    pub async fn federated_credentials(
        &self,
        subscription: Uuid,
        client: Uuid,
    ) -> Result<Option<Vec<Trusted>>, ManagementError> {
        let version = [("api-version", "2024-11-30")];
        let path = format!(
            "subscriptions/{subscription}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
        );
        let List { value } = self.get::<List<Object<Identity>>>(&path, &version).await?;
        let Some(identity) = value.into_iter().find(|one| one.properties.client_id == client) else {
            return Ok(None);
        };
        let path = format!("{}/federatedIdentityCredentials", identity.id.trim_matches('/'));
        let List { value } = self.get::<List<Object<Credential>>>(&path, &version).await?;
        let trusted = value.into_iter().map(|Object { name, properties, .. }| Trusted {
            by: format!(
                "the federated credential '{}' of the managed identity '{}'",
                one_line(&name, MAX_NAME),
                one_line(&identity.name, MAX_NAME)
            ),
            issuer: properties.issuer,
            subject: properties.subject,
            audiences: properties.audiences,
        });
        Ok(Some(trusted.collect()))
    }

    async fn get<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, ManagementError> {
        let mut url = self.base.join(path.split('/'));
        url.query_pairs_mut().extend_pairs(query);
        ask(self.http, self.deadline, url, self.token).await
    }
}

fn role(assignment: &Assignment) -> Role {
    let id = assignment.role_definition_id.rsplit('/').next().unwrap_or_default();
    let known = ROLES.iter().find(|(known, _)| known.eq_ignore_ascii_case(id)).map(|(_, name)| *name);
    Role { name: one_line(known.unwrap_or(id), MAX_NAME), scope: one_line(&assignment.scope, MAX_NAME) }
}

/// An error, and what caused it.
fn with_cause(error: &ManagementError) -> String {
    match error {
        ManagementError::Http(cause) => format!("{error}: {cause}"),
        other => other.to_string(),
    }
}

//! Azure Resource Manager: subscriptions, roles, and managed identities.

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;
use wif_core::{azure::role, foreign_text::one_line, secret::Secret, trust::compare::Trusted};
use wif_io::{clock::Deadline, endpoint::Endpoint, http::Http};

use super::{
    management::{FederatedCredential, ManagementError},
    rest::{self, PageLimits, Rest, Token},
};

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
pub type ListEnd = rest::ListEnd<ManagementError>;

/// A role that an identity holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The role's name where it is a well-known one, else its id.
    pub name: String,
    /// Where it holds.
    pub scope: String,
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

/// Longer names and scopes are cut, in characters.
const MAX_NAME: usize = 200;
/// More are not shown.
const MAX_ROLES: usize = 20;
/// More managed identities of a subscription are not looked through.
const MAX_IDENTITIES: usize = 100_000;
/// More subscriptions are not listed.
pub const MAX_SUBSCRIPTIONS: usize = 1_000;
/// A page may be empty, but not many are.
const MAX_PAGES: usize = 1_000;
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
        let rest = self.rest();
        let query = rest.get(["subscriptions"]).query(&[("api-version", "2022-12-01")]);
        let limits = PageLimits { items: MAX_SUBSCRIPTIONS, pages: MAX_PAGES };
        let (all, end) = query.once().max_answer_bytes(MAX_PAGE_BYTES).pages(limits).await;
        // One that cannot be read is no reason to do without the others.
        (all.into_iter().filter_map(|one| serde_json::from_value(one).ok()).collect(), end)
    }

    /// The kubeconfig of an AKS cluster for its users, which holds no secret where the cluster is integrated with Entra. The
    /// permission for it is in the role "Azure Kubernetes Service Cluster User Role".
    ///
    /// # Errors
    ///
    /// There is no such cluster, or the token's owner may not use it.
    pub async fn cluster_user_credential(&self, cluster: &str) -> Result<Value, ManagementError> {
        let path = format!("{}/listClusterUserCredential", cluster.trim_matches('/'));
        let query = [("api-version", "2024-09-01"), ("format", "exec")];
        self.rest().post_query(path.split('/')).query(&query).json().await
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
        let all = self.all(&path, &query, MAX_ROLES).await?;
        Ok(all.into_iter().filter_map(read::<Assignment>).map(|one| role(&one.properties)).collect())
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
        let mut all =
            self.all(&path, &version, MAX_IDENTITIES).await?.into_iter().filter_map(read::<Identity>);
        let Some(identity) = all.find(|one| one.properties.client_id == client) else {
            return Ok(None);
        };
        let path = format!("{}/federatedIdentityCredentials", identity.id.trim_matches('/'));
        let all = self.all(&path, &version, MAX_IDENTITIES).await?;
        let holder = format!("the managed identity '{}'", one_line(&identity.name, MAX_NAME));
        let trusted = all
            .into_iter()
            .filter_map(read::<FederatedCredential>)
            .map(|Object { name, properties, .. }| properties.trusted(&one_line(&name, MAX_NAME), &holder));
        Ok(Some(trusted.collect()))
    }

    /// A list to its end, or as far as `most`. A list that breaks off is none: what is looked for may be in the rest.
    async fn all(
        &self,
        path: &str,
        query: &[(&str, &str)],
        most: usize,
    ) -> Result<Vec<Value>, ManagementError> {
        let rest = self.rest();
        let query = rest.get(path.split('/')).query(query).max_answer_bytes(MAX_PAGE_BYTES);
        let (all, end) = query.pages(PageLimits { items: most, pages: MAX_PAGES }).await;
        match end {
            None | Some(ListEnd::TooMany) => Ok(all),
            Some(ListEnd::Page(error)) => Err(error),
            Some(ListEnd::Slow) => Err(ManagementError::Busy { status: 200, retry_after: None }),
            Some(ListEnd::Lost(_) | ListEnd::TooManyPages) => Err(ManagementError::Unusable { status: 200 }),
        }
    }

    async fn get<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, ManagementError> {
        self.rest().get(path.split('/')).query(query).json().await
    }

    fn rest(&self) -> Rest<'_> {
        Rest::new(self.http, self.deadline, self.base.join([]), &Token::Bearer(self.token.clone()))
    }
}

/// One of a list. One that cannot be read is no reason to do without the others.
fn read<T: serde::de::DeserializeOwned>(value: Value) -> Option<Object<T>> {
    serde_json::from_value(value).ok()
}

fn role(assignment: &Assignment) -> Role {
    let id = assignment.role_definition_id.rsplit('/').next().unwrap_or_default();
    let name = role::name_of(id).unwrap_or(id);
    Role { name: one_line(name, MAX_NAME), scope: one_line(&assignment.scope, MAX_NAME) }
}

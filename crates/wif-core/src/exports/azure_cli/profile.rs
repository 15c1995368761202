//! What `az` is to know of a session.

use uuid::Uuid;

use crate::azure::cloud::Cloud;

/// What `az` is to know.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The application or user-assigned identity; none for the machine's system-assigned identity.
    pub client: Option<Uuid>,
    /// The tenant.
    pub tenant: Uuid,
    /// What commands act on.
    pub scope: Scope,
    /// The subscriptions that the identity sees, where they are known.
    pub subscriptions: Vec<Subscription>,
    /// The user's own settings.
    pub own: OwnSettings,
    /// The cloud, where it is a known one.
    pub cloud: Option<Cloud>,
    /// Entra's base URL.
    pub authority: String,
    /// The resource manager's base URL.
    pub resource_manager: String,
    /// The resource that the resource manager's tokens are for.
    pub audience: String,
    /// Whether the URLs are others than those of the cloud.
    pub custom: bool,
    /// The version of the installed `az`, where it is known. No setting keeps `az` from looking for a newer version when
    /// it is first run with this folder, but that it did so already.
    pub az_version: Option<String>,
}

/// A subscription that an identity sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: Uuid,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// `Enabled`, `Warned`, `PastDue`, `Disabled`, `Deleted`.
    pub state: String,
    /// The tenant that it belongs to.
    pub home_tenant: Uuid,
    /// Tenants that manage it (Azure Lighthouse).
    pub managed_by: Vec<Uuid>,
}

/// The text of the user's own files, as they are.
#[derive(Clone, Debug, Default)]
pub struct OwnSettings {
    /// `config`
    pub config: Option<String>,
    /// `clouds.config`
    pub clouds: Option<String>,
}

/// What commands act on.
#[derive(Clone, Debug)]
pub enum Scope {
    /// A subscription.
    Subscription {
        /// Its id.
        id: Uuid,
        /// Its name, where it is known.
        name: Option<String>,
    },
    /// A management group, or nothing: the tenant.
    Tenant,
}

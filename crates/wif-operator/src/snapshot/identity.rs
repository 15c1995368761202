//! What Entra and Azure Resource Manager tell of the identities and scopes that connections name.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::existence::Existence;
use crate::moment::Moment;

/// An application or a managed identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// The application (client) id.
    pub client: Uuid,
    /// The tenant in which it was looked for.
    pub tenant: Option<Uuid>,
    /// Which of the two.
    pub kind: IdentityKind,
    /// Whether it exists: `Gone` if Graph has neither an application nor a service principal for it, or only a deleted one.
    pub existence: Existence,
    /// Whether the application lies among the deleted ones, from where it can be restored.
    pub is_deleted: bool,
    /// The display name.
    pub name: Option<String>,
    /// `uniqueName` of the application, which its maker gave it. Snapshots of earlier versions do not have it.
    #[serde(default)]
    pub unique_name: Option<String>,
    /// The object id of the application; a managed identity has none.
    pub application_object: Option<Uuid>,
    /// The object id of the service principal.
    pub principal_object: Option<Uuid>,
    /// The path of a managed identity in Azure Resource Manager.
    pub resource: Option<String>,
    /// `signInAudience` of the application: `AzureADMyOrg`, `AzureADMultipleOrgs`, …
    pub sign_in_audience: Option<String>,
    /// `accountEnabled` of the service principal.
    pub is_enabled: Option<bool>,
    /// `passwordCredentials` of the application.
    pub secrets: Option<Vec<StoredCredential>>,
    /// `keyCredentials` of the application.
    pub certificates: Option<Vec<StoredCredential>>,
    /// The owners of the application.
    pub owners: Option<Vec<Owner>>,
    /// The federated credentials.
    pub federated_credentials: Option<Vec<FederatedCredential>>,
    /// The role assignments of the service principal itself, at every scope that the token may read.
    pub roles: Option<Vec<RoleAssignment>>,
    /// Whether it may have roles beside these: what was read of roles has a gap.
    pub may_have_more_roles: bool,
}

/// The kinds of identities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IdentityKind {
    /// An application of Entra.
    Application,
    /// A user-assigned managed identity.
    ManagedIdentity,
    /// Not known.
    #[default]
    Unknown,
}

/// A secret or certificate of an application; never its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoredCredential {
    /// `endDateTime`
    pub ends: Option<Moment>,
    /// `startDateTime`
    pub starts: Option<Moment>,
    /// `keyId`
    pub id: Option<Uuid>,
    /// `displayName`
    pub name: Option<String>,
}

/// An owner of an application.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Owner {
    /// The object id.
    pub id: Uuid,
    /// The display name.
    pub name: Option<String>,
    /// `userPrincipalName`
    pub user_principal_name: Option<String>,
    /// `userType` is `Guest`. None, if it was not told.
    pub is_guest: Option<bool>,
    /// `accountEnabled`. None, if it was not told.
    pub is_enabled: Option<bool>,
    /// Whether it is a service principal, not a user.
    pub is_service: bool,
}

/// A federated credential.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FederatedCredential {
    /// Its name.
    pub name: String,
    /// Its id in Graph. None for one of Azure Resource Manager.
    pub id: Option<String>,
    /// The issuer, exactly as it is written. None, if it cannot be read.
    pub issuer: Option<String>,
    /// The subject, exactly as it is written. A flexible one has none.
    pub subject: Option<String>,
    /// The audiences.
    pub audiences: Vec<String>,
    /// Whether it has a `claimsMatchingExpression` in place of a subject.
    pub is_flexible: bool,
}

/// A role assignment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoleAssignment {
    /// The scope, as a path of Azure Resource Manager; `/` is the root.
    pub scope: String,
    /// The role's name. None, if only its id is known.
    pub role: Option<String>,
    /// The id of the role definition: the GUID at its end.
    pub role_id: Option<Uuid>,
    /// The path of the assignment.
    pub id: Option<String>,
    /// The condition that restricts it.
    pub condition: Option<String>,
    /// `description`
    pub description: Option<String>,
    /// `createdOn`
    pub created: Option<Moment>,
}

/// A subscription or management group that a connection names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subscription {
    /// `/subscriptions/ID` or `/providers/Microsoft.Management/managementGroups/ID`, in lower case.
    pub scope: String,
    /// Whether it exists. Only a 404 that says so is `Gone`; a 403 is `Unknown`.
    pub existence: Existence,
    /// The display name.
    pub name: Option<String>,
    /// The tenant that it belongs to.
    pub tenant: Option<Uuid>,
    /// `Enabled`, `Disabled`, `Warned`, …
    pub state: Option<String>,
}

/// A tenant that a connection names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tenant {
    /// Its id.
    pub id: Uuid,
    /// Whether Entra knows it.
    pub existence: Existence,
}

impl Identity {
    /// An identity of which nothing but its client id is known.
    #[must_use]
    pub const fn new(client: Uuid, tenant: Option<Uuid>) -> Self {
        Self {
            client,
            tenant,
            kind: IdentityKind::Unknown,
            existence: Existence::Unknown,
            is_deleted: false,
            name: None,
            unique_name: None,
            application_object: None,
            principal_object: None,
            resource: None,
            sign_in_audience: None,
            is_enabled: None,
            secrets: None,
            certificates: None,
            owners: None,
            federated_credentials: None,
            roles: None,
            may_have_more_roles: false,
        }
    }

    /// Gives back the room that its lists do not need: a list of one has room for four.
    pub(crate) fn shrink(&mut self) {
        self.secrets.iter_mut().for_each(Vec::shrink_to_fit);
        self.certificates.iter_mut().for_each(Vec::shrink_to_fit);
        self.owners.iter_mut().for_each(Vec::shrink_to_fit);
        self.federated_credentials.iter_mut().for_each(Vec::shrink_to_fit);
        self.roles.iter_mut().for_each(Vec::shrink_to_fit);
    }

    /// Brings its lists into one order.
    pub(super) fn sort(&mut self) {
        self.secrets.iter_mut().for_each(|secrets| secrets.sort());
        self.certificates.iter_mut().for_each(|certificates| certificates.sort());
        self.owners.iter_mut().for_each(|owners| owners.sort());
        self.federated_credentials.iter_mut().for_each(|credentials| credentials.sort());
        self.roles.iter_mut().for_each(|roles| roles.sort());
    }
}

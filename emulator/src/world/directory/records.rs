//! What administrators see of projects, connections, identities and subscriptions, beyond what a sign-in needs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// How often something is still seen as it was. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Lag(Arc<AtomicUsize>);

impl Lag {
    /// So many times.
    #[must_use]
    pub fn new(times: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(times)))
    }

    /// Whether it is still so; counts.
    pub(crate) fn take(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

/// The trust entry on an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FederatedCredential {
    /// Its name.
    pub name: String,
    /// The only issuer it accepts.
    pub issuer: String,
    /// The only subject it accepts, case included.
    pub subject: String,
    /// The audience it accepts.
    pub audience: String,
}

/// A federated credential that is new, and not everywhere yet.
#[derive(Clone, Debug)]
pub struct FreshCredential {
    /// Its name.
    pub name: String,
    /// Where it is read, it is still missing.
    pub reads: Lag,
    /// Entra does not trust by it yet.
    pub exchanges: Lag,
}

/// What a caller may see of a project or of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sight {
    /// Everything.
    #[default]
    Whole,
    /// Only that it exists: of a connection its id and name; of a project its name, and its connections are refused (403).
    Partial,
    /// Nothing: a connection is left out of lists; a project is in the list of projects, and its connections are not
    /// found (404), as when it was deleted meanwhile.
    Nothing,
}

/// What is known of a project.
#[derive(Clone, Debug, Default)]
pub struct ProjectRecord {
    /// Anyone on the internet may read it.
    pub public: bool,
    /// What callers may see of it.
    pub sight: Sight,
    /// Ids of its pipelines.
    pub pipelines: Vec<u32>,
}

/// A person, or a service that acts like one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The id of the identity in Azure DevOps, and of the object in Entra.
    pub id: Uuid,
    /// The name that is shown.
    pub name: String,
    /// The name for signing in. That of a guest has `#EXT#` in it.
    pub unique_name: String,
    /// Disabled in Entra.
    pub disabled: bool,
    /// No longer in the organization of Azure DevOps.
    pub gone: bool,
}

/// A project that a connection is shared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedWith {
    /// The project.
    pub project: Uuid,
    /// The name of the connection there.
    pub name: String,
}

/// A use of a connection.
#[derive(Clone, Debug)]
pub struct Execution {
    /// The pipeline.
    pub pipeline: u32,
    /// When it began.
    pub started: OffsetDateTime,
    /// When it ended; still running, if absent.
    pub finished: Option<OffsetDateTime>,
    /// `succeeded`, `failed`, `canceled`, …
    pub result: String,
}

/// A role on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityRole {
    /// `Reader`, `User`, `Creator`, `Administrator`.
    pub role: String,
    /// The name of the group or person: `[Platform]\Contributors`.
    pub identity: String,
    /// Whether it comes from the project.
    pub inherited: bool,
}

/// What is known of a connection.
#[derive(Clone, Debug)]
pub struct ConnectionRecord {
    /// `azurerm`, or another type of connection.
    pub kind: String,
    /// What it is for.
    pub description: String,
    /// When it was made; not told, if absent.
    pub created: Option<OffsetDateTime>,
    /// When it was last changed; not told, if absent.
    pub modified: Option<OffsetDateTime>,
    /// Who made it; not told, if absent.
    pub created_by: Option<Person>,
    /// Other projects that may use it.
    pub shared_with: Vec<SharedWith>,
    /// Its creation failed, or is under way: the `state` of its `operationStatus`.
    pub unready: Option<String>,
    /// What callers may see of it.
    pub sight: Sight,
    /// Its uses, newest first.
    pub history: Vec<Execution>,
    /// Every pipeline of the project may use it.
    pub open_to_all: bool,
    /// Pipelines that may use it.
    pub pipelines: Vec<u32>,
    /// Pipelines that may use it in the projects that it is shared with: the project, and the pipeline.
    pub pipelines_elsewhere: Vec<(Uuid, u32)>,
    /// Its approvals and checks, as the REST resource has them.
    pub checks: Vec<Value>,
    /// Who holds which role on it.
    pub roles: Vec<SecurityRole>,
    /// What it was before it was converted, for the way back.
    pub parameters_before: Option<BTreeMap<String, String>>,
    /// Callers may see it, and not change it.
    pub read_only: bool,
    /// It is new, and still being made.
    pub pending: Lag,
}

impl Default for ConnectionRecord {
    fn default() -> Self {
        Self {
            kind: "azurerm".to_owned(),
            description: String::new(),
            created: None,
            modified: None,
            created_by: None,
            shared_with: vec![],
            unready: None,
            sight: Sight::Whole,
            history: vec![],
            open_to_all: false,
            pipelines: vec![],
            pipelines_elsewhere: vec![],
            checks: vec![],
            roles: vec![],
            parameters_before: None,
            read_only: false,
            pending: Lag::default(),
        }
    }
}

/// What is known of an identity.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own")]
pub struct AppRecord {
    /// Its name; made of its id, if empty.
    pub name: String,
    /// The name that its maker gave it, by which it is made once only.
    pub unique_name: Option<String>,
    /// The resource group of a managed identity; `rg-app`, if absent.
    pub resource_group: Option<String>,
    /// Tags of an application.
    pub tags: Vec<String>,
    /// It is new, and not everywhere yet.
    pub unknown: Lag,
    /// Its service principal is new, and the resource manager does not know it yet.
    pub principal_unknown: Lag,
    /// The application has no service principal.
    pub without_principal: bool,
    /// Azure Resource Manager lets it do everything in its subscriptions but assign roles, as a Contributor.
    pub assigns_no_roles: bool,
    /// Who owns the application.
    pub owners: Vec<Person>,
    /// Groups and directory roles that its service principal is in, as the REST resource has them.
    pub memberships: Vec<Value>,
    /// Permissions that were granted to its service principal, as the REST resource has them.
    pub granted: Vec<Value>,
    /// The application was deleted, and can be restored for 30 days.
    pub deleted: bool,
    /// Nothing in the tenant is called so any more; connections still name it.
    pub purged: bool,
    /// Federated credentials as the REST resource has them, beside the plain ones: for instance flexible ones.
    pub more_credentials: Vec<Value>,
    /// Certificates that it is registered with, by their ends.
    pub certificate_ends: Vec<OffsetDateTime>,
    /// The tenant that the application is registered in, where that is told.
    pub home_tenant: Option<Uuid>,
    /// The subscription that a managed identity lies in; each of its tenant's, if absent.
    pub subscription: Option<Uuid>,
    /// Federated credentials that are new, and not everywhere yet.
    pub fresh: Vec<FreshCredential>,
    /// Federated credentials that were deleted, and are still read.
    pub lingering: Vec<(Lag, FederatedCredential)>,
}

/// A role assignment of the resource manager.
#[derive(Clone, Debug)]
pub struct RoleAssignment {
    /// Its name.
    pub id: Uuid,
    /// The object id of the service principal, group or user.
    pub principal: Uuid,
    /// `ServicePrincipal`, `Group`, `User`.
    pub principal_type: String,
    /// The id of the role.
    pub role: Uuid,
    /// The role's name.
    pub role_name: String,
    /// Where it holds: `/subscriptions/…`, `/providers/Microsoft.Management/managementGroups/…`.
    pub scope: String,
    /// Its condition, if it has one.
    pub condition: Option<String>,
    /// The version of its condition.
    pub condition_version: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The managed identity that it was delegated with.
    pub delegated: Option<String>,
}

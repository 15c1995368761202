//! What was read of organizations: the one input of the rules. Reading fills it, `--save` keeps it, `--offline` takes it back.
//!
//! One convention holds for every field: `None` (`null`) is "not read", an empty list is "read, and there is nothing". Why
//! something was not read stands in [`Coverage`].

pub mod connection;
mod existence;
pub mod identity;
pub mod lines;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wif_core::azure::cloud::Cloud;

pub use self::existence::Existence;

use self::{
    connection::Connection,
    identity::{Identity, Subscription, Tenant},
};
use crate::moment::Moment;

/// Everything that one run has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// When reading began.
    pub taken: Moment,
    /// How deep was read.
    pub depth: Layer,
    /// Where Graph, Azure Resource Manager and Entra were asked.
    pub cloud: Cloud,
    /// The projects that were asked for, by name. Empty: all that can be seen.
    pub projects: Vec<String>,
    /// Whether names and mail addresses of people were removed.
    pub redacted: bool,
    /// The organizations that were asked for, by name.
    pub organizations: Vec<Organization>,
}

/// How deep a run reads; each layer holds those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// Projects, and the connections of each: what the lists of Azure DevOps say.
    List,
    /// Identities, their credentials, owners and roles, subscriptions, and the checks of connections.
    Identity,
    /// Last use, permissions of pipelines, and members of roles: calls for each connection.
    Use,
}

impl Layer {
    /// Its name, as `--layer` and the formats have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Identity => "identity",
            Self::Use => "use",
        }
    }
}

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its name, as in `https://dev.azure.com/NAME`.
    pub name: String,
    /// Its id. None, if the organization could not be read at all.
    pub id: Option<Uuid>,
    /// The Entra tenant that it is connected to, where that is known.
    pub tenant: Option<Uuid>,
    /// The projects that can be seen.
    pub projects: Vec<Project>,
    /// The connections of these projects, each once.
    pub connections: Vec<Connection>,
    /// The applications and managed identities that a connection names, or whose federated credentials name this organization.
    pub identities: Vec<Identity>,
    /// The subscriptions and management groups that a connection names.
    pub subscriptions: Vec<Subscription>,
    /// The tenants that a connection names.
    pub tenants: Vec<Tenant>,
    /// How much of it was read, and why not the rest.
    pub coverage: Vec<Coverage>,
}

/// A project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Project {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Whether everyone on the internet may see it.
    pub is_public: bool,
}

/// What became of reading one layer of an organization, of a project, or of a connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Coverage {
    /// The project's name. None, if it is about the whole organization.
    pub project: Option<String>,
    /// The layer.
    pub layer: Layer,
    /// The connection that it is about. None, if it is about all.
    pub connection: Option<Uuid>,
    /// What became of it.
    pub state: State,
    /// Why it was not read, in a sentence that names the service, the answer, and what would help. Empty, if it was read.
    pub why: String,
}

/// What became of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// All of it was read.
    Read,
    /// Some of it was not.
    Partial,
    /// The token may not read it, or there was no token.
    Denied,
    /// The service did not answer, or not usably.
    Failed,
}

/// Why nothing at all was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unread {
    /// No service gave a usable answer.
    Failed,
    /// A service refused, or there was no token for it.
    Denied,
}

impl Organization {
    /// Whether nothing at all was read of it: no layer, and no connection. A layer that is partly read can be one of which only a
    /// remark is known.
    #[must_use]
    pub fn unread(&self) -> Option<Unread> {
        let is_in = |state| self.coverage.iter().any(|entry| entry.state == state);
        if !self.connections.is_empty() || is_in(State::Read) {
            return None;
        }
        Some(if is_in(State::Denied) { Unread::Denied } else { Unread::Failed })
    }

    /// An organization of which nothing was read yet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            id: None,
            tenant: None,
            projects: Vec::new(),
            connections: Vec::new(),
            identities: Vec::new(),
            subscriptions: Vec::new(),
            tenants: Vec::new(),
            coverage: Vec::new(),
        }
    }
}

impl Snapshot {
    /// Whether nothing at all was read of any organization.
    #[must_use]
    pub fn unread(&self) -> Option<Unread> {
        let all: Option<Vec<_>> = self.organizations.iter().map(Organization::unread).collect();
        all.map(|all| all.into_iter().max().unwrap_or(Unread::Failed))
    }

    /// Brings everything into the one order in which it is saved and judged, whatever the order of answers was.
    pub fn sort(&mut self) {
        self.organizations.sort_by(|one, other| one.name.cmp(&other.name));
        for organization in &mut self.organizations {
            organization.projects.sort_by_key(|project| project.id);
            organization.connections.sort_by_key(|connection| connection.id);
            organization.connections.iter_mut().for_each(Connection::sort);
            organization.identities.sort_by_key(|identity| (identity.client, identity.tenant));
            organization.identities.iter_mut().for_each(Identity::sort);
            organization.subscriptions.sort_by(|one, other| one.scope.cmp(&other.scope));
            organization.tenants.sort_by_key(|tenant| tenant.id);
            organization.coverage.sort();
            organization.coverage.dedup();
        }
    }
}

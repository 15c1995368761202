//! What is registered in the services, and how long tokens live.
//!
//! Plain data with public fields: a test may change it at any time, and the next request sees the change.

pub mod clouds;
pub(crate) mod deployment;
pub(crate) mod devops;
pub(crate) mod entra;
pub(crate) mod machine;
pub(crate) mod quirks;
pub(crate) mod records;
pub(crate) mod resources;
pub(crate) mod sources;

use uuid::Uuid;

use crate::world::identity::EXCHANGE_AUDIENCE;

pub use self::deployment::Deployment;
pub use self::devops::{Connection, Issuer, Job, Organization, Place, Project, Scope};
pub use self::entra::{App, Certificate, ClientSecret, FederatedCredential, Kind, Subscription, Tenant};
pub use self::machine::{Arc, Machine};
pub use self::quirks::{BadToken, IssuerMove, Quirks, UnknownConnection, UnknownProject};
pub use self::records::{
    AppRecord, ConnectionRecord, Execution, FreshCredential, Lag, Person, ProjectRecord, RoleAssignment,
    SecurityRole, SharedWith, Sight,
};
pub use self::resources::Resource;
pub use self::sources::{SourceIssuer, Sources};

/// Everything that is registered.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// Azure DevOps organizations.
    pub organizations: Vec<Organization>,
    /// Entra tenants.
    pub tenants: Vec<Tenant>,
    /// Azure subscriptions.
    pub subscriptions: Vec<Subscription>,
    /// Role assignments, beside those that `Subscription::roles` makes.
    pub role_assignments: Vec<RoleAssignment>,
    /// Roles that principals can take, and do not have yet.
    pub eligible_roles: Vec<RoleAssignment>,
    /// Access policies of key vaults: the path of the vault, and the object id that it names.
    pub vault_policies: Vec<(String, Uuid)>,
    /// Ids of the management groups; every id is one, if absent.
    pub management_groups: Option<Vec<String>>,
    /// Jobs that were started, newest last.
    pub jobs: Vec<Job>,
    /// The machine that the agent runs on.
    pub machine: Machine,
    /// Jobs, pods and machines outside of Azure Pipelines.
    pub sources: Sources,
    /// AKS clusters, in every subscription and resource group.
    pub clusters: Vec<clouds::Cluster>,
    /// AWS, Google Cloud and Vault.
    pub clouds: clouds::Clouds,
    /// Personal access tokens of people who may see every connection.
    pub personal_tokens: Vec<String>,
    /// People and groups that Azure DevOps knows by their names: `[Platform]\\Leads`.
    pub known_identities: Vec<Person>,
    /// How many subscriptions a page of the resource manager's list has; `None` puts all on one page.
    pub subscriptions_per_page: Option<usize>,
    /// Deployments of templates, oldest first.
    pub deployments: Vec<Deployment>,
    /// How many seconds a deployment takes that is requested from now on.
    pub deployment_seconds: i64,
    /// Resources of types that have no service of their own here; with none, their paths are not found.
    pub resources: Vec<Resource>,
    /// How the services behave where that is not certain.
    pub quirks: Quirks,
    /// How long tokens live.
    pub lifetimes: Lifetimes,
    /// Answers a repeated request with the id token of the first, as the real server was seen to do.
    pub same_id_token_again: bool,
    /// Jobs are told public host names (`dev.azure.com`, …) instead of this emulator's addresses, for tests that
    /// lead those names here by a proxy.
    pub public_names: bool,
}

/// Lifetimes in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// Id tokens of the Azure DevOps issuer.
    pub devops_id_token: i64,
    /// Id tokens of the Entra issuer.
    pub entra_id_token: i64,
    /// Access tokens of applications.
    pub access_token: i64,
    /// Access tokens of managed identities.
    pub managed_identity_access_token: i64,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            devops_id_token: 300,
            entra_id_token: 86_700,
            access_token: 3600,
            managed_identity_access_token: 86_400,
        }
    }
}

impl Directory {
    /// A connection and where it lives.
    #[must_use]
    pub fn find(&self, connection: Uuid) -> Option<Place<'_>> {
        self.organizations.iter().find_map(|organization| {
            organization.projects.iter().find_map(|project| {
                let connection = project.connections.iter().find(|one| one.id == connection)?;
                Some(Place { organization, project, connection })
            })
        })
    }

    /// Every connection.
    pub fn connections(&self) -> impl Iterator<Item = &Connection> {
        let projects = self.organizations.iter().flat_map(|organization| &organization.projects);
        projects.flat_map(|project| &project.connections)
    }

    /// A connection, to change it. Panics if it does not exist.
    pub fn connection(&mut self, id: Uuid) -> &mut Connection {
        self.projects()
            .flat_map(|project| &mut project.connections)
            .find(|connection| connection.id == id)
            .expect("no such connection")
    }

    /// The projects of an organization. Panics if it does not exist.
    #[must_use]
    pub fn projects_of(&self, organization: &str) -> &[Project] {
        let known = self.organizations.iter().find(|one| one.name == organization);
        &known.expect("no such organization").projects
    }

    /// A project, to change it. Panics if it does not exist.
    pub fn project(&mut self, id: Uuid) -> &mut Project {
        self.projects().find(|project| project.id == id).expect("no such project")
    }

    /// A tenant, to change it. Panics if it does not exist.
    pub fn tenant(&mut self, id: Uuid) -> &mut Tenant {
        self.tenants.iter_mut().find(|tenant| tenant.id == id).expect("no such tenant")
    }

    /// An identity, to change it. Panics if no tenant knows it.
    pub fn app(&mut self, client: Uuid) -> &mut App {
        self.tenants
            .iter_mut()
            .flat_map(|tenant| &mut tenant.apps)
            .find(|app| app.client_id == client)
            .expect("no such app")
    }

    /// A subscription, to change it. Panics if it does not exist.
    pub fn subscription(&mut self, id: Uuid) -> &mut Subscription {
        self.subscriptions
            .iter_mut()
            .find(|subscription| subscription.id == id)
            .expect("no such subscription")
    }

    /// The job that a token belongs to, also when the token is no longer valid.
    #[must_use]
    pub fn job_of(&self, token: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.token == token)
    }

    /// Adds a connection to a project, and returns its id. Trust is a separate step: [`Directory::trust`].
    pub fn add_connection(&mut self, project: Uuid, connection: Connection) -> Uuid {
        let id = connection.id;
        self.project(project).connections.push(connection);
        id
    }

    /// Registers the federated credential for a connection's present issuer and subject.
    pub fn trust(&mut self, connection: Uuid) {
        let place = self.find(connection).expect("no such connection");
        let credential = FederatedCredential {
            name: format!("for-{}", place.connection.name),
            issuer: place.issuer(),
            subject: place.subject(),
            audience: EXCHANGE_AUDIENCE.to_owned(),
        };
        let client = place.connection.client;
        self.app(client).federated_credentials.push(credential);
    }

    /// Registers the federated credential for an issuer's present subject on an identity.
    pub fn trust_source(&mut self, client: Uuid, source: SourceIssuer) {
        let credential = FederatedCredential {
            name: format!("for-{source:?}"),
            issuer: source.issuer().to_owned(),
            subject: self.sources.subject(source),
            audience: EXCHANGE_AUDIENCE.to_owned(),
        };
        self.app(client).federated_credentials.push(credential);
    }

    fn projects(&mut self) -> impl Iterator<Item = &mut Project> {
        self.organizations.iter_mut().flat_map(|organization| &mut organization.projects)
    }
}

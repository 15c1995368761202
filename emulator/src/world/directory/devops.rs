//! Organizations, projects, service connections and jobs.

use std::collections::BTreeMap;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::world::directory::records::{ConnectionRecord, Lag, ProjectRecord};
use crate::world::identity;

/// An Azure DevOps organization.
#[derive(Clone, Debug)]
pub struct Organization {
    /// The id, part of issuers and of Entra subjects.
    pub id: Uuid,
    /// The name, part of URLs and of Azure DevOps subjects.
    pub name: String,
    /// The projects.
    pub projects: Vec<Project>,
}

/// An Azure DevOps project.
#[derive(Clone, Debug)]
pub struct Project {
    /// The id, part of request paths.
    pub id: Uuid,
    /// The name, part of Azure DevOps subjects.
    pub name: String,
    /// The service connections that it owns.
    pub connections: Vec<Connection>,
    /// What administrators see of it.
    pub record: ProjectRecord,
}

/// The issuer of a connection's id tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// `https://vstoken.dev.azure.com/{organization}`, subjects made of names.
    DevOps,
    /// `https://login.microsoftonline.com/{tenant}/v2.0`, subjects made of ids.
    Entra,
}

/// What a connection is meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One subscription.
    Subscription(Uuid),
    /// A management group, with its id and name; there is no subscription then.
    ManagementGroup(String, String),
}

/// An Azure service connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The id.
    pub id: Uuid,
    /// The name, part of Azure DevOps subjects.
    pub name: String,
    /// `WorkloadIdentityFederation`, `ServicePrincipal`, `ManagedServiceIdentity`.
    pub scheme: String,
    /// The issuer of its id tokens.
    pub issuer: Issuer,
    /// The tenant of the identity behind it.
    pub tenant: Uuid,
    /// The client id of the identity behind it.
    pub client: Uuid,
    /// What it is meant for.
    pub scope: Scope,
    /// Disabled by an administrator, or for not being used.
    pub disabled: bool,
    /// When a job last used it; never, if absent.
    pub last_used: Option<OffsetDateTime>,
    /// `AzureCloud`, `AzureUSGovernment`, `AzureChinaCloud`, `AzureStack`.
    pub environment: String,
    /// Its URLs are those of this emulator instead of the public hosts of its environment.
    pub custom: bool,
    /// The audience in its id tokens, when it is not the usual one of its issuer.
    pub audience: Option<String>,
    /// Authorization parameters beside (or instead of) the usual ones.
    pub parameters: BTreeMap<String, String>,
    /// Data entries beside (or instead of) the usual ones.
    pub data: BTreeMap<String, String>,
    /// What administrators see of it.
    pub record: ConnectionRecord,
    /// It was changed, and is still read as it was before.
    pub stale: Option<(Lag, Box<Self>)>,
}

impl Connection {
    /// A federated connection to a subscription, with the URLs of this emulator.
    #[must_use]
    pub fn federated(name: &str, issuer: Issuer, tenant: Uuid, client: Uuid, subscription: Uuid) -> Self {
        Self {
            id: Uuid::new_v4(),
            name: name.to_owned(),
            scheme: "WorkloadIdentityFederation".to_owned(),
            issuer,
            tenant,
            client,
            scope: Scope::Subscription(subscription),
            disabled: false,
            last_used: None,
            environment: "AzureCloud".to_owned(),
            custom: true,
            audience: None,
            parameters: BTreeMap::new(),
            data: BTreeMap::new(),
            record: ConnectionRecord::default(),
            stale: None,
        }
    }

    /// The same connection, with a client secret in place of federation.
    #[must_use]
    pub fn with_secret(self, secret: &str) -> Self {
        self.with_stored("spnKey", "serviceprincipalkey", secret)
    }

    /// The same connection, with a certificate and its key (one PEM text) in place of federation.
    #[must_use]
    pub fn with_certificate(self, pem: &str) -> Self {
        self.with_stored("spnCertificate", "servicePrincipalCertificate", pem)
    }

    /// The same connection, with the managed identity of the agent's machine in place of federation.
    #[must_use]
    pub fn of_machine(self) -> Self {
        Self { scheme: "ManagedServiceIdentity".to_owned(), ..self }
    }

    fn with_stored(mut self, kind: &str, parameter: &str, value: &str) -> Self {
        "ServicePrincipal".clone_into(&mut self.scheme);
        self.parameters.insert("authenticationType".to_owned(), kind.to_owned());
        self.parameters.insert(parameter.to_owned(), value.to_owned());
        self
    }
}

/// A connection with its organization and project.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Its organization.
    pub organization: &'a Organization,
    /// Its project.
    pub project: &'a Project,
    /// The connection.
    pub connection: &'a Connection,
}

impl Place<'_> {
    /// The issuer of its id tokens, in full.
    #[must_use]
    pub fn issuer(&self) -> String {
        match self.connection.issuer {
            Issuer::DevOps => identity::devops_issuer(self.organization.id),
            Issuer::Entra => identity::entra_issuer(self.connection.tenant),
        }
    }

    /// The subject of its id tokens, by its present names.
    #[must_use]
    pub fn subject(&self) -> String {
        match self.connection.issuer {
            Issuer::DevOps => {
                identity::devops_subject(&self.organization.name, &self.project.name, &self.connection.name)
            }
            Issuer::Entra => {
                identity::entra_subject(self.connection.tenant, self.organization.id, self.connection.id)
            }
        }
    }
}

/// A running job.
#[derive(Clone)]
pub struct Job {
    /// The job id.
    pub id: Uuid,
    /// The plan id.
    pub plan: Uuid,
    /// The hub: `build`, `rm`, `checks`.
    pub hub: String,
    /// The organization's id.
    pub organization: Uuid,
    /// The project's id.
    pub project: Uuid,
    /// The pipeline's name.
    pub pipeline: String,
    /// The name of the job's stage.
    pub stage: String,
    /// Connections that the stage refers to.
    pub connections: Vec<Uuid>,
    /// The job token.
    pub token: String,
    /// When the job token stops being accepted; never, if absent.
    pub token_expires: Option<OffsetDateTime>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("id", &self.id)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

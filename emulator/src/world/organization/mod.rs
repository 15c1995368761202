//! Makes whole organizations: many projects and connections in which nothing is wrong, and faults that are planted.

mod checks;
mod maker;
mod plant;
mod planted;

use std::collections::BTreeMap;

use time::OffsetDateTime;
use uuid::Uuid;

use self::maker::Maker;
pub use self::{
    checks::{approval, branch_control},
    planted::Planted,
};
use crate::world::directory::{Directory, entra::Subscription};

/// An organization to be made.
#[derive(Clone, Debug)]
pub struct OrganizationPlan {
    /// Its name.
    pub name: String,
    /// How many projects it has, one at least.
    pub projects: usize,
    /// How many connections it has in which nothing is wrong, each with an application of its own.
    pub connections: usize,
    /// What is wrong: one connection each, beside the others.
    pub planted: Vec<Planted>,
}

/// What was made.
#[derive(Clone, Debug)]
pub struct MadeOrganization {
    /// The organization's id.
    pub id: Uuid,
    /// The client id of an identity that may read everything.
    pub auditor: Uuid,
    /// The subscription of its connections.
    pub subscription: Uuid,
    /// A personal access token that sees every connection.
    pub personal_token: String,
    /// Its projects.
    pub projects: Vec<Uuid>,
    /// The connections in which nothing is wrong.
    pub healthy: Vec<Uuid>,
    /// The connection of each fault.
    pub planted: BTreeMap<Planted, Uuid>,
}

impl OrganizationPlan {
    /// An organization with one project and nothing in it.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), projects: 1, connections: 0, planted: vec![] }
    }

    /// So many projects.
    #[must_use]
    pub fn projects(self, projects: usize) -> Self {
        Self { projects, ..self }
    }

    /// So many connections in which nothing is wrong.
    #[must_use]
    pub fn connections(self, connections: usize) -> Self {
        Self { connections, ..self }
    }

    /// These faults.
    #[must_use]
    pub fn planted(self, planted: &[Planted]) -> Self {
        Self { planted: planted.to_vec(), ..self }
    }

    /// Adds the organization to the directory; its identities go into `tenant`. The same plan and moment make the same
    /// organization.
    pub(crate) fn make(
        &self,
        directory: &mut Directory,
        tenant: Uuid,
        now: OffsetDateTime,
    ) -> MadeOrganization {
        let mut maker =
            Maker::new(&self.name, self.projects, tenant, now.replace_nanosecond(0).unwrap_or(now));
        let healthy: Vec<Uuid> = (0..self.connections).map(|number| maker.healthy(number)).collect();
        let planted = self.planted.iter().map(|what| (*what, maker.plant(*what))).collect();
        let personal_token =
            format!("personal-access-token-of-{}-{}", self.name, maker.organization.id.simple());
        directory.personal_tokens.push(personal_token.clone());
        let made = MadeOrganization {
            id: maker.organization.id,
            auditor: maker.auditor,
            subscription: maker.subscription,
            personal_token,
            projects: maker.organization.projects.iter().map(|project| project.id).collect(),
            healthy,
            planted,
        };
        directory.subscriptions.push(Subscription {
            id: maker.subscription,
            name: format!("{} workloads", self.name),
            state: "Enabled".to_owned(),
            tenant,
            roles: vec![maker.auditor],
        });
        directory.role_assignments.append(&mut maker.roles);
        directory.tenant(tenant).apps.append(&mut maker.apps);
        directory.organizations.push(maker.organization);
        made
    }
}

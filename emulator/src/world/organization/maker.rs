//! Makes the connections of an organization in which nothing is wrong.

use time::{Duration, OffsetDateTime};
use uuid::{Uuid, uuid};

use crate::world::directory::devops::{Connection, Issuer, Organization, Place, Project};
use crate::world::directory::entra::{App, FederatedCredential, Kind};
use crate::world::directory::records::{Execution, Person, ProjectRecord, RoleAssignment, SecurityRole};
use crate::world::identity::EXCHANGE_AUDIENCE;

/// An organization while it is made.
pub(super) struct Maker {
    pub(super) organization: Organization,
    pub(super) apps: Vec<App>,
    pub(super) roles: Vec<RoleAssignment>,
    tenant: Uuid,
    pub(super) subscription: Uuid,
    pub(super) auditor: Uuid,
    owner: Person,
    pub(super) now: OffsetDateTime,
    seed: u128,
    count: u128,
}

pub(super) const READER: Uuid = uuid!("acdd72a7-3385-48ef-bd42-f606fba81ae7");

impl Maker {
    /// An organization of this name, with so many empty projects, one at least.
    pub(super) fn new(name: &str, projects: usize, tenant: Uuid, now: OffsetDateTime) -> Self {
        // FNV-1a of the name: the same name makes the same ids.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut maker = Self {
            organization: Organization { id: Uuid::nil(), name: name.to_owned(), projects: vec![] },
            apps: vec![],
            roles: vec![],
            tenant,
            subscription: Uuid::nil(),
            auditor: Uuid::nil(),
            owner: Person {
                id: Uuid::nil(),
                name: "Ada Bauer".to_owned(),
                unique_name: "ada@contoso.com".to_owned(),
                disabled: false,
                gone: false,
            },
            now,
            seed: u128::from(hash) << 64,
            count: 0,
        };
        maker.organization.id = maker.id();
        maker.subscription = maker.id();
        maker.auditor = maker.id();
        maker.owner.id = maker.id();
        let auditor = App { reads_applications: true, ..maker.app(maker.auditor, Kind::Application) };
        maker.apps.push(auditor);
        for number in 0..projects.max(1) {
            let project = Project {
                id: maker.id(),
                name: format!("Project {number:04}"),
                connections: vec![],
                record: ProjectRecord { pipelines: vec![1, 2, 3], ..ProjectRecord::default() },
            };
            maker.organization.projects.push(project);
        }
        maker
    }

    pub(super) fn id(&mut self) -> Uuid {
        self.count += 1;
        // Spread, so that the order of ids is not the order of making.
        let low = u64::try_from(self.count).unwrap_or_default().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Uuid::from_u128(self.seed | u128::from(low))
    }

    fn app(&mut self, client: Uuid, kind: Kind) -> App {
        let mut app = App { object_id: self.id(), ..App::new(client, kind) };
        app.record.name = format!("app-{}", client.as_fields().0);
        app.record.owners = vec![self.owner.clone()];
        app
    }

    pub(super) fn healthy(&mut self, number: usize) -> Uuid {
        let (connection, app) = self.both(&format!("sc-app-{number:05}"));
        let project = number % self.organization.projects.len();
        self.add(project, connection, Some(app), true)
    }

    /// A connection in which nothing is wrong, and its application.
    pub(super) fn both(&mut self, name: &str) -> (Connection, App) {
        let client = self.id();
        let app = self.app(client, Kind::Application);
        let made = Connection::federated(name, Issuer::Entra, self.tenant, client, self.subscription);
        let mut connection = Connection { id: self.id(), ..made };
        connection.parameters.insert("scope".to_owned(), self.group_scope());
        let used = self.now - Duration::days(3);
        let record = &mut connection.record;
        "Deploys the app. Owner: platform-team@contoso.com".clone_into(&mut record.description);
        record.created = Some(self.now - Duration::days(200));
        record.modified = Some(self.now - Duration::days(100));
        record.created_by = Some(self.owner.clone());
        record.pipelines = vec![1];
        record.history = vec![Execution {
            pipeline: 1,
            started: used,
            finished: Some(used + Duration::minutes(4)),
            result: "succeeded".to_owned(),
        }];
        record.roles = vec![SecurityRole {
            role: "Administrator".to_owned(),
            identity: "[Project 0000]\\Endpoint Administrators".to_owned(),
            inherited: true,
        }];
        (connection, app)
    }

    pub(super) fn group_scope(&self) -> String {
        format!("/subscriptions/{}/resourceGroups/rg-app", self.subscription)
    }

    /// Adds a connection to a project, with its identity, a credential that fits if `trusted`, and a role at its scope.
    pub(super) fn add(
        &mut self,
        project: usize,
        connection: Connection,
        app: Option<App>,
        trusted: bool,
    ) -> Uuid {
        let id = connection.id;
        if let Some(mut app) = app {
            if trusted {
                app.federated_credentials.push(self.credential(project, &connection));
            }
            let scope = self.group_scope();
            self.assign(app.object_id, (READER, "Reader"), scope);
            self.apps.push(app);
        }
        self.organization.projects[project].connections.push(connection);
        id
    }

    pub(super) fn credential(&self, project: usize, connection: &Connection) -> FederatedCredential {
        let project = &self.organization.projects[project];
        let place = Place { organization: &self.organization, project, connection };
        FederatedCredential {
            name: format!("for-{}", connection.name),
            issuer: place.issuer(),
            subject: place.subject(),
            audience: EXCHANGE_AUDIENCE.to_owned(),
        }
    }

    pub(super) fn assign(&mut self, principal: Uuid, (role, name): (Uuid, &str), scope: String) {
        let id = self.id();
        self.roles.push(RoleAssignment {
            id,
            principal,
            principal_type: "ServicePrincipal".to_owned(),
            role,
            role_name: name.to_owned(),
            scope,
            condition: None,
            condition_version: None,
            description: None,
            delegated: None,
        });
    }
}

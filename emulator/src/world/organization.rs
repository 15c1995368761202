//! Makes whole organizations: many projects and connections in which nothing is wrong, and faults that are planted.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::{Uuid, uuid};

use crate::world::clock::graph_moment;
use crate::world::directory::Directory;
use crate::world::directory::devops::{Connection, Issuer, Organization, Place, Project, Scope};
use crate::world::directory::entra::{App, ClientSecret, FederatedCredential, Kind, Subscription};
use crate::world::directory::records::{
    Execution, Person, ProjectRecord, RoleAssignment, SecurityRole, SharedWith, Sight,
};
use crate::world::identity::EXCHANGE_AUDIENCE;

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

/// What can be wrong with a connection, or is worth a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Planted {
    StoredSecret,
    StoredCertificate,
    SecretEnded,
    SecretEndsSoon,
    ClassicType,
    PublishProfile,
    MachineIdentity,
    OtherTypeWithSecret,
    SecretBesideFederation,
    RevertOpen,
    OldIssuer,
    NoMatchingCredential,
    CredentialOfGoneConnection,
    ManyCredentials,
    FlexibleCredential,
    WrongSubject,
    MultiTenantApplication,
    DisabledApplication,
    DeletedApplication,
    NoOwner,
    GuestOwner,
    SharedIdentity,
    SubscriptionGone,
    SubscriptionRenamed,
    OpenToAll,
    GonePipeline,
    SharedWithProject,
    SharedWithPublicProject,
    BroadGroup,
    ProductionWithoutChecks,
    OwnerRole,
    ContributorOnSubscription,
    RoleOutsideScope,
    NoRole,
    NeverUsed,
    UnusedForLong,
    Disabled,
    CreationFailed,
    NoDescription,
    PartlyVisible,
    /// Nothing is wrong: a managed identity in place of an application.
    ManagedIdentity,
}

impl Planted {
    /// Everything that can be planted.
    pub const ALL: [Self; 41] = [
        Self::StoredSecret,
        Self::StoredCertificate,
        Self::SecretEnded,
        Self::SecretEndsSoon,
        Self::ClassicType,
        Self::PublishProfile,
        Self::MachineIdentity,
        Self::OtherTypeWithSecret,
        Self::SecretBesideFederation,
        Self::RevertOpen,
        Self::OldIssuer,
        Self::NoMatchingCredential,
        Self::CredentialOfGoneConnection,
        Self::ManyCredentials,
        Self::FlexibleCredential,
        Self::WrongSubject,
        Self::MultiTenantApplication,
        Self::DisabledApplication,
        Self::DeletedApplication,
        Self::NoOwner,
        Self::GuestOwner,
        Self::SharedIdentity,
        Self::SubscriptionGone,
        Self::SubscriptionRenamed,
        Self::OpenToAll,
        Self::GonePipeline,
        Self::SharedWithProject,
        Self::SharedWithPublicProject,
        Self::BroadGroup,
        Self::ProductionWithoutChecks,
        Self::OwnerRole,
        Self::ContributorOnSubscription,
        Self::RoleOutsideScope,
        Self::NoRole,
        Self::NeverUsed,
        Self::UnusedForLong,
        Self::Disabled,
        Self::CreationFailed,
        Self::NoDescription,
        Self::PartlyVisible,
        Self::ManagedIdentity,
    ];
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
        let mut maker = Maker::new(self, tenant, now.replace_nanosecond(0).unwrap_or(now));
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

/// An organization while it is made.
struct Maker {
    organization: Organization,
    apps: Vec<App>,
    roles: Vec<RoleAssignment>,
    tenant: Uuid,
    subscription: Uuid,
    auditor: Uuid,
    owner: Person,
    now: OffsetDateTime,
    seed: u128,
    count: u128,
}

const READER: Uuid = uuid!("acdd72a7-3385-48ef-bd42-f606fba81ae7");
const OWNER: Uuid = uuid!("8e3af657-a8ff-443c-a75c-2fe8c4bcb635");
const CONTRIBUTOR: Uuid = uuid!("b24988ac-6180-42a0-ab88-20f7382dd24c");

impl Maker {
    fn new(plan: &OrganizationPlan, tenant: Uuid, now: OffsetDateTime) -> Self {
        // FNV-1a of the name: the same name makes the same ids.
        let hash = plan.name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut maker = Self {
            organization: Organization { id: Uuid::nil(), name: plan.name.clone(), projects: vec![] },
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
        for number in 0..plan.projects.max(1) {
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

    fn id(&mut self) -> Uuid {
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

    fn healthy(&mut self, number: usize) -> Uuid {
        let (connection, app) = self.both(&format!("sc-app-{number:05}"));
        let project = number % self.organization.projects.len();
        self.add(project, connection, Some(app), true)
    }

    /// A connection in which nothing is wrong, and its application.
    fn both(&mut self, name: &str) -> (Connection, App) {
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

    fn group_scope(&self) -> String {
        format!("/subscriptions/{}/resourceGroups/rg-app", self.subscription)
    }

    /// Adds a connection to a project, with its identity, a credential that fits if `trusted`, and a role at its scope.
    fn add(&mut self, project: usize, connection: Connection, app: Option<App>, trusted: bool) -> Uuid {
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

    fn credential(&self, project: usize, connection: &Connection) -> FederatedCredential {
        let project = &self.organization.projects[project];
        let place = Place { organization: &self.organization, project, connection };
        FederatedCredential {
            name: format!("for-{}", connection.name),
            issuer: place.issuer(),
            subject: place.subject(),
            audience: EXCHANGE_AUDIENCE.to_owned(),
        }
    }

    fn assign(&mut self, principal: Uuid, (role, name): (Uuid, &str), scope: String) {
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

    fn plant(&mut self, what: Planted) -> Uuid {
        let name = format!("sc-{}", words(what));
        let (mut connection, mut app) = self.both(&name);
        let (mut has_app, mut trusted, now) = (true, true, self.now);
        let secret = |app: &mut App, days: i64| {
            app.secrets.push(ClientSecret {
                value: format!("client-secret-{}", app.client_id.simple()),
                expires: Some(now + Duration::days(days)),
            });
        };
        match what {
            Planted::StoredSecret | Planted::SecretEnded | Planted::SecretEndsSoon => {
                let days = match what {
                    Planted::SecretEnded => -5,
                    Planted::SecretEndsSoon => 12,
                    _ => 80,
                };
                secret(&mut app, days);
                connection = connection.with_secret(&format!("client-secret-{}", app.client_id.simple()));
                connection.data.insert("creationMode".to_owned(), "Automatic".to_owned());
                trusted = false;
            }
            Planted::StoredCertificate => {
                app.record.certificate_ends.push(now + Duration::days(200));
                connection = connection.with_certificate("-----BEGIN CERTIFICATE-----");
                trusted = false;
            }
            Planted::ClassicType => {
                "azure".clone_into(&mut connection.record.kind);
                "Certificate".clone_into(&mut connection.scheme);
                connection.parameters.clear();
                connection.parameters.insert("certificate".to_owned(), "MIIC".to_owned());
                connection.data.insert("subscriptionId".to_owned(), self.subscription.to_string());
                has_app = false;
            }
            Planted::PublishProfile => {
                "PublishProfile".clone_into(&mut connection.scheme);
                has_app = false;
            }
            Planted::MachineIdentity => {
                connection = connection.of_machine();
                has_app = false;
            }
            Planted::OtherTypeWithSecret => {
                "dockerregistry".clone_into(&mut connection.record.kind);
                "UsernamePassword".clone_into(&mut connection.scheme);
                connection.parameters.clear();
                for (name, value) in [("username", "ci"), ("password", "registry-password"), ("registry", "https://index.docker.io/v1/")] {
                    connection.parameters.insert(name.to_owned(), value.to_owned());
                }
                has_app = false;
            }
            Planted::SecretBesideFederation => secret(&mut app, 40),
            Planted::RevertOpen => {
                let until = graph_moment(now + Duration::days(4));
                connection.data.insert("revertSchemeDeadline".to_owned(), until);
            }
            Planted::OldIssuer => connection.issuer = Issuer::DevOps,
            Planted::NoMatchingCredential => {
                let mut other = self.credential(0, &connection);
                other.subject = other.subject.to_uppercase();
                app.federated_credentials.push(other);
                trusted = false;
            }
            Planted::CredentialOfGoneConnection => {
                let gone = Connection { id: self.id(), ..connection.clone() };
                let credential = FederatedCredential { name: "of-a-gone-one".to_owned(), ..self.credential(0, &gone) };
                app.federated_credentials.push(credential);
            }
            Planted::ManyCredentials => {
                for number in 0..18 {
                    app.federated_credentials.push(FederatedCredential {
                        name: format!("github-{number}"),
                        issuer: "https://token.actions.githubusercontent.com".to_owned(),
                        subject: format!("repo:contoso/app-{number}:ref:refs/heads/main"),
                        audience: EXCHANGE_AUDIENCE.to_owned(),
                    });
                }
            }
            Planted::FlexibleCredential => app.record.more_credentials.push(json!({
                "id": self.id(), "name": "flexible", "issuer": "https://token.actions.githubusercontent.com",
                "subject": null, "audiences": [EXCHANGE_AUDIENCE],
                "claimsMatchingExpression": { "value": "claims['sub'] matches 'repo:contoso/*'", "languageVersion": 1 },
            })),
            Planted::WrongSubject => {
                let other = Connection { id: self.id(), ..connection.clone() };
                let subject = self.credential(0, &other).subject;
                connection.parameters.insert("workloadIdentityFederationSubject".to_owned(), subject);
            }
            Planted::MultiTenantApplication => app.multi_tenant = true,
            Planted::DisabledApplication => app.disabled = true,
            Planted::DeletedApplication => app.record.deleted = true,
            Planted::NoOwner => app.record.owners.clear(),
            Planted::GuestOwner => {
                "bob_fabrikam.com#EXT#@contoso.onmicrosoft.com".clone_into(&mut app.record.owners[0].unique_name);
            }
            Planted::SharedIdentity => {
                let mut second = Connection { id: self.id(), ..connection.clone() };
                second.name = format!("{}-2", connection.name);
                app.federated_credentials.push(self.credential(0, &second));
                self.add(0, second, None, false);
            }
            Planted::SubscriptionGone => {
                let gone = self.id();
                connection.scope = Scope::Subscription(gone);
                connection.parameters.insert("scope".to_owned(), format!("/subscriptions/{gone}"));
            }
            Planted::SubscriptionRenamed => {
                connection.data.insert("subscriptionName".to_owned(), "The old name".to_owned());
            }
            Planted::OpenToAll => connection.record.open_to_all = true,
            Planted::GonePipeline => connection.record.pipelines.push(999),
            Planted::SharedWithProject | Planted::SharedWithPublicProject => {
                let other = self.organization.projects.last_mut().expect("one project at least");
                other.record.public |= what == Planted::SharedWithPublicProject;
                let (project, name) = (other.id, connection.name.clone());
                connection.record.shared_with.push(SharedWith { project, name });
            }
            Planted::BroadGroup => connection.record.roles.push(SecurityRole {
                role: "User".to_owned(),
                identity: "[Project 0000]\\Contributors".to_owned(),
                inherited: false,
            }),
            Planted::ProductionWithoutChecks => "sc-shop-prod".clone_into(&mut connection.name),
            Planted::OwnerRole => {
                let scope = self.group_scope();
                self.assign(app.object_id, (OWNER, "Owner"), scope);
            }
            Planted::ContributorOnSubscription => {
                let scope = format!("/subscriptions/{}", self.subscription);
                connection.parameters.insert("scope".to_owned(), scope.clone());
                self.assign(app.object_id, (CONTRIBUTOR, "Contributor"), scope);
            }
            Planted::RoleOutsideScope => {
                let scope = format!("/subscriptions/{}/resourceGroups/rg-network", self.subscription);
                self.assign(app.object_id, (READER, "Reader"), scope);
            }
            Planted::NoRole | Planted::ManagedIdentity => {}
            Planted::NeverUsed => connection.record.history.clear(),
            Planted::UnusedForLong => {
                for one in &mut connection.record.history {
                    one.started = now - Duration::days(85);
                    one.finished = Some(one.started + Duration::minutes(4));
                }
            }
            Planted::Disabled => connection.disabled = true,
            Planted::CreationFailed => connection.record.unready = Some("Failed".to_owned()),
            Planted::NoDescription => connection.record.description.clear(),
            Planted::PartlyVisible => connection.record.sight = Sight::Partial,
        }
        if what == Planted::ManagedIdentity {
            app.kind = Kind::ManagedIdentity;
            app.record.owners.clear();
            app.record.subscription = Some(self.subscription);
            connection.data.insert("identityType".to_owned(), "ManagedIdentity".to_owned());
        }
        let object = app.object_id;
        let id = self.add(0, connection, has_app.then_some(app), trusted);
        if what == Planted::NoRole {
            self.roles.retain(|one| one.principal != object);
        }
        id
    }
}

/// `StoredSecret` as `stored-secret`.
fn words(what: Planted) -> String {
    let mut text = String::new();
    for letter in format!("{what:?}").chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// An approval by people, as the REST resource has it.
#[must_use]
pub fn approval(approver: &str) -> Value {
    json!({
        "type": { "id": "8c6f20a7-a545-4486-9777-f762fafe0d4d", "name": "Approval" },
        "settings": {
            "approvers": [{ "id": "11111111-2222-3333-4444-555555555555", "displayName": approver }],
            "executionOrder": 1, "minRequiredApprovers": 0, "instructions": "", "blockedApprovers": [],
        },
        "timeout": 43200, "version": 1, "isDisabled": false,
    })
}

/// A branch control for branches that are separated by commas, as the REST resource has it.
#[must_use]
pub fn branch_control(branches: &str) -> Value {
    json!({
        "type": { "id": "fe1de3ee-a436-41b4-bb20-f6eb4cb879a7", "name": "Task Check" },
        "settings": {
            "displayName": "Branch control",
            "definitionRef": {
                "id": "86b05a0c-73e6-4f7d-b3cf-e38f3b39a75b", "name": "evaluatebranchProtection", "version": "0.0.1",
            },
            "inputs": {
                "allowedBranches": branches, "ensureProtectionOfBranch": "true", "allowUnknownStatusBranch": "false",
            },
            "retryInterval": 5,
        },
        "timeout": 1440, "version": 1, "isDisabled": false,
    })
}

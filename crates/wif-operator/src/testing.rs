//! Organizations for tests: one in which nothing is wrong, and faults to plant in it.

use time::Duration;
use uuid::Uuid;
use wif_core::azure::cloud::Cloud;

use crate::{
    moment::Moment,
    request::{Request, RequestedIdentity, RequestedRole},
    rule::{Context, Draft, Rule, Settings},
    snapshot::{
        Coverage, Existence, Layer, Organization, Project, Snapshot, State,
        connection::{Connection, Person, Pipeline, PipelinePermissions, ProjectReference, Run},
        identity::{
            FederatedCredential, Identity, IdentityKind, Owner, RoleAssignment, StoredCredential,
            Subscription, Tenant,
        },
    },
    subject::of_entra,
};

/// The moment of the tests.
pub(crate) const NOW: &str = "2026-11-26T12:00:00Z";
/// The tenant of the tests.
pub(crate) const TENANT: Uuid = Uuid::from_u128(0x8d1c_7a34_0b7e_4e55_9f61_7c0e_3b9a_2d41);
/// The organization's id.
pub(crate) const ORGANIZATION: Uuid = Uuid::from_u128(0x0f3e_5a52_8f0c_4f5e_9d3a_6f6f_2f1b_7c10);
/// The subscription of the tests.
pub(crate) const SUBSCRIPTION: &str = "/subscriptions/11111111-2222-3333-4444-555555555555";

pub(crate) fn now() -> Moment {
    Moment::parse(NOW).unwrap()
}

/// So many days before the moment of the tests, or after it, if it is negative.
pub(crate) fn days_ago(days: i64) -> Moment {
    now().after(Duration::days(-days))
}

pub(crate) fn settings() -> Settings {
    Settings {
        now: now(),
        expires_within: Duration::days(30),
        unused_for: Duration::days(70),
        requests: Vec::new(),
        differing: None,
    }
}

/// The id of the connection with this number.
pub(crate) fn connection_id(number: u32) -> Uuid {
    Uuid::from_u128(0xc000_0000_0000_4000_8000_0000_0000_0000 + u128::from(number))
}

/// The id of the application with this number.
pub(crate) fn client_id(number: u32) -> Uuid {
    Uuid::from_u128(0xa000_0000_0000_4000_8000_0000_0000_0000 + u128::from(number))
}

/// A project by its number.
pub(crate) fn project_id(number: u32) -> Uuid {
    Uuid::from_u128(0xf000_0000_0000_4000_8000_0000_0000_0000 + u128::from(number))
}

pub(crate) fn reference(number: u32, project: &str, connection: &str, is_owner: bool) -> ProjectReference {
    ProjectReference {
        id: project_id(number),
        name: project.to_owned(),
        connection_name: connection.to_owned(),
        is_owner,
        pipelines: Some(PipelinePermissions {
            is_open_to_all: false,
            pipelines: vec![Pipeline {
                id: 7,
                name: Some("Release".to_owned()),
                existence: Existence::Found,
            }],
        }),
        runs: Some(vec![Run {
            kind: Some("Build".to_owned()),
            pipeline: Some(7),
            pipeline_name: Some("Release".to_owned()),
            started: days_ago(1),
            result: Some("succeeded".to_owned()),
        }]),
        members: Some(Vec::new()),
    }
}

/// A federated connection with which nothing is wrong.
pub(crate) fn connection(number: u32) -> Connection {
    let id = connection_id(number);
    let name = format!("sc-{number}");
    Connection {
        kind: Some("azurerm".to_owned()),
        is_visible: true,
        url: Some("https://management.azure.com/".to_owned()),
        description: Some("Deploys the shop".to_owned()),
        projects: vec![reference(1, "Platform", &name, true)],
        scheme: Some("WorkloadIdentityFederation".to_owned()),
        issuer: Some(format!("https://login.microsoftonline.com/{TENANT}/v2.0")),
        subject: Some(of_entra(TENANT, ORGANIZATION, id)),
        tenant: Some(TENANT),
        client: Some(client_id(number)),
        environment: Some("AzureCloud".to_owned()),
        scope_level: Some("Subscription".to_owned()),
        scope: Some(format!("{SUBSCRIPTION}/resourceGroups/rg-{number}")),
        scope_name: Some("Shop".to_owned()),
        creation_mode: Some("Manual".to_owned()),
        created: Some(days_ago(400)),
        created_by: Some(Person {
            id: Some("d1".to_owned()),
            name: Some("Ada".to_owned()),
            unique_name: Some("ada@contoso.com".to_owned()),
            existence: Existence::Found,
        }),
        modified: Some(days_ago(300)),
        is_disabled: Some(false),
        is_ready: Some(true),
        operation_state: Some("Ready".to_owned()),
        checks: Some(Vec::new()),
        ..Connection::new(id, name)
    }
}

/// An application that trusts the connection of the same number.
pub(crate) fn identity(number: u32) -> Identity {
    let connection = connection(number);
    Identity {
        kind: IdentityKind::Application,
        existence: Existence::Found,
        name: Some(format!("app-{number}")),
        application_object: Some(Uuid::from_u128(u128::from(number) + 1)),
        principal_object: Some(Uuid::from_u128(u128::from(number) + 100_001)),
        sign_in_audience: Some("AzureADMyOrg".to_owned()),
        is_enabled: Some(true),
        secrets: Some(Vec::new()),
        certificates: Some(Vec::new()),
        owners: Some(vec![Owner {
            id: Uuid::from_u128(9),
            name: Some("Ada".to_owned()),
            user_principal_name: Some("ada@contoso.com".to_owned()),
            is_guest: Some(false),
            is_enabled: Some(true),
            is_service: false,
        }]),
        federated_credentials: Some(vec![trusting("azure-devops", connection.issuer, connection.subject)]),
        roles: Some(vec![role("Contributor", &format!("{SUBSCRIPTION}/resourceGroups/rg-{number}"))]),
        may_have_more_roles: false,
        ..Identity::new(client_id(number), Some(TENANT))
    }
}

pub(crate) fn trusting(name: &str, issuer: Option<String>, subject: Option<String>) -> FederatedCredential {
    FederatedCredential {
        name: name.to_owned(),
        id: None,
        issuer,
        subject,
        audiences: vec!["api://AzureADTokenExchange".to_owned()],
        is_flexible: false,
    }
}

pub(crate) fn role(role: &str, scope: &str) -> RoleAssignment {
    RoleAssignment {
        scope: scope.to_owned(),
        role: Some(role.to_owned()),
        role_id: None,
        id: None,
        condition: None,
        description: None,
        created: None,
    }
}

/// A secret that began a hundred days ago and ends in so many days.
pub(crate) fn secret(ends_in: i64) -> StoredCredential {
    StoredCredential {
        ends: Some(days_ago(-ends_in)),
        starts: Some(days_ago(100)),
        id: Some(Uuid::from_u128(77)),
        name: Some("rotated".to_owned()),
    }
}

/// Makes a connection store a secret, and its application have one.
pub(crate) fn store_secret(connection: &mut Connection, identity: &mut Identity) {
    connection.scheme = Some("ServicePrincipal".to_owned());
    connection.authentication_type = Some("spnKey".to_owned());
    (connection.issuer, connection.subject) = (None, None);
    identity.secrets = Some(vec![secret(200)]);
    identity.federated_credentials = Some(Vec::new());
}

pub(crate) fn read(layer: Layer) -> Coverage {
    Coverage { project: None, layer, connection: None, state: State::Read, why: String::new() }
}

/// An organization without connections.
pub(crate) fn organization() -> Organization {
    let project =
        |number, name: &str, is_public| Project { id: project_id(number), name: name.to_owned(), is_public };
    Organization {
        id: Some(ORGANIZATION),
        tenant: Some(TENANT),
        projects: vec![project(1, "Platform", false), project(2, "Shop", false), project(3, "Open", true)],
        subscriptions: vec![Subscription {
            scope: SUBSCRIPTION.to_owned(),
            existence: Existence::Found,
            name: Some("Shop".to_owned()),
            tenant: Some(TENANT),
            state: Some("Enabled".to_owned()),
        }],
        tenants: vec![Tenant { id: TENANT, existence: Existence::Found }],
        coverage: [Layer::List, Layer::Identity, Layer::Use].map(read).to_vec(),
        ..Organization::new("contoso")
    }
}

pub(crate) fn snapshot_of(organization: Organization) -> Snapshot {
    let mut snapshot = Snapshot {
        taken: now(),
        depth: Layer::Use,
        cloud: Cloud::Public,
        projects: Vec::new(),
        redacted: false,
        organizations: vec![organization],
    };
    snapshot.sort();
    snapshot
}

/// An organization with these connections, each changed by what is given with its number.
pub(crate) struct Planted(pub(crate) Organization);

impl Planted {
    /// An organization with one connection, the first, with which nothing is wrong.
    pub(crate) fn new() -> Self {
        Self(organization()).with(1, |_, _| {})
    }

    /// Adds a connection and its application, both changed.
    pub(crate) fn with(mut self, number: u32, plant: impl FnOnce(&mut Connection, &mut Identity)) -> Self {
        let (mut connection, mut identity) = (connection(number), identity(number));
        plant(&mut connection, &mut identity);
        self.0.connections.push(connection);
        self.0.identities.push(identity);
        self
    }

    pub(crate) fn snapshot(self) -> Snapshot {
        snapshot_of(self.0)
    }

    /// What a rule finds.
    pub(crate) fn found_by(self, rule: &Rule) -> Vec<Draft> {
        let (snapshot, settings) = (self.snapshot(), settings());
        found(rule, &snapshot, &settings)
    }
}

pub(crate) fn found(rule: &Rule, snapshot: &Snapshot, settings: &Settings) -> Vec<Draft> {
    let mut found = Vec::new();
    (rule.check)(&Context::new(snapshot, settings), &mut found);
    found
}

/// The one finding of a rule in an organization whose second connection is changed; the rule finds nothing in the first.
pub(crate) fn one(rule: &Rule, plant: impl FnOnce(&mut Connection, &mut Identity)) -> Draft {
    let mut found = Planted::new().with(2, plant).found_by(rule);
    assert_eq!(found.len(), 1, "{found:#?}");
    let found = found.remove(0);
    assert_eq!(found.connection, Some(connection_id(2)), "{found:#?}");
    assert!(!found.fix.is_empty() && !found.command.is_empty() && !found.detail.is_empty(), "{found:#?}");
    found
}

/// How many findings of a rule there are in an organization whose second connection is changed.
pub(crate) fn count(rule: &Rule, plant: impl FnOnce(&mut Connection, &mut Identity)) -> usize {
    Planted::new().with(2, plant).found_by(rule).len()
}

/// What the connection number 2 would be requested by.
pub(crate) fn request() -> Request {
    let scope = format!("{SUBSCRIPTION}/resourceGroups/rg-2");
    Request {
        file: "sc-2.yaml".to_owned(),
        connection: "sc-2".to_owned(),
        projects: vec!["Platform".to_owned()],
        identity: RequestedIdentity::Existing { client: client_id(2) },
        scope: scope.clone(),
        access: vec![RequestedRole { role: "Contributor".to_owned(), scope }],
        pipelines: vec!["Release".to_owned()],
        branches: Vec::new(),
        approvers: Vec::new(),
        owner: "team@contoso.com".to_owned(),
        reason: "CHG-1".to_owned(),
    }
}

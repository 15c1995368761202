//! The organizations, tenants and subscriptions that every emulator starts with.

use uuid::{Uuid, uuid};

use crate::world::directory::Directory;
use crate::world::directory::devops::{Connection, Issuer, Organization, Project};
use crate::world::directory::entra::{App, Kind, Subscription, Tenant};
use crate::world::directory::records::ProjectRecord;

/// Names and ids that are in every emulator from the start.
#[derive(Clone, Copy, Debug)]
pub struct Usual {
    /// The organization's name.
    pub organization: &'static str,
    /// The organization's id.
    pub organization_id: Uuid,
    /// The project's name.
    pub project: &'static str,
    /// The project's id.
    pub project_id: Uuid,
    /// The tenant.
    pub tenant: Uuid,
    /// The connection with the Azure DevOps issuer.
    pub connection: Uuid,
    /// Its name.
    pub connection_name: &'static str,
    /// The connection with the Entra issuer.
    pub entra_connection: Uuid,
    /// Its name.
    pub entra_connection_name: &'static str,
    /// The app behind the connection with the Azure DevOps issuer.
    pub client: Uuid,
    /// The app behind the connection with the Entra issuer.
    pub entra_client: Uuid,
    /// The subscription, in which both apps hold a role.
    pub subscription: Uuid,
    /// Its name.
    pub subscription_name: &'static str,
}

/// The names and ids of every emulator.
pub const USUAL: Usual = Usual {
    organization: "contoso",
    organization_id: uuid!("0f3e5a52-8f0c-4f5e-9d3a-6f6f2f1b7c10"),
    project: "Platform",
    project_id: uuid!("5b1d4e0a-62c7-4b3e-8f5d-1d2c3b4a5960"),
    tenant: uuid!("8d1c7a34-0b7e-4e55-9f61-7c0e3b9a2d41"),
    connection: uuid!("a3c1f0de-1b52-4c8e-b0d7-2e9f4a6c8b13"),
    connection_name: "sc-prod",
    entra_connection: uuid!("c7e94b20-5d3f-4a16-8c2b-90f1d7e6a524"),
    entra_connection_name: "sc-entra",
    client: uuid!("1e6b9c47-3f2a-4d80-a5c9-e8d07b146f35"),
    entra_client: uuid!("92d5f8a1-7c4e-4b63-9e0f-3a1b6c2d5746"),
    subscription: uuid!("4f8a2d6c-9b1e-47c3-8d50-b7e3f1a09c57"),
    subscription_name: "Platform production",
};

/// The directory that an emulator starts with.
pub(crate) fn directory() -> Directory {
    let usual = USUAL;
    let connection = |id, name, issuer, client| {
        let made = Connection::federated(name, issuer, usual.tenant, client, usual.subscription);
        Connection { id, ..made }
    };
    let mut directory = Directory {
        organizations: vec![Organization {
            id: usual.organization_id,
            name: usual.organization.to_owned(),
            projects: vec![Project {
                id: usual.project_id,
                name: usual.project.to_owned(),
                connections: vec![
                    connection(usual.connection, usual.connection_name, Issuer::DevOps, usual.client),
                    connection(
                        usual.entra_connection,
                        usual.entra_connection_name,
                        Issuer::Entra,
                        usual.entra_client,
                    ),
                ],
                record: ProjectRecord::default(),
            }],
        }],
        tenants: vec![Tenant {
            id: usual.tenant,
            domain: "contoso.onmicrosoft.com".to_owned(),
            apps: vec![
                App::new(usual.client, Kind::Application),
                App::new(usual.entra_client, Kind::Application),
            ],
            resources: vec![],
        }],
        subscriptions: vec![Subscription {
            id: usual.subscription,
            name: usual.subscription_name.to_owned(),
            state: "Enabled".to_owned(),
            tenant: usual.tenant,
            roles: vec![usual.client, usual.entra_client],
        }],
        ..Directory::default()
    };
    directory.trust(usual.connection);
    directory.trust(usual.entra_connection);
    directory
}

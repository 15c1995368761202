//! The connection of a row, and how it proves itself.

use emulator::{
    ClientCertificate, Emulator, Service, USUAL,
    directory::{App, ClientSecret, Connection, Issuer, Kind},
};
use uuid::{Uuid, uuid};

/// By what a connection proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// An id token that Azure DevOps signs.
    DevOps,
    /// An id token that Entra signs.
    Entra,
    /// A client secret.
    Secret,
    /// A certificate with its key.
    Certificate,
    /// The managed identity of the agent's machine.
    Machine,
}

/// Those that have an id token.
pub(super) const FEDERATED: &[Scheme] = &[Scheme::DevOps, Scheme::Entra];
/// Those that have none.
pub(super) const OTHERS: &[Scheme] = &[Scheme::Secret, Scheme::Certificate, Scheme::Machine];
/// Each of them.
pub(super) const ALL: &[Scheme] =
    &[Scheme::DevOps, Scheme::Entra, Scheme::Secret, Scheme::Certificate, Scheme::Machine];

/// The identity of the machine.
const MACHINE: Uuid = uuid!("5d0c9b1e-7a43-4f26-8e5b-c1f2a3d4b596");
const SECRET: &str = "kX8~correct.horse-battery_staple8Q";

impl Scheme {
    /// For the table.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::DevOps => "federated, Azure DevOps",
            Self::Entra => "federated, Entra",
            Self::Secret => "secret",
            Self::Certificate => "certificate",
            Self::Machine => "managed identity",
        }
    }

    /// Whether the connection has an id token.
    pub(super) fn is_federated(self) -> bool {
        FEDERATED.contains(&self)
    }

    /// Another federated connection, for a second session.
    pub(super) fn other(self) -> Self {
        if self == Self::DevOps { Self::Entra } else { Self::DevOps }
    }

    /// Who gives the access tokens of such a connection.
    pub(super) fn source(self) -> Service {
        if self == Self::Machine { Service::Machine } else { Service::Entra }
    }

    /// Who signs in by it.
    pub(super) fn client(self) -> Uuid {
        match self {
            Self::DevOps | Self::Secret | Self::Certificate => USUAL.client,
            Self::Entra => USUAL.entra_client,
            Self::Machine => MACHINE,
        }
    }

    /// A connection with this scheme: its id and its name. What it proves itself with is known to who must know it.
    pub(super) fn connect(self, emulator: &Emulator) -> (Uuid, &'static str) {
        let usual = emulator.usual();
        let name = match self {
            Self::DevOps => return (usual.connection, usual.connection_name),
            Self::Entra => return (usual.entra_connection, usual.entra_connection_name),
            Self::Secret | Self::Certificate | Self::Machine => "sc-other",
        };
        let plain =
            Connection::federated(name, Issuer::DevOps, usual.tenant, self.client(), usual.subscription);
        let mut directory = emulator.directory();
        let connection = match self {
            Self::Certificate => {
                let certificate = ClientCertificate::usual();
                directory.app(usual.client).certificates.push(certificate.registered.clone());
                plain.with_certificate(&certificate.pem())
            }
            Self::Machine => {
                let identity = App::new(MACHINE, Kind::ManagedIdentity);
                directory.tenant(usual.tenant).apps.push(identity);
                directory.machine.identities.push(MACHINE);
                directory.subscription(usual.subscription).roles.push(MACHINE);
                emulator.storage().accounts.iter_mut().for_each(|account| account.contributors.push(MACHINE));
                plain.of_machine()
            }
            Self::Secret | Self::DevOps | Self::Entra => {
                let secret = ClientSecret { value: SECRET.to_owned(), expires: None };
                directory.app(usual.client).secrets.push(secret);
                plain.with_secret(SECRET)
            }
        };
        (directory.add_connection(usual.project_id, connection), name)
    }
}

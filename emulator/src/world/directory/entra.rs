//! Tenants, identities with their federated credentials, and subscriptions.

use time::OffsetDateTime;
use uuid::Uuid;

pub use crate::world::directory::records::FederatedCredential;
use crate::world::directory::records::{AppRecord, FreshCredential, Lag};

/// An Entra tenant.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// The id.
    pub id: Uuid,
    /// A verified domain, accepted in request paths too.
    pub domain: String,
    /// Applications and managed identities that can sign in here.
    pub apps: Vec<App>,
    /// Resources of the tenant's own applications (`api://…`), beside the well-known ones.
    pub resources: Vec<String>,
}

/// What an identity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An application registration.
    Application,
    /// A user-assigned managed identity: its access tokens live longer.
    ManagedIdentity,
}

/// An identity that can sign in.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own in Entra")]
pub struct App {
    /// The client id, also called application id.
    pub client_id: Uuid,
    /// The object id of its service principal.
    pub object_id: Uuid,
    /// Application or managed identity.
    pub kind: Kind,
    /// Registered for accounts of any tenant.
    pub multi_tenant: bool,
    /// Disabled by an administrator.
    pub disabled: bool,
    /// Client secrets.
    pub secrets: Vec<ClientSecret>,
    /// Certificates that it may sign assertions with.
    pub certificates: Vec<Certificate>,
    /// Microsoft Graph lets it read applications and their federated credentials.
    pub reads_applications: bool,
    /// Microsoft Graph lets it change applications and their federated credentials.
    pub writes_applications: bool,
    /// The issuers and subjects that it trusts.
    pub federated_credentials: Vec<FederatedCredential>,
    /// What administrators see of it.
    pub record: AppRecord,
}

impl App {
    /// An enabled identity without secrets, certificates and federated credentials.
    #[must_use]
    pub fn new(client_id: Uuid, kind: Kind) -> Self {
        Self {
            client_id,
            object_id: Uuid::new_v4(),
            kind,
            multi_tenant: false,
            disabled: false,
            secrets: vec![],
            certificates: vec![],
            reads_applications: false,
            writes_applications: false,
            federated_credentials: vec![],
            record: AppRecord::default(),
        }
    }

    /// The object id of its application, which is another than that of its service principal.
    #[must_use]
    pub fn application_object(&self) -> Uuid {
        Uuid::from_u128(self.client_id.as_u128() ^ APPLICATION_OBJECT)
    }

    /// The id of a federated credential, made of its name.
    #[must_use]
    pub fn credential_id(&self, name: &str) -> Uuid {
        let hash = name.bytes().fold(7_u128, |sum, byte| sum.wrapping_mul(31).wrapping_add(u128::from(byte)));
        Uuid::from_u128(self.client_id.as_u128() ^ (0xc4ed << 96) ^ (hash << 16 >> 16))
    }

    /// Its federated credentials, as they are read now: new ones may be missing, deleted ones still there.
    pub(crate) fn credentials_read(&self) -> Vec<FederatedCredential> {
        let is_missing =
            |name: &str| self.record.fresh.iter().any(|fresh| fresh.name == name && fresh.reads.take());
        let there = self.federated_credentials.iter().filter(|one| !is_missing(&one.name));
        let lingering = self.record.lingering.iter().filter(|(lag, _)| lag.take()).map(|(_, one)| one);
        there.chain(lingering).cloned().collect()
    }

    /// Registers a federated credential, or changes the one of its name. Whether it is new.
    pub(crate) fn register(
        &mut self,
        credential: FederatedCredential,
        (reads, exchanges): (usize, usize),
    ) -> bool {
        let known = self.federated_credentials.iter_mut().find(|one| one.name == credential.name);
        let is_new = known.is_none();
        let name = credential.name.clone();
        self.record.fresh.retain(|fresh| fresh.name != name);
        match known {
            Some(known) => *known = credential,
            None => self.federated_credentials.push(credential),
        }
        self.record.fresh.push(FreshCredential {
            name,
            reads: Lag::new(if is_new { reads } else { 0 }),
            exchanges: Lag::new(exchanges),
        });
        is_new
    }

    /// Removes a federated credential. Whether it was there.
    pub(crate) fn unregister(&mut self, name: &str, reads: usize) -> bool {
        let Some(at) = self.federated_credentials.iter().position(|one| one.name == name) else {
            return false;
        };
        let removed = self.federated_credentials.remove(at);
        self.record.lingering.push((Lag::new(reads), removed));
        true
    }

    /// The resource group that a managed identity lies in.
    pub(crate) fn resource_group(&self) -> &str {
        self.record.resource_group.as_deref().unwrap_or("rg-app")
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        let name = &self.record.name;
        if name.is_empty() { format!("id-{}", self.client_id.simple()) } else { name.clone() }
    }
}

/// What tells the object id of an application from its client id.
const APPLICATION_OBJECT: u128 = 0x0b1e_c700_0000_0000_0000_0000_0000_0000;

/// A client secret.
#[derive(Clone)]
pub struct ClientSecret {
    /// The secret itself.
    pub value: String,
    /// When it ends; never, if absent.
    pub expires: Option<OffsetDateTime>,
}

impl std::fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientSecret").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// The public part of a certificate, as an application is registered with it. Bytes are in base64url.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-1 of its DER form, `x5t`.
    pub sha1: String,
    /// SHA-256 of its DER form, `x5t#S256`.
    pub sha256: String,
    /// The modulus of its RSA key.
    pub modulus: String,
    /// The exponent of its RSA key.
    pub exponent: String,
    /// When it begins.
    pub not_before: OffsetDateTime,
    /// When it ends.
    pub not_after: OffsetDateTime,
}

/// An Azure subscription.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The id.
    pub id: Uuid,
    /// The display name.
    pub name: String,
    /// `Enabled`, `Disabled`, `Warned`, `PastDue`, `Deleted`.
    pub state: String,
    /// The tenant it trusts.
    pub tenant: Uuid,
    /// Client ids that hold a role.
    pub roles: Vec<Uuid>,
}

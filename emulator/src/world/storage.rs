//! The storage accounts and their blobs: plain data with public fields, as in the [`crate::Directory`].

use std::collections::BTreeMap;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::world::usual::USUAL;

/// The name of the account that is there from the start.
pub const ACCOUNT: &str = "contosotfstate";

/// The name of its container, which is empty.
pub const CONTAINER: &str = "tfstate";

/// Every storage account.
#[derive(Clone, Debug, Default)]
pub struct Storage {
    /// The accounts.
    pub accounts: Vec<Account>,
}

/// A storage account that is opened by access tokens only.
#[derive(Clone, Debug)]
pub struct Account {
    /// The first label of its host name.
    pub name: String,
    /// The tenant whose tokens it takes.
    pub tenant: Uuid,
    /// The clients with the role "Storage Blob Data Contributor".
    pub contributors: Vec<Uuid>,
    /// Its containers, by name.
    pub containers: BTreeMap<String, Container>,
}

/// A container.
#[derive(Clone, Debug, Default)]
pub struct Container {
    /// Its blobs, by name.
    pub blobs: BTreeMap<String, Blob>,
}

/// A block blob.
#[derive(Clone, Debug)]
pub struct Blob {
    /// The content.
    pub content: Vec<u8>,
    /// The content type.
    pub content_type: String,
    /// Its metadata, with names in lower case.
    pub metadata: BTreeMap<String, String>,
    /// When it was last written.
    pub modified: OffsetDateTime,
    /// A new one after each change; the `ETag`.
    pub tag: Uuid,
    /// The lease that was last taken, if any.
    pub lease: Option<Lease>,
}

/// A lease that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The id that the holder sends.
    pub id: Uuid,
    /// For how many seconds it was taken; `None` is until it is released.
    pub seconds: Option<i64>,
    /// When it ends, in seconds since 1970.
    pub until: Option<i64>,
    /// Whether the lease was broken before its end.
    pub broken: bool,
}

impl Storage {
    /// One account with one empty container, for both apps of [`USUAL`].
    pub(crate) fn usual() -> Self {
        let account = Account {
            name: ACCOUNT.to_owned(),
            tenant: USUAL.tenant,
            contributors: vec![USUAL.client, USUAL.entra_client],
            containers: BTreeMap::from([(CONTAINER.to_owned(), Container::default())]),
        };
        Self { accounts: vec![account] }
    }

    /// A blob, if it exists.
    #[must_use]
    pub fn blob(&self, account: &str, container: &str, name: &str) -> Option<&Blob> {
        let account = self.accounts.iter().find(|one| one.name == account)?;
        account.containers.get(container)?.blobs.get(name)
    }
}

impl Blob {
    pub(crate) fn etag(&self) -> String {
        format!("\"{}\"", self.tag.simple())
    }
}

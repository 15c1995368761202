//! What the services share: the directory, the storage accounts, the clock, the journal, the faults, the issued secrets.

pub(crate) mod certificate;
pub(crate) mod clock;
pub mod directory;
pub(crate) mod fault;
pub(crate) mod gate;
pub mod identity;
pub(crate) mod issued;
pub(crate) mod journal;
pub(crate) mod keys;
pub(crate) mod leak;
pub mod organization;
pub mod storage;
pub(crate) mod tls;
pub(crate) mod usual;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::world::clock::Clock;
use crate::world::directory::Directory;
use crate::world::fault::Faults;
use crate::world::issued::{Issued, IssuedKind};
use crate::world::journal::{Journal, Service};
use crate::world::storage::Storage;

/// Where the services listen: base URLs without a trailing slash.
#[derive(Clone, Debug)]
pub(crate) struct Urls {
    pub(crate) devops: String,
    pub(crate) entra: String,
    pub(crate) arm: String,
    pub(crate) machine: String,
    pub(crate) graph: String,
}

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) journal: Journal,
    pub(crate) faults: Faults,
    pub(crate) urls: Urls,
    directory: Mutex<Directory>,
    storage: Mutex<Storage>,
    issued: Mutex<Vec<Issued>>,
    id_tokens: Mutex<HashMap<String, (String, i64)>>,
    arc_keys: Mutex<HashSet<String>>,
    /// By service; with room for more of them.
    connections: [AtomicU64; 16],
}

impl World {
    pub(crate) fn new(urls: Urls, clock: Clock, directory: Directory) -> Self {
        Self {
            clock,
            journal: Journal::default(),
            faults: Faults::default(),
            urls,
            directory: Mutex::new(directory),
            storage: Mutex::new(Storage::usual()),
            issued: Mutex::default(),
            id_tokens: Mutex::default(),
            arc_keys: Mutex::default(),
            connections: Default::default(),
        }
    }

    /// The directory. A panic while it was locked has failed its test already, and others may go on.
    pub(crate) fn directory(&self) -> MutexGuard<'_, Directory> {
        self.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The storage accounts.
    pub(crate) fn storage(&self) -> MutexGuard<'_, Storage> {
        self.storage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn record_issued(&self, kind: IssuedKind, value: &str) {
        let issued = Issued { kind, value: value.to_owned() };
        let mut all = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains(&issued) {
            all.push(issued);
        }
    }

    pub(crate) fn issued(&self) -> Vec<Issued> {
        let directory = self.directory();
        let mut all = self.issued.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.extend(issued::of_directory(&directory));
        all
    }

    /// The kind of a secret, which the journal shows in its place.
    pub(crate) fn kind_of(&self, secret: &str) -> Option<IssuedKind> {
        let all = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        let of_services = all.iter().find(|issued| issued.value == secret).map(|issued| issued.kind);
        drop(all);
        if of_services.is_some() || secret.is_empty() {
            return of_services;
        }
        let directory = self.directory();
        issued::of_directory(&directory).find(|issued| issued.value == secret).map(|issued| issued.kind)
    }

    /// For [`Directory::same_id_token_again`]: the last id token of a subject in a job, while it is valid.
    pub(crate) fn cached_id_token(&self, of: &str, now: i64) -> Option<String> {
        let kept = self.id_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(of).filter(|(_token, expires)| now < *expires).map(|(token, _expires)| token.clone())
    }

    pub(crate) fn cache_id_token(&self, of: String, token: &str, expires: i64) {
        let mut kept = self.id_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(of, (token.to_owned(), expires));
    }

    /// Records a key that an Azure Arc server's identity service wrote for one caller.
    pub(crate) fn add_arc_key(&self, key: &str) {
        self.record_issued(IssuedKind::ArcKey, key);
        self.arc_keys.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned());
    }

    /// Whether the key was written and not used yet; it counts as used from now on.
    pub(crate) fn take_arc_key(&self, key: &str) -> bool {
        self.arc_keys.lock().unwrap_or_else(PoisonError::into_inner).remove(key)
    }

    /// Counts a TCP connection and returns its number.
    pub(crate) fn count_connection(&self, service: Service) -> u64 {
        self.connections[service as usize].fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn connections(&self, service: Service) -> u64 {
        self.connections[service as usize].load(Ordering::Relaxed)
    }
}

//! The journal: every request in order, without its secrets.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One of the emulated services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Azure DevOps.
    DevOps,
    /// Entra's token service.
    Entra,
    /// Azure Resource Manager.
    Arm,
    /// The blob service of the storage accounts.
    Blob,
    /// The managed identity service of the agent's machine.
    Machine,
    /// Microsoft Graph.
    Graph,
    /// What signs id tokens for jobs, pods and machines outside of Azure Pipelines.
    Sources = 8,
    /// Other clouds: AWS, Google Cloud, Vault.
    Clouds,
}

/// One HTTP request.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The service that was asked.
    pub service: Service,
    /// The method.
    pub method: String,
    /// The path, as sent.
    pub path: String,
    /// The query, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Header names in lower case, with values; a secret is replaced by what kind it is (`<bearer job token>`).
    pub headers: Vec<(String, String)>,
    /// Form fields; a secret is replaced by what kind it is, and `client_assertion` by its unverified claims as JSON.
    pub form: Vec<(String, String)>,
    /// The body of a request to the resource manager, as text; empty for the other services, whose bodies may have secrets.
    pub body: String,
    /// The status of the answer; `None` before there is one.
    pub status: Option<u16>,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub http_version: String,
    /// Which TCP connection of the service it came by, counted from 1.
    pub connection: u64,
    /// Its place among all requests of this emulator, counted from 0.
    pub at: u64,
}

impl Entry {
    /// The first value of a query parameter.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        first(&self.query, name)
    }

    /// The first value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }

    /// The first value of a form field.
    #[must_use]
    pub fn form(&self, name: &str) -> Option<&str> {
        first(&self.form, name)
    }
}

/// The entries so far.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: Mutex<Vec<Entry>>,
}

impl Journal {
    /// Adds a request that has no answer yet, and returns its place.
    pub(crate) fn add(&self, mut entry: Entry) -> u64 {
        let mut entries = self.lock();
        let at = u64::try_from(entries.len()).expect("fewer requests than that");
        entry.at = at;
        entries.push(entry);
        at
    }

    pub(crate) fn set_status(&self, at: u64, status: u16) {
        let at = usize::try_from(at).expect("fewer requests than that");
        if let Some(entry) = self.lock().get_mut(at) {
            entry.status = Some(status);
        }
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.lock().clone()
    }

    pub(crate) fn count(&self, service: Service, what: &str) -> usize {
        let is_meant = |entry: &&Entry| {
            entry.service == service && format!("{} {}", entry.method, entry.path).contains(what)
        };
        self.lock().iter().filter(is_meant).count()
    }

    /// The journal as text, with a line for each request.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for entry in self.lock().iter() {
            let status = entry.status.map_or("…".to_owned(), |status| status.to_string());
            let query: Vec<String> =
                entry.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let mark = if query.is_empty() { "" } else { "?" };
            let _ = writeln!(
                text,
                "{:>3} {:<6} #{} {:<8} {} {}{mark}{} -> {status}",
                entry.at,
                format!("{:?}", entry.service),
                entry.connection,
                entry.http_version,
                entry.method,
                entry.path,
                query.join("&"),
            );
            for (name, value) in &entry.form {
                let _ = writeln!(text, "      {name}={value}");
            }
        }
        text
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn first<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

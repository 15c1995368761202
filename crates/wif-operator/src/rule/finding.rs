//! What a rule says of one connection or identity.

use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Entry;
use crate::{
    severity::Severity,
    snapshot::{Organization, connection::Connection},
};

/// The most elements that a list in the evidence has.
const MAX_LISTED: usize = 20;

/// What a rule says, before waivers and the baseline are asked.
#[derive(Clone, Debug)]
pub struct Draft {
    /// How bad it is.
    pub severity: Severity,
    /// The organization's name.
    pub organization: String,
    /// The organization's id.
    pub organization_id: Option<Uuid>,
    /// The connection. None for a finding about an identity or a request alone.
    pub connection: Option<Uuid>,
    /// The name of the project that owns the connection.
    pub project: Option<String>,
    /// What is wrong here, in a sentence.
    pub detail: String,
    /// The facts, by name.
    pub evidence: Map<String, Value>,
    /// What to do, in a sentence.
    pub fix: String,
    /// The next command, or the page to open.
    pub command: String,
    /// What tells two findings of one rule about one connection apart. It holds no name that can be changed.
    pub key: String,
}

/// How waivers find what is about no connection; empty, where there is no such name.
#[derive(Clone, Debug, Default)]
pub struct Unconnected {
    /// The client id of an application.
    pub id: String,
    /// The name of the application, or of the connection that is not there.
    pub name: String,
    /// The project that is to own that connection.
    pub project: String,
}

impl Draft {
    /// What it is about instead of a connection: an application, or a connection that is requested and not there.
    pub(crate) fn unconnected(&self) -> Unconnected {
        let of = |name: &str| self.evidence.get(name).and_then(Value::as_str).map(str::to_owned);
        if self.connection.is_some() {
            return Unconnected::default();
        }
        Unconnected {
            id: of("client").unwrap_or_default(),
            name: of("application").or_else(|| of("connection")).unwrap_or_default(),
            project: of("project").unwrap_or_default(),
        }
    }

    /// A finding about a connection.
    #[must_use]
    pub fn of(entry: Entry<'_>, severity: Severity, detail: impl Into<String>) -> Self {
        let Entry { organization, connection } = entry;
        Self {
            connection: Some(connection.id),
            project: connection.owner().map(|project| project.name.clone()),
            ..Self::without_connection(organization, severity, detail)
        }
    }

    /// A finding about no connection.
    #[must_use]
    pub fn without_connection(
        organization: &Organization,
        severity: Severity,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            organization: organization.name.clone(),
            organization_id: organization.id,
            connection: None,
            project: None,
            detail: detail.into(),
            evidence: Map::new(),
            fix: String::new(),
            command: String::new(),
            key: String::new(),
        }
    }

    /// Adds a fact.
    #[must_use]
    pub fn evidence(mut self, name: &str, value: impl Serialize) -> Self {
        // What cannot be written as JSON is a map with keys that are no text, and there is none here.
        let value = serde_json::to_value(value).unwrap_or_default();
        self.evidence.insert(name.to_owned(), value);
        self
    }

    /// Adds a list, of which the first are shown, and how many there are.
    #[must_use]
    pub fn evidence_list(self, name: &str, values: impl IntoIterator<Item = Value>) -> Self {
        let mut values: Vec<_> = values.into_iter().collect();
        let count = values.len();
        values.truncate(MAX_LISTED);
        self.evidence(name, values).evidence(&format!("{name}Count"), count)
    }

    /// Says what to do.
    #[must_use]
    pub fn fix(self, fix: impl Into<String>, command: impl Into<String>) -> Self {
        Self { fix: fix.into(), command: command.into(), ..self }
    }

    /// Tells it apart from another finding of the same rule about the same connection.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        Self { key: key.into(), ..self }
    }
}

/// How a connection is named to a person: its name alone, the report says where it is.
impl<'a> From<(&'a Organization, &'a Connection)> for Entry<'a> {
    fn from((organization, connection): (&'a Organization, &'a Connection)) -> Self {
        Self { organization, connection }
    }
}

//! What a rule is given: everything that was read, the moment to judge it by, and what the caller set.

use std::collections::{BTreeMap, BTreeSet};

use time::Duration;
use uuid::Uuid;

use crate::{
    credential::CredentialKind,
    moment::Moment,
    request::Request,
    snapshot::{
        Coverage, Existence, Layer, Organization, Snapshot, State,
        connection::Connection,
        identity::{Identity, Subscription},
    },
};

/// What the caller of the audit set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The moment that everything is judged by.
    pub now: Moment,
    /// How long before its end a secret is warned of.
    pub expires_within: Duration,
    /// How long a connection may go unused.
    pub unused_for: Duration,
    /// What was asked for, by the request files.
    pub requests: Vec<Request>,
    /// Of each request's file the fields that differ, as far as that was judged before people were redacted.
    pub differing: Option<BTreeMap<String, BTreeSet<String>>>,
}

impl Settings {
    /// Where nothing is judged but what requests ask for.
    #[must_use]
    pub const fn of_requests(now: Moment, requests: Vec<Request>) -> Self {
        let (expires_within, unused_for) = (Duration::ZERO, Duration::ZERO);
        Self { now, expires_within, unused_for, requests, differing: None }
    }
}

/// Everything that was read, with what rules look up in it.
pub struct Context<'a> {
    /// What was read.
    pub snapshot: &'a Snapshot,
    /// What the caller set.
    pub settings: &'a Settings,
    by_client: BTreeMap<Uuid, Vec<Entry<'a>>>,
    identities: BTreeMap<(Uuid, Option<Uuid>), &'a Identity>,
    subscriptions: BTreeMap<&'a str, &'a Subscription>,
}

/// A connection and its organization.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// The organization.
    pub organization: &'a Organization,
    /// The connection.
    pub connection: &'a Connection,
}

impl Entry<'_> {
    /// What it signs in with.
    #[must_use]
    pub fn credential(self) -> CredentialKind {
        CredentialKind::of(self.connection)
    }
}

impl<'a> Context<'a> {
    /// Prepares what rules look up.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot, settings: &'a Settings) -> Self {
        let mut context = Self {
            snapshot,
            settings,
            by_client: BTreeMap::new(),
            identities: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
        };
        for organization in &snapshot.organizations {
            for connection in &organization.connections {
                if let Some(client) = client_of(connection) {
                    context.by_client.entry(client).or_default().push(Entry { organization, connection });
                }
            }
            for identity in &organization.identities {
                let known = context.identities.entry((identity.client, identity.tenant)).or_insert(identity);
                if known.existence == Existence::Unknown {
                    *known = identity;
                }
            }
            let scopes = organization.subscriptions.iter();
            context.subscriptions.extend(scopes.map(|scope| (scope.scope.as_str(), scope)));
        }
        context
    }

    /// The moment that everything is judged by.
    #[must_use]
    pub const fn now(&self) -> Moment {
        self.settings.now
    }

    /// Every connection of which more can be seen than that it exists.
    pub fn visible(&self) -> impl Iterator<Item = Entry<'a>> {
        let organizations = self.snapshot.organizations.iter();
        let all = organizations.flat_map(|organization| {
            organization.connections.iter().map(move |connection| Entry { organization, connection })
        });
        all.filter(|entry| entry.connection.is_visible)
    }

    /// The application or managed identity of a connection, as far as it was read.
    #[must_use]
    pub fn identity(&self, connection: &Connection) -> Option<&'a Identity> {
        let client = client_of(connection)?;
        let exact = self.identities.get(&(client, connection.tenant));
        exact.or_else(|| self.identities.get(&(client, None))).copied()
    }

    /// All connections, in every organization, that use an application or managed identity.
    #[must_use]
    pub fn users_of(&self, client: Uuid) -> &[Entry<'a>] {
        self.by_client.get(&client).map(Vec::as_slice).unwrap_or_default()
    }

    /// The subscription or management group that a scope lies in, as far as it was read.
    #[must_use]
    pub fn subscription(&self, scope: &str) -> Option<&'a Subscription> {
        self.subscriptions.get(root_of(scope).as_str()).copied()
    }

    /// Whether this organization is none of the run. As long as one of the run did not tell its id, it could be that one.
    #[must_use]
    pub fn is_foreign(&self, id: Option<Uuid>) -> bool {
        self.snapshot.organizations.iter().all(|one| one.id.is_some() && one.id != id)
    }

    /// Whether every connection of an organization was listed, so that one that is not there does not exist.
    #[must_use]
    pub fn is_list_complete(&self, organization: &Organization) -> bool {
        let is_list = |entry: &&Coverage| entry.layer == Layer::List && entry.connection.is_none();
        let mut list = organization.coverage.iter().filter(is_list).peekable();
        self.snapshot.projects.is_empty()
            && list.peek().is_some()
            && list.all(|entry| entry.state == State::Read)
    }
}

/// The application or managed identity that a connection signs in as. A publish profile, or the identity of a machine, may be
/// written beside the id of an application that it does not use.
#[must_use]
pub fn client_of(connection: &Connection) -> Option<Uuid> {
    let kind = CredentialKind::of(connection);
    let is_used =
        matches!(kind, CredentialKind::Federated | CredentialKind::Secret | CredentialKind::Certificate);
    connection.client.filter(|_| is_used)
}

/// `/subscriptions/ID` or `/providers/Microsoft.Management/managementGroups/ID` of a scope, in lower case.
#[must_use]
pub fn root_of(scope: &str) -> String {
    let scope = scope.to_ascii_lowercase();
    let segments: Vec<_> = scope.trim_matches('/').split('/').collect();
    let length = if segments.first() == Some(&"subscriptions") { 2 } else { 4 };
    let root: Vec<_> = segments.into_iter().take(length).collect();
    format!("/{}", root.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_lies_in_its_subscription_or_management_group() {
        assert_eq!(root_of("/subscriptions/AB/resourceGroups/rg"), "/subscriptions/ab");
        assert_eq!(root_of("/subscriptions/ab/"), "/subscriptions/ab");
        let group = "/providers/Microsoft.Management/managementGroups/Root";
        assert_eq!(root_of(group), group.to_ascii_lowercase());
        assert_eq!(root_of("/"), "/");
    }
}

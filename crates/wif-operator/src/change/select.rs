//! Which connections a plan is about.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::{glob, nearest::nearest, snapshot::connection::Connection};

/// What the caller names.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Names or ids.
    pub connections: Vec<String>,
    /// Patterns of names.
    pub names: Vec<String>,
    /// Ids of the findings of an audit.
    pub ids: Option<BTreeSet<Uuid>>,
    /// Everything that can be changed.
    pub all: bool,
}

/// A name that matches nothing, and the nearest that do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoMatch {
    /// The name.
    pub name: String,
    /// The nearest.
    pub near: Vec<String>,
}

impl Wanted {
    /// Whether the caller names anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty() && self.names.is_empty() && self.ids.is_none() && !self.all
    }

    /// Whether the caller names this connection itself, and so wants to hear of it in any case.
    #[must_use]
    pub fn is_named(&self, connection: &Connection) -> bool {
        self.connections.iter().any(|name| is(connection, name))
            || self.matches(connection.id, &connection.name)
    }

    /// Whether a pattern of the caller matches this name, or a finding is about this id.
    #[must_use]
    pub fn matches(&self, id: Uuid, name: &str) -> bool {
        self.names.iter().any(|pattern| glob::matches(pattern, name))
            || self.ids.as_ref().is_some_and(|ids| ids.contains(&id))
    }

    /// The connections that are meant, in the order of their ids.
    ///
    /// # Errors
    ///
    /// A name matches nothing.
    pub fn among<'c>(&self, all: &'c [Connection]) -> Result<Vec<&'c Connection>, NoMatch> {
        for name in &self.connections {
            if !all.iter().any(|one| is(one, name)) {
                let near = nearest(name, all.iter().map(|one| one.name.as_str()));
                let near = near.into_iter().map(str::to_owned).collect();
                return Err(NoMatch { name: name.clone(), near });
            }
        }
        Ok(all.iter().filter(|one| self.all || self.is_named(one)).collect())
    }
}

fn is(connection: &Connection, name: &str) -> bool {
    connection.id.to_string().eq_ignore_ascii_case(name)
        || connection.name.to_lowercase() == name.to_lowercase()
        || connection.projects.iter().any(|one| one.connection_name.to_lowercase() == name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{connection, connection_id};

    #[test]
    fn connections_are_named_by_name_id_pattern_or_finding() {
        let all = [connection(1), connection(2), connection(13)];
        let ids = |wanted: &Wanted| {
            let found = wanted.among(&all).unwrap();
            found.iter().map(|one| one.id).collect::<Vec<_>>()
        };
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(ids(&Wanted { connections: names(&["SC-2"]), ..Wanted::default() }), [connection_id(2)]);
        let id = connection_id(13).to_string();
        assert_eq!(ids(&Wanted { connections: names(&[&id]), ..Wanted::default() }), [connection_id(13)]);
        assert_eq!(
            ids(&Wanted { names: names(&["sc-1*"]), ..Wanted::default() }),
            [connection_id(1), connection_id(13)]
        );
        assert!(ids(&Wanted { names: names(&["x*"]), ..Wanted::default() }).is_empty());
        assert_eq!(
            ids(&Wanted { ids: Some([connection_id(1)].into()), ..Wanted::default() }),
            [connection_id(1)]
        );
        assert_eq!(ids(&Wanted { all: true, ..Wanted::default() }).len(), 3);
        let error = Wanted { connections: names(&["sc-3"]), ..Wanted::default() }.among(&all).unwrap_err();
        assert!(error.near.contains(&"sc-1".to_owned()), "{error:?}");
    }
}

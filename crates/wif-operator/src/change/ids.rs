//! By which the services know what a step has made or found.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// By which the services know what a step has made or found, as far as that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Ids {
    /// The application (client) id of the identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<Uuid>,
    /// The object id of the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<Uuid>,
    /// The object id of the service principal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<Uuid>,
    /// The path of the managed identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<Uuid>,
    /// The federated credential of an application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<Uuid>,
    /// The path of the role assignment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignment: Option<String>,
    /// The check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<u64>,
    /// The names of federated credentials that were added before, and that the step has removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
}

impl Ids {
    /// Whether nothing was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These, and where they lack one, that of others.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        let mut removed = self.removed;
        let theirs = others.removed.into_iter();
        theirs.for_each(|name| {
            if !removed.contains(&name) {
                removed.push(name);
            }
        });
        Self {
            client: self.client.or(others.client),
            application: self.application.or(others.application),
            principal: self.principal.or(others.principal),
            resource: self.resource.or(others.resource),
            connection: self.connection.or(others.connection),
            credential: self.credential.or(others.credential),
            assignment: self.assignment.or(others.assignment),
            check: self.check.or(others.check),
            removed,
        }
    }

    /// Those that every step of a connection shares: a credential, a role assignment and a check are of one step.
    #[must_use]
    pub fn shared(self) -> Self {
        Self { credential: None, assignment: None, check: None, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_step_knows_itself_wins_and_its_check_is_no_other_step_s() {
        let own = Ids { client: Some(Uuid::from_u128(1)), check: Some(7), ..Ids::default() };
        let other = Ids {
            client: Some(Uuid::from_u128(2)),
            principal: Some(Uuid::from_u128(3)),
            check: Some(8),
            assignment: Some("/a".to_owned()),
            ..Ids::default()
        };
        let both = own.or(other.shared());
        assert_eq!((both.client, both.principal), (Some(Uuid::from_u128(1)), Some(Uuid::from_u128(3))));
        assert_eq!((both.check, &both.assignment), (Some(7), &None));
        assert!(Ids::default().is_empty() && !both.is_empty());
        // A step's own are among those that all steps share.
        let removed = |names: &[&str]| Ids {
            removed: names.iter().map(ToString::to_string).collect(),
            ..Ids::default()
        };
        assert_eq!(removed(&["a", "b"]).or(removed(&["b", "c"])), removed(&["a", "b", "c"]));
    }
}

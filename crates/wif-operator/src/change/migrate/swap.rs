//! The names that an old and a new connection swap, so that pipelines need not be edited.

use serde_json::Value;
use uuid::Uuid;

use super::gather::Gathered;
use crate::{
    change::{
        candidate::Reason,
        plan::{ManagedBy, Step},
        service::Services,
        vend::{
            asked::{Asked, Change, mark_beside},
            checks::{copy_of, is_off, name_of},
            look,
            making::{ADMINISTRATOR, step},
            names::{BEFORE, Renaming, renamings, told},
        },
    },
    credential::{CredentialKind, IssuerKind},
    snapshot::{Organization, connection::Connection},
};

const CALL: &str =
    "PUT _apis/serviceendpoint/endpoints, the connection as it was read: what it stores is never given out";

/// The connection that was put beside an old one, whatever the two are called by now.
#[must_use]
pub fn successor_of(old: Uuid, organization: &Organization) -> Option<&Connection> {
    let mark = mark_beside(old);
    let is_it = |one: &&Connection| one.description.as_deref().is_some_and(|text| text.contains(&mark));
    organization.connections.iter().find(is_it)
}

/// Whether a connection can give its name away, and go on signing in when it is called something else.
///
/// # Errors
///
/// It cannot, for this reason.
pub fn can_be_renamed(connection: &Connection, managed_by: ManagedBy) -> Result<(), Reason> {
    if matches!(managed_by, ManagedBy::Terraform | ManagedBy::Bicep) {
        return Err(Reason::new(
            "its names cannot be swapped: code manages it, and would give it its name back",
            "leave --swap-names out, and change the names in the code",
        ));
    }
    let issuer = connection.issuer.as_deref().and_then(IssuerKind::of);
    match CredentialKind::of(connection) {
        CredentialKind::Federated if issuer == Some(IssuerKind::DevOps) => Err(Reason::new(
            "its names cannot be swapped: it is on the Azure DevOps issuer, whose subject holds the name",
            "move it first: wif issuer plan; or leave --swap-names out",
        )),
        CredentialKind::Federated if issuer != Some(IssuerKind::Entra) => Err(Reason::unread(
            "its issuer was not read, whose subject may hold the name",
            "use a token of an administrator of this connection, or leave --swap-names out",
        )),
        _ => Ok(()),
    }
}

/// Whether the new connection is guarded as the old one is when it gets the name: from then on pipelines use it.
///
/// # Errors
///
/// A person has to make a check first, or it could not be seen whether it is there.
pub async fn is_guarded(services: &Services, old: &Gathered, new: Option<Uuid>) -> Result<(), Reason> {
    for guards in &old.projects {
        let by_hand = guards.checks.iter().filter(|check| !is_off(check) && copy_of(check).is_none());
        let by_hand: Vec<_> = by_hand.collect();
        let there = match new.filter(|_| !by_hand.is_empty()) {
            Some(new) => services.checks(guards.project.id, new).await.map_err(|error| {
                let reason = format!("the checks of the new connection could not be read: {error}");
                Reason::unread(reason, "use a token that may read them")
            })?,
            None => Vec::new(),
        };
        let lacks = |check: &&&Value| {
            let (kind, name) = (kind_of(check), name_of(check));
            !there.iter().any(|one| !is_off(one) && kind_of(one) == kind && name_of(one) == name)
        };
        if let Some(check) = by_hand.iter().find(lacks) {
            let name = name_of(check);
            return Err(Reason::new(
                format!("its names cannot be swapped yet: the new connection lacks its check {name}"),
                "migrate it without --swap-names, make that check for the new connection, and swap the names by a second plan",
            ));
        }
    }
    Ok(())
}

fn kind_of(check: &Value) -> Option<&str> {
    check.pointer("/type/id").and_then(Value::as_str)
}

/// Looks whether the names are free that the old connection would get.
///
/// # Errors
///
/// One of them is taken, or that could not be read.
pub async fn are_names_free(services: &Services, asked: &Asked) -> Result<(), Reason> {
    for Renaming { project, to: name, .. } in renamings(asked, &Change::SetAside) {
        let mut found = services.connections_named(project.id, &name).await.map_err(|error| {
            let reason = format!("what is called {name} in {} could not be read: {error}", project.name);
            Reason::unread(reason, "use a token that may read the connections of its projects")
        })?;
        // The old one may have it already, of a swap that was not ended.
        let old = asked.beside.as_ref().map(|beside| beside.connection);
        found.retain(|one| look::id(one, "id") != old);
        if !found.is_empty() {
            let reason = format!(
                "its names cannot be swapped: another connection in {} is called {name}",
                project.name
            );
            return Err(Reason::new(reason, "rename or delete that one, or leave --swap-names out"));
        }
    }
    Ok(())
}

/// The last steps of a migration: the old connection is called something else, and the new one gets its name.
#[must_use]
pub fn steps(asked: &Asked) -> Vec<Step> {
    let renaming = |(who, change): (&str, Change)| {
        let renamings = renamings(asked, &change);
        if renamings.is_empty() {
            return None;
        }
        let title = format!("rename the {who} connection: {}", told(&renamings));
        let mut step = step("~", title, change, (CALL, ADMINISTRATOR));
        "the new connection is proven, and the name is the one that was read"
            .clone_into(&mut step.precondition);
        "it has its new name in each project".clone_into(&mut step.read_back);
        Some(step)
    };
    [("old", Change::SetAside), ("new", Change::TakeName)].into_iter().filter_map(renaming).collect()
}

/// What a person should know of it.
#[must_use]
pub fn notes(connection: &Connection, old: &Gathered) -> Vec<String> {
    let name = connection.name.as_str();
    let mut notes = vec![format!(
        "between the two renamings, for seconds, a pipeline that begins does not find {name}; from then on it is the new one's name, and the old one is {name}{BEFORE}: see wif migrate status JOURNAL"
    )];
    if old.projects.iter().any(|guards| guards.is_open) {
        notes.push(format!(
            "a pipeline that has never used {name} stops at its first run, until it is authorized: the old one was open to all"
        ));
    }
    if CredentialKind::of(connection) != CredentialKind::Federated {
        notes.push(format!(
            "a renaming saves the old connection without its stored secret, and it is not documented whether Azure DevOps keeps it: apply tries {name} before and after, and tells if it does not sign in any more"
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{connection, identity, store_secret};

    #[test]
    fn only_what_does_not_hold_the_name_in_its_subject_is_renamed() {
        let renamed = |plant: fn(&mut Connection)| {
            let mut one = connection(1);
            plant(&mut one);
            can_be_renamed(&one, ManagedBy::None).map_err(|reason| reason.unread)
        };
        assert_eq!(renamed(|_| {}), Ok(()));
        assert_eq!(renamed(|one| store_secret(one, &mut identity(1))), Ok(()));
        assert_eq!(renamed(|one| one.issuer = None), Err(true));
        assert_eq!(renamed(|one| one.issuer = Some("https://example.com".to_owned())), Err(true));
        for old in ["https://vstoken.dev.azure.com/7", "https://app.vstoken.visualstudio.com"] {
            let mut one = connection(1);
            one.issuer = Some(old.to_owned());
            assert!(!can_be_renamed(&one, ManagedBy::None).unwrap_err().unread, "{old}");
        }
        assert!(can_be_renamed(&connection(1), ManagedBy::Unknown).is_ok());
        for code in [ManagedBy::Terraform, ManagedBy::Bicep] {
            assert!(can_be_renamed(&connection(1), code).unwrap_err().reason.contains("code manages it"));
        }
    }
}

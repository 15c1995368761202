//! The names that an old and a new connection swap, so that pipelines need not be edited.

use crate::{
    change::{
        convert::Reason,
        plan::{PlannedProject, Step},
        service::Services,
        vend::{
            asked::{Asked, Change},
            making::{ADMINISTRATOR, step},
            names::{BEFORE, renamings, told},
        },
    },
    credential::{CredentialKind, IssuerKind},
    snapshot::connection::Connection,
};

const CALL: &str = "PUT _apis/serviceendpoint/endpoints, the whole connection as it was read";

/// Whether a connection goes on signing in when it is called something else.
///
/// # Errors
///
/// Its name is part of what its identity trusts, or that is not known.
pub fn can_be_renamed(connection: &Connection) -> Result<(), Reason> {
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

/// Looks whether the names are free that the old connection would get.
///
/// # Errors
///
/// One of them is taken, or that could not be read.
pub async fn are_names_free(services: &Services, old: &[(PlannedProject, &str)]) -> Result<(), Reason> {
    for (project, name) in old {
        let name = format!("{name}{BEFORE}");
        let found = services.connections_named(project.id, &name).await.map_err(|error| {
            let reason = format!("what is called {name} in {} could not be read: {error}", project.name);
            Reason::unread(reason, "use a token that may read the connections of its projects")
        })?;
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
pub fn notes(asked: &Asked, connection: &Connection) -> Vec<String> {
    let name = connection.name.as_str();
    let mut notes = vec![format!(
        "between the two renamings, for seconds, a pipeline that begins does not find {name}; from then on it is the new one's name, and the old one is {name}{BEFORE}: see wif migrate status JOURNAL"
    )];
    if CredentialKind::of(connection) != CredentialKind::Federated {
        notes.push(format!(
            "a renaming saves the old connection without its stored secret, and it is not documented whether Azure DevOps keeps it: {} may not sign in any more",
            asked.beside.as_deref().map_or(name, |beside| &beside.name)
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
            can_be_renamed(&one).map_err(|reason| reason.unread)
        };
        assert_eq!(renamed(|_| {}), Ok(()));
        assert_eq!(renamed(|one| store_secret(one, &mut identity(1))), Ok(()));
        assert_eq!(renamed(|one| one.issuer = None), Err(true));
        assert_eq!(renamed(|one| one.issuer = Some("https://example.com".to_owned())), Err(true));
        for old in ["https://vstoken.dev.azure.com/7", "https://app.vstoken.visualstudio.com"] {
            let mut one = connection(1);
            one.issuer = Some(old.to_owned());
            assert!(!can_be_renamed(&one).unwrap_err().unread, "{old}");
        }
    }
}

//! `--redact`: no names and mail addresses of people leave the company with a report or snapshot.

use crate::{
    request::Request,
    snapshot::{
        Snapshot,
        connection::{Connection, Member},
        identity::Identity,
    },
};

/// What stands where a name was.
/// In place of a mail address.
pub(crate) const ADDRESS: &str = "(an address)";
pub(crate) const PERSON: &str = "(a person)";

/// Removes names and mail addresses of people. Names of groups, applications and connections stay.
pub fn redact(snapshot: &mut Snapshot) {
    snapshot.redacted = true;
    for organization in &mut snapshot.organizations {
        organization.connections.iter_mut().for_each(redact_connection);
        organization.identities.iter_mut().for_each(redact_identity);
        for entry in &mut organization.coverage {
            entry.why = without_addresses(&entry.why);
        }
    }
    snapshot.sort();
}

/// Removes mail addresses and the names of approvers from what is asked for, so that it can be compared with what is redacted.
pub fn redact_request(request: &mut Request) {
    for text in [&mut request.owner, &mut request.reason] {
        *text = without_addresses(text);
    }
    for approver in &mut request.approvers {
        if !is_group(approver) {
            PERSON.clone_into(approver);
        }
    }
}

fn redact_connection(connection: &mut Connection) {
    if let Some(creator) = &mut connection.created_by {
        (creator.name, creator.unique_name) = (None, None);
    }
    for text in [&mut connection.description, &mut connection.operation_message, &mut connection.scope_name] {
        *text = text.as_deref().map(without_addresses);
    }
    for member in connection.projects.iter_mut().flat_map(|project| project.members.iter_mut().flatten()) {
        redact_member(member);
    }
    for approver in connection.checks.iter_mut().flatten().flat_map(|check| &mut check.approvers) {
        if !is_group(approver) {
            PERSON.clone_into(approver);
        }
    }
}

/// A build service is an account, not a person.
fn redact_member(member: &mut Member) {
    let is_service = member.name.contains("Build Service (");
    if member.is_group != Some(true) && !is_group(&member.name) && !is_service {
        PERSON.clone_into(&mut member.name);
    }
}

fn redact_identity(identity: &mut Identity) {
    for owner in identity.owners.iter_mut().flatten().filter(|owner| !owner.is_service) {
        (owner.name, owner.user_principal_name) = (None, None);
    }
    for role in identity.roles.iter_mut().flatten() {
        role.description = role.description.as_deref().map(without_addresses);
    }
    let stored = identity.secrets.iter_mut().chain(&mut identity.certificates).flatten();
    for one in stored {
        one.name = one.name.as_deref().map(without_addresses);
    }
}

/// `[Platform]\Leads`: groups of Azure DevOps have a scope before the backslash.
fn is_group(name: &str) -> bool {
    name.starts_with('[') && name.contains("]\\")
}

/// The text, with a mark in place of each word that is a mail address.
#[must_use]
pub fn without_addresses(text: &str) -> String {
    let is_address = |word: &str| {
        let mut parts = word.split('@');
        let (before, after) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        !before.is_empty() && after.contains('.')
    };
    let ends = |c: char| c.is_whitespace() || "<>()[]{},;:'\"".contains(c);
    let word = |piece: &str| {
        let word = piece.trim_end_matches(ends);
        let rest = piece.strip_prefix(word).unwrap_or_default();
        if is_address(word) { format!("{ADDRESS}{rest}") } else { piece.to_owned() }
    };
    text.split_inclusive(ends).map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        snapshot::{
            connection::{Check, CheckKind},
            lines,
        },
        testing::Planted,
    };

    #[test]
    fn no_name_and_no_address_of_a_person_stays() {
        let planted = Planted::new().with(2, |connection, _| {
            connection.description = Some("ask Ada <ada@contoso.com>, or ops@contoso.com.".to_owned());
            connection.checks = Some(vec![Check {
                kind: CheckKind::Approval,
                name: None,
                is_disabled: false,
                branches: Vec::new(),
                approvers: vec!["Ada Byron".to_owned(), "[Platform]\\Leads".to_owned()],
            }]);
            let member = |name: &str, is_group| Member {
                role: "User".to_owned(),
                name: name.to_owned(),
                id: "1".to_owned(),
                is_inherited: false,
                is_group,
            };
            connection.projects[0].members =
                Some(vec![member("Ada Byron", Some(false)), member("[Platform]\\Contributors", None)]);
        });
        let mut snapshot = planted.snapshot();
        redact(&mut snapshot);
        let mut text = Vec::new();
        lines::write(&snapshot, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(
            !text.contains("ada@contoso.com") && !text.contains("ops@") && !text.contains("Byron"),
            "{text}"
        );
        assert!(text.contains("Leads") && text.contains("Contributors") && text.contains("app-2"), "{text}");
    }
}

//! `--redact`: no names and mail addresses of people leave the company with a report or snapshot.

use std::collections::BTreeSet;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    request::Request,
    snapshot::{
        Organization, Snapshot,
        connection::{Connection, Member},
        identity::Identity,
    },
};

/// In place of a mail address.
pub(crate) const ADDRESS: &str = "(an address)";
/// In place of a person's name.
pub(crate) const PERSON: &str = "(a person)";
/// What stands before the status in the reason of a refusal; a service's own sentence, which names people, may follow.
const ANSWERED: &str = "(it answered ";

/// Removes names and mail addresses of people. Names of groups, applications and connections stay, but for the people in them.
///
/// # Errors
///
/// A record cannot be written or read again: a bug.
pub fn redact(snapshot: &mut Snapshot) -> Result<(), serde_json::Error> {
    snapshot.redacted = true;
    let people = People::of(snapshot);
    for name in &mut snapshot.projects {
        *name = people.hide(name);
    }
    for organization in &mut snapshot.organizations {
        let services = build_services(organization);
        organization.connections.iter_mut().for_each(|one| redact_connection(one, &services));
        organization.identities.iter_mut().for_each(redact_identity);
        for entry in &mut organization.coverage {
            entry.why = without_sentence(&entry.why);
        }
        people.hide_in_all(&mut organization.projects)?;
        people.hide_in_all(&mut organization.connections)?;
        people.hide_in_all(&mut organization.identities)?;
        people.hide_in_all(&mut organization.subscriptions)?;
        people.hide_in_all(&mut organization.coverage)?;
    }
    snapshot.sort();
    Ok(())
}

/// Removes mail addresses and the names of approvers from what is asked for, so that it can be compared with what is redacted.
pub fn redact_request(request: &mut Request) {
    let names = [&mut request.owner, &mut request.reason, &mut request.connection];
    for text in names.into_iter().chain(&mut request.projects).chain(&mut request.pipelines) {
        *text = without_addresses(text);
    }
    for approver in &mut request.approvers {
        if !is_group(approver) {
            PERSON.clone_into(approver);
        }
    }
}

/// Names of people, as they stand in other texts: `Ada Bauer's connection`.
struct People(Vec<String>);

impl People {
    /// The people that a snapshot names. A name of one word is a word that means something else, too, and so is the name of a project.
    fn of(snapshot: &Snapshot) -> Self {
        let mut names = BTreeSet::new();
        for organization in &snapshot.organizations {
            let services = build_services(organization);
            for connection in &organization.connections {
                names.extend(connection.created_by.as_ref().and_then(|one| one.name.clone()));
                let members = connection.projects.iter().flat_map(|one| one.members.iter().flatten());
                names.extend(members.filter(|one| one.is_group != Some(true)).map(|one| one.name.clone()));
                names.extend(connection.checks.iter().flatten().flat_map(|one| one.approvers.clone()));
            }
            let owners = organization.identities.iter().flat_map(|one| one.owners.iter().flatten());
            names.extend(owners.filter(|one| !one.is_service).filter_map(|one| one.name.clone()));
            names.retain(|name| !services.contains(name));
        }
        let projects = snapshot.organizations.iter().flat_map(|one| &one.projects);
        for project in projects {
            names.remove(&project.name);
        }
        names.retain(|name| name.trim().contains(char::is_whitespace) && !is_group(name) && name != PERSON);
        let mut names: Vec<_> = names.into_iter().collect();
        // A name that holds another is looked for first.
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        Self(names)
    }

    /// A text without these people, and without mail addresses.
    fn hide(&self, text: &str) -> String {
        let mut text = without_addresses(text);
        for name in &self.0 {
            if text.contains(name.as_str()) {
                text = text.replace(name.as_str(), PERSON);
            }
        }
        text
    }

    /// Hides them in every text of records, whatever field it is: one that is added later is no exception.
    fn hide_in_all<T: Serialize + DeserializeOwned>(
        &self,
        records: &mut [T],
    ) -> Result<(), serde_json::Error> {
        for record in records {
            let mut value = serde_json::to_value(&*record)?;
            if self.hide_in(&mut value) {
                *record = serde_json::from_value(value)?;
            }
        }
        Ok(())
    }

    /// Whether something was hidden.
    fn hide_in(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => {
                let hidden = self.hide(text);
                let is_changed = hidden != *text;
                *text = hidden;
                is_changed
            }
            Value::Array(items) => items.iter_mut().fold(false, |changed, item| self.hide_in(item) | changed),
            Value::Object(fields) => {
                fields.values_mut().fold(false, |changed, item| self.hide_in(item) | changed)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
}

fn redact_connection(connection: &mut Connection, services: &BTreeSet<String>) {
    if let Some(creator) = &mut connection.created_by {
        (creator.name, creator.unique_name) = (None, None);
    }
    for member in connection.projects.iter_mut().flat_map(|project| project.members.iter_mut().flatten()) {
        redact_member(member, services);
    }
    for approver in connection.checks.iter_mut().flatten().flat_map(|check| &mut check.approvers) {
        if !is_group(approver) {
            PERSON.clone_into(approver);
        }
    }
}

/// People choose their names, also such as a group or a build service has. What a rule finds by such a name it still finds.
fn redact_member(member: &mut Member, services: &BTreeSet<String>) {
    let is_group = member.is_group.unwrap_or_else(|| is_group(&member.name));
    if is_group || services.contains(&member.name) {
        return;
    }
    let looks_like_service = member.name.to_lowercase().contains("build service (");
    member.name = if looks_like_service { format!("{PERSON} Build Service ()") } else { PERSON.to_owned() };
}

/// `Platform Build Service (contoso)`: accounts that Azure DevOps makes for each project, and one for all.
fn build_services(organization: &Organization) -> BTreeSet<String> {
    let projects = organization.projects.iter().map(|one| one.name.as_str());
    let all = projects.chain(["Project Collection"]);
    all.map(|of| format!("{of} Build Service ({})", organization.name)).collect()
}

fn redact_identity(identity: &mut Identity) {
    for owner in identity.owners.iter_mut().flatten().filter(|owner| !owner.is_service) {
        (owner.name, owner.user_principal_name) = (None, None);
    }
}

/// `[Platform]\Leads`: groups of Azure DevOps have a scope before the backslash.
fn is_group(name: &str) -> bool {
    name.starts_with('[') && name.contains("]\\")
}

/// The reason of a gap without the service's own sentence, which as a rule names the caller: `(it answered 403, Code: Ada may not…)`.
fn without_sentence(why: &str) -> String {
    let parts = why.split_once(ANSWERED).and_then(|(before, rest)| Some((before, rest.rsplit_once(')')?)));
    let Some((before, (answer, after))) = parts else { return why.to_owned() };
    let answer = answer.split_once(": ").map_or(answer, |(code, _sentence)| code);
    let is_code = |c: char| c.is_ascii_alphanumeric() || "_.-, ".contains(c);
    let answer = if answer.chars().all(is_code) { answer } else { answer.get(..3).unwrap_or_default() };
    format!("{before}{ANSWERED}{answer}){after}")
}

/// The text, with a mark in place of each word that is a mail address.
#[must_use]
pub fn without_addresses(text: &str) -> String {
    if !text.contains('@') {
        return text.to_owned();
    }
    let is_address = |word: &str| {
        word.match_indices('@').any(|(at, _)| {
            let (before, after) = word.split_at_checked(at).unwrap_or_default();
            before.contains(char::is_alphanumeric) && after.contains('.')
        })
    };
    let ends = |c: char| c.is_whitespace() || "<>()[]{},;:'\"/\\|`=".contains(c);
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

    /// Whatever text a field has, a person of a name that was read and a mail address are in none.
    #[test]
    fn no_name_and_no_address_of_a_person_is_in_any_text() {
        let leak = "x Ada Byron <ada@contoso.com>, o=ops@contoso.com. @@eve@contoso.com sc/bob@contoso.com";
        let mut snapshot = no_people();
        let organization = &mut snapshot.organizations[0];
        organization.coverage[0].why = format!("list of {leak}");
        organization.projects[0].name = leak.to_owned();
        organization.subscriptions[0].name = Some(leak.to_owned());
        let texts = |value: &mut Value| plant(value, leak);
        change(&mut organization.connections, texts);
        change(&mut organization.identities, texts);
        organization.connections[0].created_by.as_mut().unwrap().name = Some("Ada Byron".to_owned());
        redact(&mut snapshot).unwrap();
        let text = saved(&snapshot);
        for person in ["@contoso", "Byron"] {
            assert!(!text.contains(person), "{person}: {text}");
        }
        let again = text.clone();
        redact(&mut snapshot).unwrap();
        assert_eq!(saved(&snapshot), again);
    }

    fn member(name: &str, is_group: Option<bool>) -> Member {
        Member {
            role: "User".to_owned(),
            name: name.to_owned(),
            id: "1".to_owned(),
            is_inherited: false,
            is_group,
        }
    }

    /// Names as people and services may choose them, or as they stand in what a service says.
    #[test]
    fn a_person_with_the_name_of_a_group_or_a_service_is_a_person() {
        let planted = Planted::new().with(2, |connection, _| {
            connection.projects[0].members = Some(vec![
                member("[Byron]\\Ada", Some(false)),
                member("Byron Build Service (contoso)", Some(false)),
                member("Platform Build Service (contoso)", Some(false)),
                member("[Platform]\\Contributors", Some(true)),
            ]);
        });
        let mut snapshot = planted.snapshot();
        let said = "permissions: Azure DevOps refused (it answered 403, AccessDenied: Byron (x@y.z) may not (a, b)); give the role";
        said.clone_into(&mut snapshot.organizations[0].coverage[0].why);
        redact(&mut snapshot).unwrap();
        let text = saved(&snapshot);
        assert!(!text.contains("Byron"), "{text}");
        assert!(
            text.contains(
                "\"permissions: Azure DevOps refused (it answered 403, AccessDenied); give the role\""
            ),
            "{text}"
        );
        assert!(
            text.contains("\"Platform Build Service (contoso)\"") && text.contains("Contributors"),
            "{text}"
        );
        // The rule on broad groups finds what it would have found.
        assert!(text.contains("\"(a person) Build Service ()\""), "{text}");
    }

    fn saved(snapshot: &Snapshot) -> String {
        let mut text = Vec::new();
        lines::write(snapshot, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    fn no_people() -> Snapshot {
        let planted = Planted::new().with(2, |connection, _| {
            connection.operation_message = Some(String::new());
            connection.checks = Some(Vec::new());
        });
        planted.snapshot()
    }

    /// Adds to every text of a record that is not one of a few words or an id.
    fn plant(value: &mut Value, leak: &str) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| plant(item, leak)),
            Value::Object(fields) => {
                for (name, field) in fields {
                    match field {
                        Value::String(text) if PLANTED.contains(&name.as_str()) => text.push_str(leak),
                        field => plant(field, leak),
                    }
                }
            }
            _ => {}
        }
    }

    fn change<T: Serialize + DeserializeOwned>(records: &mut [T], mut plant: impl FnMut(&mut Value)) {
        for record in records {
            let mut value = serde_json::to_value(&*record).unwrap();
            plant(&mut value);
            *record = serde_json::from_value(value).unwrap();
        }
    }

    /// The fields of texts that people or services write.
    const PLANTED: [&str; 13] = [
        "name",
        "uniqueName",
        "connectionName",
        "description",
        "operationMessage",
        "scopeName",
        "pipelineName",
        "userPrincipalName",
        "subject",
        "issuer",
        "role",
        "condition",
        "url",
    ];

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
            connection.projects[0].members =
                Some(vec![member("Ada Byron", Some(false)), member("[Platform]\\Contributors", None)]);
        });
        let mut snapshot = planted.snapshot();
        redact(&mut snapshot).unwrap();
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

//! Rights that are missing, as far as that can be seen before anything is changed.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use serde_json::Value;
use uuid::Uuid;
use wif_core::foreign_text::one_line;

use super::{
    plan::{Action, Item},
    service::Services,
    steps::CONNECTION_ADMINISTRATOR,
    vend::{asked::Change, making::ROLES},
};
use crate::glob;

/// What assigning and removing roles needs.
const ASSIGN: &str = "Microsoft.Authorization/roleAssignments/write";
/// The longest note, in characters.
const MAX_NOTE: usize = 600;

/// Adds a note to each item for what the caller may not do, with the party that may. What cannot be found out is not noted: a
/// service that refuses a step later is told then.
pub async fn note_missing(services: &Services, items: &mut [Item]) {
    let mut manageable: BTreeMap<Uuid, Option<BTreeSet<Uuid>>> = BTreeMap::new();
    let mut assignable: BTreeMap<String, Option<bool>> = BTreeMap::new();
    for item in items {
        let mut notes = Vec::new();
        let project = item.project.id;
        if item.steps.iter().any(|step| changes_connection(&step.action)) {
            let all = match manageable.entry(project) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(services.manageable(project).await.ok()),
            };
            if all.as_ref().is_some_and(|all| !all.contains(&item.connection)) {
                notes.push(format!(
                    "a right is missing: Azure DevOps does not let you change this connection; who may: {CONNECTION_ADMINISTRATOR} (what they do: wif hand-off PLAN --to devops)"
                ));
            }
        }
        for scope in item.steps.iter().filter_map(|step| assigned_scope(&step.action)) {
            let may = match assignable.entry(scope.to_lowercase()) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => *new.insert(services.may_do(scope, ASSIGN).await.ok()),
            };
            if may == Some(false) {
                notes.push(format!(
                    "a right is missing: you may not assign roles at {scope}; who may: {ROLES} (what they do: wif hand-off PLAN --to azure)"
                ));
            }
        }
        notes.dedup();
        item.notes.extend(notes.iter().map(|note| one_line(note, MAX_NOTE)));
    }
}

/// Whether a step changes the connection that the item is about, which is there.
const fn changes_connection(action: &Action) -> bool {
    matches!(
        action,
        Action::Convert { .. }
            | Action::MoveIssuer { .. }
            | Action::Follow(
                Change::SetAside
                    | Change::EndConnection
                    | Change::SaveConnection
                    | Change::Share { .. }
                    | Change::Unshare { .. }
            )
    )
}

fn assigned_scope(action: &Action) -> Option<&str> {
    match action {
        Action::Follow(Change::AssignRole { scope, .. } | Change::RemoveRole { scope, .. }) => Some(scope),
        Action::Follow(Change::CopyRole { copied: role } | Change::EndRole { ended: role }) => {
            Some(&role.scope)
        }
        _ => None,
    }
}

/// Whether permissions of Azure Resource Manager allow an action: one entry has it among its actions, and not among what it leaves out.
#[must_use]
pub fn allows(permissions: &[Value], action: &str) -> bool {
    let has = |entry: &Value, name: &str| {
        let all = entry.get(name).and_then(Value::as_array).into_iter().flatten();
        all.filter_map(Value::as_str).any(|pattern| glob::matches(pattern, action))
    };
    permissions.iter().any(|entry| has(entry, "actions") && !has(entry, "notActions"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_action_is_allowed_by_one_entry_that_does_not_leave_it_out() {
        let owner = json!({ "actions": ["*"], "notActions": [] });
        let contributor = json!({ "actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"] });
        let reader = json!({ "actions": ["*/read"] });
        assert!(allows(&[reader.clone(), owner], ASSIGN));
        assert!(!allows(&[reader, contributor], ASSIGN));
        assert!(!allows(&[], ASSIGN) && !allows(&[json!({})], ASSIGN));
    }
}

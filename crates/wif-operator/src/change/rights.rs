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

const ROLE_ASSIGNMENTS: &str = "Microsoft.Authorization/roleAssignments";
/// The right to assign a role.
const WRITE: &str = "write";
/// The right to remove one.
const DELETE: &str = "delete";
/// The longest note, in characters.
const MAX_NOTE: usize = 600;

/// Adds a note to each item for what the caller may not do, with the party that may. What cannot be found out is not noted: a
/// service that refuses a step later is told then.
pub async fn note_missing(services: &Services, items: &mut [Item]) {
    let mut manageable: BTreeMap<Uuid, Option<BTreeSet<Uuid>>> = BTreeMap::new();
    let mut assignable: BTreeMap<(String, &str), Option<bool>> = BTreeMap::new();
    let mut is_silent = false;
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
        let roles: BTreeSet<_> = item.steps.iter().filter_map(|step| role_change(&step.action)).collect();
        for (scope, right) in roles {
            if is_silent {
                break;
            }
            let may = match assignable.entry((scope.to_lowercase(), right)) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    let may = services.may_do(scope, &format!("{ROLE_ASSIGNMENTS}/{right}")).await;
                    // A service that does not answer is not asked about each scope.
                    is_silent = may.as_ref().is_err_and(|error| !error.is_refusal());
                    *new.insert(may.ok())
                }
            };
            if may == Some(false) {
                let what = if right == WRITE { "assign" } else { "remove" };
                notes.push(format!(
                    "a right is missing: you may not {what} roles at {scope}; who may: {ROLES} (what they do: wif hand-off PLAN --to azure)"
                ));
            }
        }
        item.notes.extend(notes.iter().map(|note| one_line(note, MAX_NOTE)));
    }
}

/// Whether a step changes the connection that the item is about, which is there.
const fn changes_connection(action: &Action) -> bool {
    matches!(
        action,
        Action::Convert { .. }
            | Action::MoveIssuer { .. }
            | Action::TakeBack { done: Change::SetAside | Change::Share { .. } | Change::Unshare { .. } }
            | Action::Follow(
                Change::SetAside
                    | Change::EndConnection
                    | Change::SaveConnection
                    | Change::Share { .. }
                    | Change::Unshare { .. }
            )
    )
}

/// The scope at which a step assigns or removes a role, and the right that this needs.
fn role_change(action: &Action) -> Option<(&str, &'static str)> {
    let (change, is_taken_back) = match action {
        Action::Follow(change) => (change, false),
        Action::TakeBack { done } => (done, true),
        _ => return None,
    };
    let (scope, gives) = change.role()?;
    Some((scope, if gives == is_taken_back { DELETE } else { WRITE }))
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
        let action = "Microsoft.Authorization/roleAssignments/write";
        assert!(allows(&[reader.clone(), owner], action));
        assert!(!allows(&[reader, contributor], action));
        assert!(!allows(&[], action) && !allows(&[json!({})], action));
    }
}

//! Checks as they are copied: what decides, and nothing that could be secret.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

pub use super::guards::is_off;
use super::guards::{APPROVAL, BRANCHES, TASK_CHECK};

const REQUIRED_TEMPLATE: &str = "4020e66e-b0f3-47e1-bc88-48f3cc59b5f3";
const EXCLUSIVE_LOCK: &str = "2ef31ad6-baa0-403a-8b45-2cbc9b4e5563";
const BUSINESS_HOURS: &str = "445fde2f-6c39-441c-807f-8a59ff2e075f";

/// The check as it can be made for another connection. None for kinds whose settings may hold what is secret (calls of functions and
/// REST services, queries) or are not known.
#[must_use]
pub fn copy_of(check: &Value) -> Option<Value> {
    let id = text(check, "/type/id").to_lowercase();
    let none = Map::new();
    let settings = check.get("settings").and_then(Value::as_object).unwrap_or(&none);
    let kept = match id.as_str() {
        APPROVAL => {
            // Without settings it is not known who approves.
            settings.get("approvers").and_then(Value::as_array)?;
            let people = |name: &str| {
                let all = settings.get(name).and_then(Value::as_array);
                all.into_iter().flatten().map(|one| json!({ "id": one.get("id") })).collect::<Vec<_>>()
            };
            let mut kept = only(
                settings,
                &["executionOrder", "minRequiredApprovers", "instructions", "requesterCannotBeApprover"],
            );
            kept.insert("approvers".to_owned(), json!(people("approvers")));
            kept.insert("blockedApprovers".to_owned(), json!(people("blockedApprovers")));
            kept
        }
        TASK_CHECK => {
            let of = text(check, "/settings/definitionRef/id").to_lowercase();
            let inputs: &[&str] = match of.as_str() {
                BRANCHES => &["allowedBranches", "ensureProtectionOfBranch", "allowUnknownStatusBranch"],
                BUSINESS_HOURS => &["businessDays", "timeZone", "startTime", "endTime"],
                _ => return None,
            };
            let given = settings.get("inputs").and_then(Value::as_object)?;
            let reference = settings.get("definitionRef").and_then(Value::as_object)?;
            let mut kept = only(settings, &["displayName", "retryInterval"]);
            kept.insert("definitionRef".to_owned(), only(reference, &["id", "name", "version"]).into());
            kept.insert("inputs".to_owned(), only(given, inputs).into());
            kept
        }
        REQUIRED_TEMPLATE => {
            let all = settings.get("extendsChecks").and_then(Value::as_array)?;
            let names = ["repositoryType", "repositoryName", "repositoryRef", "templatePath"];
            let one = |one: &Value| Some(Value::from(only(one.as_object()?, &names)));
            let all = all.iter().map(one).collect::<Option<Vec<_>>>()?;
            Map::from_iter([("extendsChecks".to_owned(), json!(all))])
        }
        EXCLUSIVE_LOCK => Map::new(),
        _ => return None,
    };
    Some(json!({
        "type": { "id": id, "name": text(check, "/type/name") },
        "settings": kept,
        "timeout": check.get("timeout"),
    }))
}

/// Whether a check decides as one that was copied does.
#[must_use]
pub fn is_same(check: &Value, copied: &Value) -> bool {
    !is_off(check) && copy_of(check).is_some_and(|one| decides(&one) == decides(copied))
}

/// What decides: not how it is called, and not in which order people and branches are named.
fn decides(copied: &Value) -> Value {
    let people = |name: &str| {
        let all = copied.pointer(&format!("/settings/{name}")).and_then(Value::as_array);
        all.into_iter().flatten().map(|one| text(one, "/id").to_lowercase()).collect::<BTreeSet<_>>()
    };
    let branches = text(copied, "/settings/inputs/allowedBranches").split(',');
    let branches: BTreeSet<_> = branches.map(str::trim).filter(|one| !one.is_empty()).collect();
    let mut settings = copied.get("settings").cloned().unwrap_or_default();
    if let Some(settings) = settings.as_object_mut() {
        for name in
            ["approvers", "blockedApprovers", "instructions", "displayName", "retryInterval", "definitionRef"]
        {
            settings.remove(name);
        }
        if let Some(inputs) = settings.get_mut("inputs").and_then(Value::as_object_mut) {
            inputs.remove("allowedBranches");
        }
    }
    json!({
        "type": copied.pointer("/type/id"),
        "task": text(copied, "/settings/definitionRef/id").to_lowercase(),
        "approvers": people("approvers"),
        "blocked": people("blockedApprovers"),
        "branches": branches,
        "settings": settings,
    })
}

/// How a check is called where people read it.
#[must_use]
pub fn name_of(check: &Value) -> String {
    let own = text(check, "/settings/displayName");
    let name = if own.is_empty() { text(check, "/type/name") } else { own };
    if name.is_empty() { "(without a name)".to_owned() } else { name.to_owned() }
}

fn only(all: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    names.iter().filter_map(|name| Some(((*name).to_owned(), all.get(*name)?.clone()))).collect()
}

fn text<'v>(value: &'v Value, path: &str) -> &'v str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_decides_is_copied_and_what_may_be_secret_is_not() {
        let approval = json!({
            "id": 7, "timeout": 43200, "type": { "id": APPROVAL.to_uppercase(), "name": "Approval" },
            "settings": {
                "approvers": [{ "id": "B", "displayName": "Ada" }, { "id": "A" }], "minRequiredApprovers": 1,
                "blockedApprovers": [], "definitionRef": { "id": "x" }, "future": "unknown",
            },
        });
        let copied = copy_of(&approval).unwrap();
        assert!(!copied.to_string().contains("Ada") && !copied.to_string().contains("future"), "{copied}");
        let mut other = approval.clone();
        other["settings"]["approvers"] = json!([{ "id": "a" }, { "id": "b" }]);
        assert!(is_same(&other, &copied));
        other["settings"]["minRequiredApprovers"] = json!(2);
        assert!(!is_same(&other, &copied));
        other = approval;
        other["isDisabled"] = json!(true);
        assert!(!is_same(&other, &copied));
        let function = json!({
            "type": { "id": TASK_CHECK, "name": "Task Check" },
            "settings": { "definitionRef": { "id": "537fdb7a" }, "inputs": { "key": "function-key" } },
        });
        assert_eq!(copy_of(&function), None);
    }

    #[test]
    fn a_branch_control_is_the_same_in_another_order_and_another_with_other_branches() {
        let control = |branches: &str| {
            json!({
                "type": { "id": TASK_CHECK, "name": "Task Check" }, "timeout": 1440,
                "settings": {
                    "definitionRef": { "id": BRANCHES, "name": "evaluatebranchProtection", "version": "0.0.1" },
                    "inputs": { "allowedBranches": branches, "ensureProtectionOfBranch": "true", "token": "x" },
                },
            })
        };
        let copied = copy_of(&control("refs/heads/main, refs/heads/release")).unwrap();
        assert!(!copied.to_string().contains("token"));
        assert!(is_same(&control("refs/heads/release,refs/heads/main"), &copied));
        assert!(!is_same(&control("refs/heads/main"), &copied));
    }
}

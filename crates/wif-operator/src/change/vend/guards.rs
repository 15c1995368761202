//! Who may use a connection: checks as Azure DevOps has them, pipelines, and role assignments.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{asked::Change, look};

pub(super) const APPROVAL: &str = "8c6f20a7-a545-4486-9777-f762fafe0d4d";
pub(super) const TASK_CHECK: &str = "fe1de3ee-a436-41b4-bb20-f6eb4cb879a7";
pub(super) const BRANCHES: &str = "86b05a0c-73e6-4f7d-b3cf-e38f3b39a75b";

/// The check as it is to be made.
#[must_use]
pub(in crate::change) fn check(change: &Change, name: &str, connection: Uuid) -> Value {
    let resource = json!({ "type": "endpoint", "id": connection, "name": name });
    match change {
        Change::MakeApproval { approvers } => json!({
            "type": { "id": APPROVAL, "name": "Approval" },
            "settings": {
                "approvers": approvers.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>(),
                "executionOrder": "anyOrder", "minRequiredApprovers": 0, "instructions": "",
                "requesterCannotBeApprover": false, "blockedApprovers": [],
            },
            "resource": resource,
            "timeout": 43200,
        }),
        Change::MakeBranchControl { branches } => json!({
            "type": { "id": TASK_CHECK, "name": "Task Check" },
            "settings": {
                "definitionRef": { "id": BRANCHES, "name": "evaluatebranchProtection", "version": "0.0.1" },
                "displayName": "Branch control",
                "inputs": {
                    "allowedBranches": branches.join(","), "ensureProtectionOfBranch": "true",
                    "allowUnknownStatusBranch": "false",
                },
                "retryInterval": 5,
            },
            "resource": resource,
            "timeout": 1440,
        }),
        _ => Value::Null,
    }
}

/// Whether a check is exactly what a step makes.
#[must_use]
pub(super) fn is_made(change: &Change, check: &Value) -> bool {
    match change {
        Change::MakeApproval { approvers } => {
            approvers_of(check).is_some_and(|known| same(&known, approvers))
        }
        Change::MakeBranchControl { branches } => {
            branches_of(check).is_some_and(|known| same(&known, branches))
        }
        _ => false,
    }
}

fn same<T: Ord + Clone>(one: &[T], other: &[T]) -> bool {
    let sorted = |all: &[T]| {
        let mut all = all.to_vec();
        all.sort();
        all
    };
    sorted(one) == sorted(other)
}

/// Whether a check is switched off.
#[must_use]
pub fn is_off(check: &Value) -> bool {
    check.get("isDisabled").and_then(Value::as_bool) == Some(true)
}

/// The approvers of an approval that is switched on.
#[must_use]
pub(in crate::change) fn approvers_of(check: &Value) -> Option<Vec<Uuid>> {
    let is_it =
        check.pointer("/type/id").and_then(Value::as_str).is_some_and(|id| id.eq_ignore_ascii_case(APPROVAL));
    let all = check.pointer("/settings/approvers").and_then(Value::as_array)?;
    (is_it && !is_off(check)).then(|| all.iter().filter_map(|one| look::id(one, "id")).collect())
}

/// The branches of a branch control that is switched on.
#[must_use]
pub(in crate::change) fn branches_of(check: &Value) -> Option<Vec<String>> {
    let of = |path: &str| check.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let is_it = of("/settings/definitionRef/id").eq_ignore_ascii_case(BRANCHES);
    let all = of("/settings/inputs/allowedBranches").split(',').map(str::trim).filter(|one| !one.is_empty());
    (is_it && !is_off(check)).then(|| all.map(str::to_owned).collect())
}

/// Whether a role assignment is this role at exactly this scope.
#[must_use]
pub(super) fn is_assignment(one: &Value, definition: Uuid, scope: &str) -> bool {
    let of =
        |name: &str| one.pointer(&format!("/properties/{name}")).and_then(Value::as_str).unwrap_or_default();
    let role = of("roleDefinitionId").rsplit('/').next().and_then(|id| Uuid::try_parse(id).ok());
    role == Some(definition)
        && of("scope").trim_end_matches('/').eq_ignore_ascii_case(scope.trim_end_matches('/'))
}

/// Whether every pipeline may use the connection.
#[must_use]
pub(super) fn is_open(permissions: &Value) -> bool {
    permissions.pointer("/allPipelines/authorized").and_then(Value::as_bool) == Some(true)
}

/// The pipelines that may use the connection by themselves.
#[must_use]
pub(super) fn allowed(permissions: &Value) -> Vec<u64> {
    let all = permissions.get("pipelines").and_then(Value::as_array);
    let is_allowed = |one: &&Value| one.get("authorized").and_then(Value::as_bool) == Some(true);
    all.into_iter().flatten().filter(is_allowed).filter_map(|one| one.get("id")?.as_u64()).collect()
}

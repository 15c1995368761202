//! Checks of a connection, as the REST resource has them.

use serde_json::{Value, json};

/// An approval by people, as the REST resource has it.
#[must_use]
pub fn approval(approver: &str) -> Value {
    json!({
        "type": { "id": "8c6f20a7-a545-4486-9777-f762fafe0d4d", "name": "Approval" },
        "settings": {
            "approvers": [{ "id": "11111111-2222-3333-4444-555555555555", "displayName": approver }],
            "executionOrder": 1, "minRequiredApprovers": 0, "instructions": "", "blockedApprovers": [],
        },
        "timeout": 43200, "version": 1, "isDisabled": false,
    })
}

/// A branch control for branches that are separated by commas, as the REST resource has it.
#[must_use]
pub fn branch_control(branches: &str) -> Value {
    json!({
        "type": { "id": "fe1de3ee-a436-41b4-bb20-f6eb4cb879a7", "name": "Task Check" },
        "settings": {
            "displayName": "Branch control",
            "definitionRef": {
                "id": "86b05a0c-73e6-4f7d-b3cf-e38f3b39a75b", "name": "evaluatebranchProtection", "version": "0.0.1",
            },
            "inputs": {
                "allowedBranches": branches, "ensureProtectionOfBranch": "true", "allowUnknownStatusBranch": "false",
            },
            "retryInterval": 5,
        },
        "timeout": 1440, "version": 1, "isDisabled": false,
    })
}

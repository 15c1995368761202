//! WIF6311: a role that gives roles, or Contributor on a whole subscription or management group.

use serde_json::json;
use wif_core::azure::role;

use crate::{
    rule::{Context, Draft, Remedy, Rule, command},
    severity::Severity,
    snapshot::identity::{Identity, RoleAssignment},
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6311",
    title: "A privileged role",
    severity: Severity::Warning,
    remedy: Remedy::ReduceRoles,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        let Some(identity) = context.identity(entry.connection) else { continue };
        let roles = identity.roles.as_deref().unwrap_or_default();
        let privileged: Vec<_> = roles.iter().filter(|role| is_privileged(role)).collect();
        let Some(first) = privileged.first() else { continue };
        let name = first.role.as_deref().unwrap_or("a privileged role");
        let more = match privileged.len() {
            1 => String::new(),
            count => format!(", and {} more such roles", count - 1),
        };
        let detail = format!("its identity is {name} of {}{more}", first.scope);
        let told = privileged.iter().map(|role| {
            json!({ "role": role.role, "scope": role.scope, "condition": role.condition, "created": role.created })
        });
        let finding = Draft::of(entry, Severity::Warning, detail)
            .evidence("client", identity.client)
            .evidence_list("roles", told)
            .fix("give it the role that its pipelines need, at the scope that they deploy to, and take this one away", delete(identity, first));
        found.push(finding);
    }
}

fn is_privileged(role: &RoleAssignment) -> bool {
    let id = role.role_id.map(|id| id.to_string());
    role::is_privileged(id.as_deref(), role.role.as_deref(), &role.scope)
}

/// The command that takes a role away.
fn delete(identity: &Identity, role: &RoleAssignment) -> String {
    if let Some(id) = &role.id {
        return format!("az role assignment delete --ids {}", command::quote(id));
    }
    let name = role.role_id.map(|id| id.to_string()).or_else(|| role.role.clone()).unwrap_or_default();
    let (name, scope) = (command::quote(&name), command::quote(&role.scope));
    format!("az role assignment delete --assignee {} --role {name} --scope {scope}", identity.client)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::{
        snapshot::identity::RoleAssignment,
        testing::{SUBSCRIPTION, count, one, role},
    };

    #[test]
    fn wif6311_finds_a_privileged_role() {
        let group = format!("{SUBSCRIPTION}/resourceGroups/rg-2");
        let management = "/providers/Microsoft.Management/managementGroups/root";
        for (name, scope) in [
            ("Owner", group.as_str()),
            ("User Access Administrator", &group),
            ("Role Based Access Control Administrator", &group),
            ("Contributor", SUBSCRIPTION),
            ("Contributor", management),
            ("Contributor", "/"),
        ] {
            let found = one(&RULE, |_, identity| identity.roles = Some(vec![role(name, scope)]));
            assert_eq!(found.evidence["roles"][0]["role"], name);
            assert!(found.command.starts_with("az role assignment delete "), "{}", found.command);
        }
        for (name, scope) in [("Contributor", group.as_str()), ("Reader", SUBSCRIPTION)] {
            assert_eq!(
                count(&RULE, |_, identity| identity.roles = Some(vec![role(name, scope)])),
                0,
                "{name}"
            );
        }
    }

    #[test]
    fn a_role_that_is_known_by_its_id_alone_is_found_too() {
        let id = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635".parse().unwrap();
        let owner = RoleAssignment { role: None, role_id: Some(id), ..role("", SUBSCRIPTION) };
        one(&RULE, |_, identity| identity.roles = Some(vec![owner]));
    }

    #[test]
    fn the_id_of_role_based_access_control_administrator_is_the_one_that_azure_gave_it() {
        // Microsoft Learn, "Azure built-in roles for Privileged".
        let id = "f58310d9-a9f6-439a-9e8d-f62e7b41a168".parse().unwrap();
        let role = RoleAssignment { role: None, role_id: Some(id), ..role("", SUBSCRIPTION) };
        one(&RULE, |_, identity| identity.roles = Some(vec![role]));
    }
}

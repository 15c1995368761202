//! WIF6312: roles outside the connection's declared scope.

use serde_json::json;

use crate::{
    rule::{Context, Draft, Remedy, Rule},
    severity::Severity,
    snapshot::Existence,
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6312",
    title: "Roles outside the declared scope",
    severity: Severity::Warning,
    remedy: Remedy::ReduceRoles,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        let (Some(declared), Some(identity)) =
            (entry.connection.scope.as_deref(), context.identity(entry.connection))
        else {
            continue;
        };
        // Beside a scope that is gone every role is elsewhere.
        if context.subscription(declared).is_some_and(|scope| scope.existence == Existence::Gone) {
            continue;
        }
        let roles = identity.roles.as_deref().unwrap_or_default();
        let outside: Vec<_> = roles.iter().filter(|role| is_outside(&role.scope, declared)).collect();
        let Some(first) = outside.first() else { continue };
        let detail = format!(
            "it declares {declared}, and its identity has roles elsewhere: {} at {}",
            first.role.as_deref().unwrap_or("one"),
            first.scope
        );
        let finding = Draft::of(entry, Severity::Warning, detail)
            .evidence("client", identity.client)
            .evidence("declared", declared)
            .evidence_list(
                "roles",
                outside.iter().map(|role| json!({ "role": role.role, "scope": role.scope })),
            )
            .fix(
                "take away the roles that no pipeline needs; what is needed elsewhere is the work of another connection",
                format!("az role assignment list --assignee {} --all --output table", identity.client),
            );
        found.push(finding);
    }
}

/// Whether a scope is neither the declared one nor below it.
fn is_outside(scope: &str, declared: &str) -> bool {
    let fold = |scope: &str| format!("/{}", scope.trim_matches('/').to_ascii_lowercase());
    let (scope, declared) = (fold(scope), fold(declared));
    if scope == declared || scope.starts_with(&format!("{declared}/")) {
        return false;
    }
    // What lies below a management group is not told by its path.
    let is_of_management_group = declared.starts_with("/providers/microsoft.management/");
    !is_of_management_group || scope == "/"
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::testing::{SUBSCRIPTION, count, one, role};

    #[test]
    fn wif6312_finds_roles_outside_of_the_declared_scope() {
        let below = format!("{SUBSCRIPTION}/RESOURCEGROUPS/rg-2/providers/Microsoft.Web/sites/a");
        let beside = format!("{SUBSCRIPTION}/resourceGroups/rg-22");
        for scope in [SUBSCRIPTION, &beside, "/", "/subscriptions/00000000-0000-0000-0000-000000000001"] {
            let found = one(&RULE, |_, identity| identity.roles = Some(vec![role("Reader", scope)]));
            assert_eq!(found.evidence["roles"][0]["scope"], scope);
        }
        assert_eq!(count(&RULE, |_, identity| identity.roles = Some(vec![role("Reader", &below)])), 0);
        let group = "/providers/Microsoft.Management/managementGroups/root";
        assert_eq!(
            count(&RULE, |connection, identity| {
                connection.scope = Some(group.to_owned());
                identity.roles = Some(vec![role("Reader", SUBSCRIPTION)]);
            }),
            0
        );
    }
}

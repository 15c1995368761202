//! WIF6313: no role anywhere.

use crate::{
    rule::{Context, Draft, Remedy, Rule},
    severity::Severity,
    snapshot::Existence,
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6313",
    title: "No role anywhere",
    severity: Severity::Note,
    remedy: Remedy::ReduceRoles,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        let Some(identity) = context.identity(entry.connection) else { continue };
        let has_none = identity.roles.as_ref().is_some_and(Vec::is_empty);
        if !has_none || identity.existence == Existence::Gone {
            continue;
        }
        let finding = Draft::of(
            entry,
            Severity::Note,
            "its identity has no role that could be seen; roles through groups were not read",
        )
        .evidence("client", identity.client)
        .evidence("roles", &identity.roles)
        .evidence("throughGroups", serde_json::Value::Null)
        .fix(
            "look whether it has roles through a group; if it has none, nothing needs the connection",
            format!(
                "az role assignment list --assignee {} --all --include-groups --output table",
                identity.client
            ),
        );
        found.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::testing::{count, one};

    #[test]
    fn wif6313_finds_an_identity_without_any_role() {
        one(&RULE, |_, identity| identity.roles = Some(Vec::new()));
        assert_eq!(count(&RULE, |_, identity| identity.roles = None), 0);
    }
}

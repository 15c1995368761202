//! WIF6301: open to all pipelines.

use serde_json::json;

use crate::{
    rule::{Context, Draft, Remedy, Rule, command},
    severity::Severity,
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6301",
    title: "Open to all pipelines",
    severity: Severity::Warning,
    remedy: Remedy::RestrictUse,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        let is_open = |project: &&crate::snapshot::connection::ProjectReference| {
            project.pipelines.as_ref().is_some_and(|permissions| permissions.is_open_to_all)
        };
        let open: Vec<_> = entry.connection.projects.iter().filter(is_open).collect();
        let Some(first) = open.first() else { continue };
        let detail =
            format!("every pipeline of '{}' may use it, also those that are made tomorrow", first.name);
        let finding = Draft::of(entry, Severity::Warning, detail)
            .evidence_list(
                "projects",
                open.iter().map(|project| json!({ "id": project.id, "name": project.name })),
            )
            .fix(
                "authorize the pipelines that need it, then close it to the others",
                command::endpoint("update", entry, " --enable-for-all false"),
            );
        found.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::testing::{count, one, reference};

    #[test]
    fn wif6301_finds_a_connection_that_is_open_to_all_pipelines() {
        let found = one(&RULE, |connection, _| {
            connection.projects[0].pipelines.as_mut().unwrap().is_open_to_all = true;
        });
        assert!(found.command.ends_with("--project Platform --enable-for-all false"), "{}", found.command);
        let shared = one(&RULE, |connection, _| {
            let mut other = reference(2, "Shop", "sc-2", false);
            other.pipelines.as_mut().unwrap().is_open_to_all = true;
            connection.projects.push(other);
        });
        assert_eq!(shared.evidence["projects"][0]["name"], "Shop");
        assert_eq!(count(&RULE, |connection, _| connection.projects[0].pipelines = None), 0);
    }
}

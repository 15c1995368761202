//! WIF6303: shared with other projects, or into a public project.

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    rule::{Context, Draft, Remedy, Rule, command},
    severity::Severity,
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6303",
    title: "Shared with other projects, or into a public project",
    severity: Severity::Note,
    remedy: Remedy::RestrictUse,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        let public: BTreeSet<_> = entry
            .organization
            .projects
            .iter()
            .filter(|project| project.is_public)
            .map(|project| project.id)
            .collect();
        let projects = &entry.connection.projects;
        if projects.len() < 2 {
            continue;
        }
        let in_public = projects.iter().find(|project| public.contains(&project.id));
        let (severity, detail) = match in_public {
            Some(project) => (
                Severity::Fault,
                format!(
                    "it can be used in the public project '{}', which everyone on the internet sees",
                    project.name
                ),
            ),
            None => (Severity::Note, format!("{} projects can use it", projects.len())),
        };
        let told = projects.iter().map(|project| {
            json!({ "id": project.id, "name": project.name, "public": public.contains(&project.id), "owner": project.is_owner })
        });
        let finding = Draft::of(entry, severity, detail).evidence_list("projects", told).fix(
            "give each project a connection of its own; on its page, Security, Project permissions, take the others out",
            command::page(entry),
        );
        found.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::{
        severity::Severity,
        testing::{count, one, reference},
    };

    #[test]
    fn wif6303_finds_a_shared_connection_and_one_in_a_public_project() {
        let shared =
            one(&RULE, |connection, _| connection.projects.push(reference(2, "Shop", "sc-2", false)));
        assert_eq!((shared.severity, &shared.evidence["projectsCount"]), (Severity::Note, &2.into()));
        let public =
            one(&RULE, |connection, _| connection.projects.push(reference(3, "Open", "sc-2", false)));
        assert_eq!(public.severity, Severity::Fault);
        assert_eq!(
            count(&RULE, |connection, _| connection.projects = vec![reference(3, "Open", "sc-2", true)]),
            0
        );
    }
}

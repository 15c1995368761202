//! WIF6304: a broad group may administer or use it.

use serde_json::json;

use crate::{
    rule::{Context, Draft, Remedy, Rule, command},
    severity::Severity,
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6304",
    title: "A broad group may administer or use it",
    severity: Severity::Warning,
    remedy: Remedy::RestrictUse,
    check,
};

/// Groups to which nearly everyone belongs, by the name after the backslash.
const BROAD: [&str; 9] = [
    "Contributors",
    "Readers",
    "Project Valid Users",
    "Project Collection Valid Users",
    "Project Collection Service Accounts",
    "Project Collection Build Service Accounts",
    "Project-Scoped Users",
    "Team Foundation Valid Users",
    "Everyone",
];
/// What the accounts of builds are named like: `Platform Build Service (contoso)`.
const BUILD_SERVICE: &str = "build service (";

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        let mut broad = Vec::new();
        for project in &entry.connection.projects {
            for member in project.members.iter().flatten() {
                if may_use(&member.role) && is_broad(&member.name) {
                    broad.push((project, member));
                }
            }
        }
        let Some((_, worst)) =
            broad.iter().find(|(_, member)| is_administrator(&member.role)).or(broad.first())
        else {
            continue;
        };
        let verb = if is_administrator(&worst.role) { "administer" } else { "use" };
        let told = broad.iter().map(|(project, member)| {
            json!({ "name": member.name, "role": member.role, "project": project.name, "inherited": member.is_inherited })
        });
        let finding = Draft::of(entry, Severity::Warning, format!("'{}' may {verb} it", worst.name))
            .evidence_list("members", told)
            .fix(
                "on its page, Security, give the role to the team that needs it, and take it from the group",
                command::page(entry),
            );
        found.push(finding);
    }
}

fn is_administrator(role: &str) -> bool {
    role.eq_ignore_ascii_case("Administrator")
}

fn may_use(role: &str) -> bool {
    is_administrator(role) || role.eq_ignore_ascii_case("User")
}

fn is_broad(name: &str) -> bool {
    let name = name.rsplit('\\').next().unwrap_or(name).trim();
    BROAD.iter().any(|broad| broad.eq_ignore_ascii_case(name))
        || name.to_ascii_lowercase().contains(BUILD_SERVICE)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::{
        snapshot::connection::{Connection, Member},
        testing::{count, one},
    };

    fn member(name: &str, role: &str) -> impl FnOnce(&mut Connection) {
        let member = Member {
            role: role.to_owned(),
            name: name.to_owned(),
            id: "1".to_owned(),
            is_inherited: true,
            is_group: Some(true),
        };
        |connection| connection.projects[0].members = Some(vec![member])
    }

    #[test]
    fn wif6304_finds_a_broad_group_that_may_use_or_administer() {
        for (name, role, verb) in [
            ("[Platform]\\Contributors", "User", "use"),
            ("[Platform]\\Project Valid Users", "Administrator", "administer"),
            ("[contoso]\\Project Collection Valid Users", "User", "use"),
            ("Platform Build Service (contoso)", "User", "use"),
            ("[Platform]\\Readers", "user", "use"),
        ] {
            let found = one(&RULE, |connection, _| member(name, role)(connection));
            assert_eq!(found.detail, format!("'{name}' may {verb} it"));
        }
        for (name, role) in [("[Platform]\\Contributors", "Reader"), ("[Platform]\\Leads", "Administrator")] {
            assert_eq!(count(&RULE, |connection, _| member(name, role)(connection)), 0, "{name}");
        }
    }
}

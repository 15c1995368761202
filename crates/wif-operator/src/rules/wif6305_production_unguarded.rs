//! WIF6305: named like production, and neither an approval nor a branch control.

use crate::{
    rule::{Context, Draft, Remedy, Rule, command},
    severity::Severity,
    snapshot::connection::{Check, CheckKind},
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6305",
    title: "Named like production, without approval or branch control",
    severity: Severity::Warning,
    remedy: Remedy::RestrictUse,
    check,
};

/// Words of a name that mean production.
const PRODUCTION: [&str; 4] = ["prod", "production", "prd", "live"];
/// What a branch control names when it names none.
const ALL_BRANCHES: [&str; 3] = ["*", "refs/*", "refs/heads/*"];

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        let Some(checks) = &entry.connection.checks else { continue };
        let names = entry.connection.projects.iter().map(|project| project.connection_name.as_str());
        let mut names = names.chain([entry.connection.name.as_str()]);
        let Some(name) = names.find(|name| is_production(name)) else { continue };
        if checks.iter().any(guards) {
            continue;
        }
        let kinds: Vec<_> = checks.iter().map(|check| check.kind).collect();
        let detail = format!(
            "'{name}' is named like production, and any authorized pipeline uses it from any branch, unasked"
        );
        let finding = Draft::of(entry, Severity::Warning, detail).evidence("name", name).evidence("checks", kinds).fix(
            "on its page, Approvals and checks, add an approval, or a branch control that names the branches",
            command::page(entry),
        );
        found.push(finding);
    }
}

fn is_production(name: &str) -> bool {
    name.split(|c: char| !c.is_alphanumeric())
        .any(|word| PRODUCTION.iter().any(|known| known.eq_ignore_ascii_case(word)))
}

fn guards(check: &Check) -> bool {
    let names_branches = || {
        let branches: Vec<_> =
            check.branches.iter().map(|branch| branch.trim()).filter(|branch| !branch.is_empty()).collect();
        !branches.is_empty() && !branches.iter().any(|branch| ALL_BRANCHES.contains(branch))
    };
    !check.is_disabled
        && match check.kind {
            CheckKind::Approval => true,
            CheckKind::BranchControl => names_branches(),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::{RULE, is_production};
    use crate::{
        snapshot::connection::{Check, CheckKind},
        testing::{count, one},
    };

    fn with(kind: CheckKind, branches: &[&str]) -> Check {
        let branches = branches.iter().map(|branch| (*branch).to_owned()).collect();
        Check { kind, name: None, is_disabled: false, branches, approvers: Vec::new() }
    }

    #[test]
    fn wif6305_finds_production_that_nothing_guards() {
        for checks in [
            Vec::new(),
            vec![with(CheckKind::BranchControl, &["*"])],
            vec![with(CheckKind::BranchControl, &["refs/heads/main", " * "])],
            vec![with(CheckKind::BranchControl, &[])],
            vec![with(CheckKind::BusinessHours, &[]), with(CheckKind::ExclusiveLock, &[])],
            vec![Check { is_disabled: true, ..with(CheckKind::Approval, &[]) }],
        ] {
            one(&RULE, |connection, _| {
                connection.name = "sc-prod".to_owned();
                connection.checks = Some(checks);
            });
        }
        for checks in [
            Some(vec![with(CheckKind::Approval, &[])]),
            Some(vec![with(CheckKind::BranchControl, &["refs/heads/main"])]),
            None,
        ] {
            let found = count(&RULE, |connection, _| {
                connection.name = "sc-prod".to_owned();
                connection.checks = checks;
            });
            assert_eq!(found, 0);
        }
    }

    #[test]
    fn production_is_a_word_between_separators() {
        for name in ["sc-prod", "PROD", "shop_production_eus2", "a.prd.b", "live", "My Prod connection"] {
            assert!(is_production(name), "{name}");
        }
        for name in ["products", "nonprod", "preprod-1", "delivery", "sc-prod1", "alive"] {
            assert!(!is_production(name), "{name}");
        }
    }
}

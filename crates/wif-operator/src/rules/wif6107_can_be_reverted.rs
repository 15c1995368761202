//! WIF6107: converted, and the conversion can be reverted.

use crate::{
    credential::CredentialKind,
    rule::{Context, Draft, Remedy, Rule, command},
    severity::Severity,
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6107",
    title: "Converted, and the conversion can be reverted",
    severity: Severity::Note,
    remedy: Remedy::RemoveRemains,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        let Some(until) = entry.connection.revert_deadline else { continue };
        if entry.credential() != CredentialKind::Federated || until <= context.now() {
            continue;
        }
        let finding =
            Draft::of(entry, Severity::Note, format!("the conversion can be reverted until {until}"))
                .evidence("revertDeadline", until)
                .fix(
                    "run its pipelines before that moment: what they need shows now or never",
                    command::wif("revert plan", context.snapshot.cloud, entry),
                );
        found.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::testing::{count, days_ago, now, one};

    #[test]
    fn wif6107_finds_a_conversion_that_can_be_reverted() {
        let found = one(&RULE, |connection, _| connection.revert_deadline = Some(days_ago(-2)));
        assert!(found.detail.contains("until 2026-11-28T12:00:00Z"), "{}", found.detail);
        for past in [days_ago(1), now()] {
            assert_eq!(count(&RULE, |connection, _| connection.revert_deadline = Some(past)), 0);
        }
    }
}

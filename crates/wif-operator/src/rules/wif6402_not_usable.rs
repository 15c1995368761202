//! WIF6402: disabled, not ready, failed.

use crate::{
    rule::{Context, Draft, Remedy, Rule, command},
    severity::Severity,
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6402",
    title: "Disabled, not ready, or failed",
    severity: Severity::Note,
    remedy: Remedy::CleanUp,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        let connection = entry.connection;
        let state = connection.operation_state.as_deref();
        let has_failed = state.is_some_and(|state| state.eq_ignore_ascii_case("Failed"));
        let detail = match connection {
            one if one.is_disabled == Some(true) => {
                "it is disabled, by a person or because it was not used".to_owned()
            }
            _ if has_failed => "Azure DevOps could not complete it".to_owned(),
            one if one.is_draft => "it is a draft that was never completed".to_owned(),
            one if one.is_ready == Some(false) => "it is not ready".to_owned(),
            _ => continue,
        };
        let finding = Draft::of(entry, Severity::Note, detail)
            .evidence("disabled", connection.is_disabled)
            .evidence("ready", connection.is_ready)
            .evidence("draft", connection.is_draft)
            .evidence("state", state)
            .evidence("message", &connection.operation_message)
            .fix("complete or enable it on its page, or delete it", command::page(entry));
        found.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::testing::one;

    #[test]
    fn wif6402_finds_what_is_disabled_not_ready_or_failed() {
        assert!(one(&RULE, |connection, _| connection.is_disabled = Some(true)).detail.contains("disabled"));
        assert!(one(&RULE, |connection, _| connection.is_ready = Some(false)).detail.contains("not ready"));
        assert!(one(&RULE, |connection, _| connection.is_draft = true).detail.contains("draft"));
        let failed = one(&RULE, |connection, _| {
            connection.is_ready = Some(false);
            connection.operation_state = Some("Failed".to_owned());
        });
        assert!(failed.detail.contains("could not complete"), "{}", failed.detail);
    }
}

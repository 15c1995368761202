//! WIF6104: the classic type, a publish profile, or the identity of the agent's machine.

use crate::{
    credential::{CredentialKind, is_classic},
    rule::{Context, Draft, Remedy, Rule, command},
    severity::Severity,
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6104",
    title: "The classic type, a publish profile, or the identity of the agent's machine",
    severity: Severity::Warning,
    remedy: Remedy::Replace,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        let scheme = entry.connection.scheme.as_deref().unwrap_or_default();
        let detail = if is_classic(entry.connection) {
            "it is of the classic type 'azure', whose certificate or password is that of a whole subscription"
        } else if scheme.eq_ignore_ascii_case("PublishProfile") {
            "it stores a publish profile, which is the password of a web app"
        } else if entry.credential() == CredentialKind::Machine {
            "it signs in as the agent's machine, which any job on that machine can do too"
        } else {
            continue;
        };
        let finding = Draft::of(entry, Severity::Warning, detail)
            .evidence("type", &entry.connection.kind)
            .evidence("scheme", scheme)
            .fix(
                "write down in a request file what is to be in its place, with an identity of its own, and let it be made",
                command::by_request(context.snapshot.cloud, entry),
            );
        found.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::testing::one;

    #[test]
    fn wif6104_finds_the_classic_type_a_publish_profile_and_the_machine() {
        let scheme = |scheme: &str| {
            let scheme = scheme.to_owned();
            one(&RULE, |connection, _| connection.scheme = Some(scheme)).detail
        };
        assert!(scheme("ManagedServiceIdentity").contains("machine"));
        assert!(scheme("PublishProfile").contains("publish profile"));
        let classic = one(&RULE, |connection, _| {
            connection.kind = Some("Azure".to_owned());
            connection.scheme = Some("Certificate".to_owned());
        });
        assert!(classic.detail.contains("classic"));
        // A migration leaves these out: what they may do is not in the roles of an identity.
        assert!(classic.command.starts_with("wif connection plan request.yaml --organization "));
    }
}

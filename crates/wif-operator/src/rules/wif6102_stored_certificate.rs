//! WIF6102: a stored certificate.

use crate::{
    credential::{CredentialKind, is_resource_manager},
    rule::{Context, Draft, Remedy, Rule, command},
    severity::Severity,
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6102",
    title: "A stored certificate",
    severity: Severity::Warning,
    remedy: Remedy::Convert,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        if entry.credential() != CredentialKind::Certificate || !is_resource_manager(entry.connection) {
            continue;
        }
        let finding =
            Draft::of(entry, Severity::Warning, "Azure DevOps stores a certificate with its private key")
                .evidence("scheme", &entry.connection.scheme)
                .evidence("client", entry.connection.client)
                .fix(
                    "convert it in place to federation; there is no way back to the certificate",
                    command::wif("convert plan", context.snapshot.cloud, entry),
                );
        found.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::testing::{count, one, store_secret};

    #[test]
    fn wif6102_finds_a_stored_certificate() {
        one(&RULE, |connection, identity| {
            store_secret(connection, identity);
            connection.authentication_type = Some("SPNCERTIFICATE".to_owned());
        });
        assert_eq!(count(&RULE, store_secret), 0);
    }
}

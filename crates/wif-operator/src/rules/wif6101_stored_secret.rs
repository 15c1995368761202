//! WIF6101: a stored secret.

use crate::{
    credential::{CredentialKind, is_resource_manager},
    rule::{Context, Draft, Remedy, Rule, command},
    severity::Severity,
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6101",
    title: "A stored secret",
    severity: Severity::Fault,
    remedy: Remedy::Convert,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        if entry.credential() != CredentialKind::Secret || !is_resource_manager(entry.connection) {
            continue;
        }
        let identity = context.identity(entry.connection);
        let secrets = identity.and_then(|identity| identity.secrets.as_deref());
        let since = secrets.and_then(|secrets| secrets.iter().filter_map(|secret| secret.starts).min());
        let detail = match since {
            Some(since) => {
                format!("Azure DevOps stores a client secret; the oldest began on {}", since.date())
            }
            None => "Azure DevOps stores a client secret".to_owned(),
        };
        let finding = Draft::of(entry, Severity::Fault, detail)
            .evidence("scheme", &entry.connection.scheme)
            .evidence("client", entry.connection.client)
            .evidence("secretStarts", since)
            .fix(
                "convert it in place to federation: its id, its identity and the pipelines stay",
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
    fn wif6101_finds_a_stored_secret() {
        let found = one(&RULE, store_secret);
        assert!(found.command.starts_with("wif convert plan --organization contoso --connection c0000000-"));
        assert_eq!(found.evidence["secretStarts"], "2026-08-18T12:00:00Z");
        let certificate = |connection: &mut crate::snapshot::connection::Connection| {
            connection.authentication_type = Some("spnCertificate".to_owned());
        };
        assert_eq!(
            count(&RULE, |connection, identity| {
                store_secret(connection, identity);
                certificate(connection);
            }),
            0
        );
        assert_eq!(
            count(&RULE, |connection, identity| {
                store_secret(connection, identity);
                connection.kind = Some("dockerregistry".to_owned());
            }),
            0
        );
    }
}

//! WIF6106: federated, yet its application still has a secret or a certificate.

use serde_json::json;

use crate::{
    credential::CredentialKind,
    rule::{Context, Draft, Remedy, Rule},
    severity::Severity,
    snapshot::identity::{Identity, StoredCredential},
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6106",
    title: "Federated, yet its application still has a secret or a certificate",
    severity: Severity::Warning,
    remedy: Remedy::RemoveRemains,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        if entry.credential() != CredentialKind::Federated {
            continue;
        }
        let Some(identity) = context.identity(entry.connection) else { continue };
        let secrets = identity.secrets.as_deref().unwrap_or_default();
        let certificates = identity.certificates.as_deref().unwrap_or_default();
        let Some(first) = secrets.first().or_else(|| certificates.first()) else { continue };
        let detail = format!(
            "its application still has {} and {}",
            count(secrets.len(), "secret"),
            count(certificates.len(), "certificate")
        );
        let told = |one: &StoredCredential| json!({ "id": one.id, "name": one.name, "starts": one.starts, "ends": one.ends });
        let finding = Draft::of(entry, Severity::Warning, detail)
            .evidence("client", identity.client)
            .evidence_list("secrets", secrets.iter().map(told))
            .evidence_list("certificates", certificates.iter().map(told))
            .evidence("revertDeadline", entry.connection.revert_deadline)
            .fix(
                "when nothing else signs in with it, delete it: federation needs none",
                delete(identity, first, secrets.is_empty()),
            );
        found.push(finding);
    }
}

fn count(number: usize, what: &str) -> String {
    match number {
        0 => format!("no {what}"),
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

fn delete(identity: &Identity, first: &StoredCredential, is_certificate: bool) -> String {
    let client = identity.client;
    let certificate = if is_certificate { " --cert" } else { "" };
    match first.id {
        Some(key) => format!("az ad app credential delete --id {client} --key-id {key}{certificate}"),
        None => format!("az ad app credential list --id {client}{certificate}"),
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::testing::{count, days_ago, one, secret, store_secret};

    #[test]
    fn wif6106_finds_what_remains_of_a_conversion() {
        let found = one(&RULE, |_, identity| identity.secrets = Some(vec![secret(10), secret(-10)]));
        assert!(found.detail.contains("2 secrets and no certificate"), "{}", found.detail);
        assert!(found.command.contains("--key-id 00000000-0000-0000-0000-00000000004d"), "{}", found.command);
        let found = one(&RULE, |_, identity| identity.certificates = Some(vec![secret(10)]));
        assert!(found.command.ends_with(" --cert"), "{}", found.command);
        // The window to revert does not excuse it.
        one(&RULE, |connection, identity| {
            identity.secrets = Some(vec![secret(10)]);
            connection.revert_deadline = Some(days_ago(-3));
        });
        assert_eq!(count(&RULE, store_secret), 0);
        assert_eq!(count(&RULE, |_, identity| identity.secrets = None), 0);
    }
}

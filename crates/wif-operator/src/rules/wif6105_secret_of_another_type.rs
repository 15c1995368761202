//! WIF6105: a stored secret in another type of connection.

use crate::{
    credential::{CredentialKind, is_classic, is_resource_manager},
    rule::{Context, Draft, Remedy, Rule, command},
    severity::Severity,
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6105",
    title: "A stored secret in another type of connection",
    severity: Severity::Note,
    remedy: Remedy::CleanUp,
    check,
};

/// Schemes that store nothing.
const NOTHING_STORED: [&str; 4] = ["None", "Anonymous", "InstallationToken", "ManagedServiceIdentity"];

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        if is_resource_manager(entry.connection) || is_classic(entry.connection) {
            continue;
        }
        let Some(scheme) = entry.connection.scheme.as_deref() else { continue };
        let stores_nothing = entry.credential() == CredentialKind::Federated
            || NOTHING_STORED.iter().any(|known| known.eq_ignore_ascii_case(scheme));
        if stores_nothing {
            continue;
        }
        let kind = entry.connection.kind.as_deref().unwrap_or_default();
        let detail = format!(
            "a connection of type '{kind}' stores what its scheme '{scheme}' needs: a password, token or key"
        );
        let finding = Draft::of(entry, Severity::Note, detail)
            .evidence("type", kind)
            .evidence("scheme", scheme)
            .fix(
                "where its service accepts Entra (a container registry, Kubernetes, Azure DevOps), use a federated connection; else know when the secret ends",
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
        testing::{count, one},
    };

    #[test]
    fn wif6105_finds_a_secret_of_another_type() {
        for (kind, scheme) in
            [("dockerregistry", "UsernamePassword"), ("kubernetes", "Kubernetes"), ("generic", "Token")]
        {
            let found = one(&RULE, |connection, _| {
                (connection.kind, connection.scheme) = (Some(kind.to_owned()), Some(scheme.to_owned()));
            });
            assert_eq!(found.severity, Severity::Note);
        }
        for (kind, scheme) in [
            ("generic", "None"),
            ("dockerregistry", "WorkloadIdentityFederation"),
            ("azurerm", "ServicePrincipal"),
            ("azure", "Certificate"),
        ] {
            let plant = |connection: &mut crate::snapshot::connection::Connection| {
                (connection.kind, connection.scheme) = (Some(kind.to_owned()), Some(scheme.to_owned()));
            };
            assert_eq!(count(&RULE, |connection, _| plant(connection)), 0, "{kind} {scheme}");
        }
    }
}

//! WIF6205: the subject is not the one that tenant, organization and connection make.

use wif_core::trust::subject::Issuer;

use crate::{
    credential::CredentialKind,
    rule::{Context, Draft, Entry, Remedy, Rule, command},
    severity::Severity,
    subject::of_entra,
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6205",
    title: "The subject is not the one that tenant, organization and connection make",
    severity: Severity::Warning,
    remedy: Remedy::RepairTrust,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        found.extend(judge(entry));
    }
}

fn judge(entry: Entry<'_>) -> Option<Draft> {
    let connection = entry.connection;
    let is_public =
        connection.environment.as_deref().is_none_or(|name| name.eq_ignore_ascii_case("AzureCloud"));
    if entry.credential() != CredentialKind::Federated || !is_public {
        return None;
    }
    let (issuer, subject) = (connection.issuer.as_deref()?, connection.subject.as_deref()?);
    Issuer::parse(issuer).tenant()?;
    let organization = entry.organization.id?;
    // Where the connection's tenant is not the organization's, either may stand in the subject: which is not documented.
    let tenants = [connection.tenant, entry.organization.tenant];
    let mut expected = tenants.iter().flatten().map(|tenant| of_entra(*tenant, organization, connection.id));
    let first = expected.next()?;
    if first == subject || expected.any(|other| other == subject) {
        return None;
    }
    let finding = Draft::of(
        entry,
        Severity::Warning,
        "its subject is not the one that its tenant, organization and id make",
    )
    .evidence("issuer", issuer)
    .evidence("subject", subject)
    .evidence("expected", first)
    .fix(
        "edit and save the connection, so that Azure DevOps makes its subject anew; have a federated credential for the expected subject first",
        command::page(entry),
    );
    Some(finding)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::RULE;
    use crate::{
        subject::of_entra,
        testing::{ORGANIZATION, TENANT, connection_id, count, one},
    };

    #[test]
    fn wif6205_finds_a_subject_of_another_connection_organization_or_tenant() {
        for subject in [
            of_entra(TENANT, ORGANIZATION, connection_id(3)),
            of_entra(TENANT, Uuid::from_u128(1), connection_id(2)),
            of_entra(Uuid::from_u128(1), ORGANIZATION, connection_id(2)),
            "sc://contoso/Platform/sc-2".to_owned(),
        ] {
            let found = one(&RULE, |connection, _| connection.subject = Some(subject));
            assert_eq!(found.evidence["expected"], of_entra(TENANT, ORGANIZATION, connection_id(2)));
        }
        let of_devops = |issuer: String| {
            count(&RULE, |connection, _| {
                connection.issuer = Some(issuer);
                connection.subject = Some("sc://contoso/Platform/sc-2".to_owned());
            })
        };
        assert_eq!(of_devops(format!("https://vstoken.dev.azure.com/{ORGANIZATION}")), 0);
        assert_eq!(count(&RULE, |connection, _| connection.tenant = Some(Uuid::from_u128(4))), 0);
    }
}

//! WIF6203: a federated credential trusts a connection, project or organization that is gone or foreign.

use uuid::Uuid;
use wif_core::trust::subject::{Issuer, Subject};

use crate::{
    credential::IssuerKind,
    rule::{Context, Draft, Remedy, Rule, command},
    severity::Severity,
    snapshot::{
        Organization,
        identity::{FederatedCredential, Identity},
    },
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6203",
    title: "A federated credential trusts what is gone or foreign",
    severity: Severity::Fault,
    remedy: Remedy::RepairTrust,
    check,
};

/// What a federated credential trusts that it should not.
struct Dangling {
    what: &'static str,
    why: &'static str,
    name: String,
}

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    let mut seen = std::collections::BTreeSet::new();
    for organization in &context.snapshot.organizations {
        for identity in &organization.identities {
            // Several organizations of one run may name one identity.
            if !seen.insert((identity.client, identity.tenant)) {
                continue;
            }
            for credential in identity.federated_credentials.iter().flatten() {
                if let Some(dangling) = dangling(context, credential) {
                    found.push(finding(organization, identity, credential, &dangling));
                }
            }
        }
    }
}

fn dangling(context: &Context<'_>, credential: &FederatedCredential) -> Option<Dangling> {
    let (issuer, subject) = (credential.issuer.as_deref()?, credential.subject.as_deref()?);
    match (Issuer::parse(issuer), Subject::parse(subject)) {
        // Only the id in the issuer tells which organization it is; names can be taken by another.
        (
            Issuer::AzureDevOps { organization },
            Subject::Names { project, connection, organization: name },
        ) => {
            let id = Uuid::try_parse(organization.raw()).ok();
            let Some(known) = id.and_then(|id| with_id(context, id)) else {
                return context.is_foreign(id).then(|| foreign(organization.raw()));
            };
            by_names(context, known, [name.raw(), project.raw(), connection.raw()])
        }
        (Issuer::Entra { .. }, Subject::Ids { organization, connection, .. }) => {
            let Some(known) = with_id(context, organization) else {
                return context.is_foreign(Some(organization)).then(|| foreign(&organization.to_string()));
            };
            let exists = known.connections.iter().any(|one| one.id == connection);
            (!exists && context.is_list_complete(known)).then(|| gone("connection", &connection.to_string()))
        }
        // The first issuer of Azure DevOps is one for all organizations: only the name tells whose connection it is.
        (Issuer::Other(_), Subject::Names { project, connection, organization })
            if IssuerKind::of(issuer) == Some(IssuerKind::DevOps) =>
        {
            let organizations = &context.snapshot.organizations;
            let known = organizations.iter().find(|one| one.name.eq_ignore_ascii_case(organization.raw()))?;
            by_names(context, known, [organization.raw(), project.raw(), connection.raw()])
        }
        // A pipeline of GitHub, a cluster: not trust in a connection.
        _ => None,
    }
}

fn with_id<'a>(context: &Context<'a>, id: Uuid) -> Option<&'a Organization> {
    context.snapshot.organizations.iter().find(|organization| organization.id == Some(id))
}

fn by_names(context: &Context<'_>, known: &Organization, names: [&str; 3]) -> Option<Dangling> {
    let [organization, project, connection] = names;
    if !known.name.eq_ignore_ascii_case(organization) {
        return Some(gone("organization", organization));
    }
    if !context.is_list_complete(known) {
        return None;
    }
    if !known.projects.iter().any(|one| one.name.eq_ignore_ascii_case(project)) {
        return Some(gone("project", project));
    }
    let mut references = known.connections.iter().flat_map(|connection| &connection.projects);
    let exists = references.any(|one| {
        one.name.eq_ignore_ascii_case(project) && one.connection_name.eq_ignore_ascii_case(connection)
    });
    (!exists).then(|| gone("connection", connection))
}

fn gone(what: &'static str, name: &str) -> Dangling {
    Dangling { what, why: "gone", name: name.to_owned() }
}

fn foreign(name: &str) -> Dangling {
    Dangling { what: "organization", why: "foreign", name: name.to_owned() }
}

fn finding(
    organization: &Organization,
    identity: &Identity,
    credential: &FederatedCredential,
    dangling: &Dangling,
) -> Draft {
    let Dangling { what, why, name } = dangling;
    let application = identity.name.as_deref().unwrap_or_default();
    let FederatedCredential { name: credential_name, issuer, subject, .. } = credential;
    let detail = format!(
        "the federated credential '{credential_name}' of '{application}' trusts the {what} '{name}', which is {why}"
    );
    Draft::without_connection(organization, Severity::Fault, detail)
        .key(format!("{} {credential_name}", identity.client))
        .evidence("application", application)
        .evidence("client", identity.client)
        .evidence("credential", credential_name)
        .evidence("issuer", issuer)
        .evidence("subject", subject)
        .evidence("trusts", what)
        .evidence("why", why)
        .fix(
            "delete the federated credential: what is made under that name next would be trusted",
            command::federated_credential("delete", identity, Some(credential_name)),
        )
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::RULE;
    use crate::{
        rule::Draft,
        snapshot::State,
        subject::of_entra,
        testing::{ORGANIZATION, Planted, TENANT, connection_id, trusting},
    };

    /// What is found where an application trusts this in addition.
    fn found(issuer: &str, subject: &str) -> Vec<Draft> {
        let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
        let planted = Planted::new().with(2, |_, identity| {
            let credential = trusting("extra", Some(issuer), Some(subject));
            identity.federated_credentials.as_mut().unwrap().push(credential);
        });
        planted.found_by(&RULE)
    }

    #[test]
    fn wif6203_finds_a_credential_that_trusts_what_is_gone_or_foreign() {
        let old = format!("https://vstoken.dev.azure.com/{ORGANIZATION}");
        let entra = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
        let stranger = Uuid::from_u128(5);
        for (issuer, subject, what, why) in [
            (old.clone(), "sc://contoso/Platform/gone".to_owned(), "connection", "gone"),
            (old.clone(), "sc://contoso/Gone/sc-1".to_owned(), "project", "gone"),
            (old.clone(), "sc://fabrikam/Platform/sc-1".to_owned(), "organization", "gone"),
            (
                "https://app.vstoken.visualstudio.com".to_owned(),
                "sc://contoso/Platform/gone".to_owned(),
                "connection",
                "gone",
            ),
            (
                format!("https://vstoken.dev.azure.com/{stranger}"),
                "sc://contoso/Platform/sc-1".to_owned(),
                "organization",
                "foreign",
            ),
            (entra.clone(), of_entra(TENANT, ORGANIZATION, connection_id(99)), "connection", "gone"),
            (entra.clone(), of_entra(TENANT, stranger, connection_id(1)), "organization", "foreign"),
        ] {
            let found = found(&issuer, &subject);
            assert_eq!(found.len(), 1, "{subject}");
            let found = &found[0];
            assert_eq!((&found.evidence["trusts"], &found.evidence["why"]), (&what.into(), &why.into()));
            assert_eq!((&found.connection, &found.project), (&None, &None));
            assert_eq!(found.evidence["application"], "app-2");
            assert!(found.command.ends_with("--federated-credential-id extra"), "{}", found.command);
        }
        for (issuer, subject) in [
            (old.as_str(), "sc://Contoso/platform/SC-1"),
            ("https://token.actions.githubusercontent.com", "repo:contoso/x:ref:refs/heads/main"),
            (&entra, &of_entra(TENANT, ORGANIZATION, connection_id(1))),
        ] {
            assert_eq!(found(issuer, subject).len(), 0, "{subject}");
        }
    }

    #[test]
    fn where_the_list_has_a_gap_nothing_is_called_gone() {
        let mut planted = Planted::new().with(2, |_, identity| {
            let subject = of_entra(TENANT, ORGANIZATION, connection_id(99));
            let issuer = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
            identity.federated_credentials.as_mut().unwrap().push(trusting(
                "extra",
                Some(issuer),
                Some(subject),
            ));
        });
        planted.0.coverage[0].state = State::Partial;
        assert!(planted.found_by(&RULE).is_empty());
    }

    #[test]
    fn while_the_id_of_an_organization_is_not_known_nothing_is_called_foreign() {
        let mut planted = Planted::new();
        planted.0.id = None;
        assert!(planted.found_by(&RULE).is_empty());
        let mut old = Planted::new().with(2, |connection, identity| {
            connection.issuer = Some(format!("https://vstoken.dev.azure.com/{ORGANIZATION}"));
            connection.subject = Some("sc://contoso/Platform/sc-2".to_owned());
            let trusted = trusting("old", connection.issuer.clone(), connection.subject.clone());
            identity.federated_credentials = Some(vec![trusted]);
        });
        old.0.id = None;
        assert!(old.found_by(&RULE).is_empty());
    }
}

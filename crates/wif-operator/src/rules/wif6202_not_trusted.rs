//! WIF6202: no federated credential matches issuer and subject.

use serde_json::json;
use wif_core::{
    azure::cloud::Cloud,
    foreign_text::ForeignText,
    trust::compare::{Claims, Difference, Part, Trusted, nearest},
};

use crate::{
    credential::CredentialKind,
    rule::{Context, Draft, Entry, Remedy, Rule, command},
    severity::Severity,
    snapshot::{
        Existence,
        identity::{FederatedCredential, Identity},
    },
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6202",
    title: "No federated credential matches issuer and subject",
    severity: Severity::Fault,
    remedy: Remedy::RepairTrust,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        if entry.credential() == CredentialKind::Federated
            && let Some(identity) = context.identity(entry.connection)
        {
            found.extend(judge(context.snapshot.cloud, entry, identity));
        }
    }
}

fn judge(cloud: Cloud, entry: Entry<'_>, identity: &Identity) -> Option<Draft> {
    let (issuer, subject) = (entry.connection.issuer.as_deref()?, entry.connection.subject.as_deref()?);
    let credentials = identity.federated_credentials.as_deref()?;
    // Where the identity is gone, its credentials are too: that is another rule's.
    if identity.existence == Existence::Gone {
        return None;
    }
    let registered = Trusted {
        by: String::new(),
        issuer: issuer.into(),
        subject: Some(subject.into()),
        audiences: Vec::new(),
    };
    let claims = Claims::of_connection(&registered)?;
    let trusted: Vec<_> = credentials.iter().map(as_trusted).collect();
    let found = nearest(&claims, &trusted);
    let (credential, differences) = match &found {
        None => (None, Vec::new()),
        Some((_, differences)) if differences.is_empty() => return None,
        Some((trusted, differences)) => {
            (credentials.iter().find(|credential| credential.name == trusted.by), differences.clone())
        }
    };
    Some(finding(cloud, (entry, identity), (issuer, subject), credential, &differences))
}

fn as_trusted(credential: &FederatedCredential) -> Trusted {
    let text = |text: &String| ForeignText::from(text.as_str());
    Trusted {
        by: credential.name.clone(),
        issuer: credential.issuer.as_deref().unwrap_or_default().into(),
        subject: credential.subject.as_ref().map(text),
        audiences: credential.audiences.iter().map(text).collect(),
    }
}

fn finding(
    cloud: Cloud,
    (entry, identity): (Entry<'_>, &Identity),
    (issuer, subject): (&str, &str),
    credential: Option<&FederatedCredential>,
    differences: &[Difference],
) -> Draft {
    let words: Vec<_> = differences.iter().map(|difference| difference.words.as_str()).collect();
    let detail = match credential {
        None => "its identity has no federated credential at all".to_owned(),
        Some(credential) => {
            format!("the nearest federated credential is '{}': {}", credential.name, words.join("; "))
        }
    };
    // The issuer is compared first: as long as it differs, the subject is not looked at.
    let part = differences.first().map(|difference| difference.part);
    let differs_at = credential.and_then(|credential| match part? {
        Part::Issuer => first_difference(issuer, credential.issuer.as_deref().unwrap_or_default()),
        Part::Subject => first_difference(subject, credential.subject.as_deref().unwrap_or_default()),
        Part::Audience => {
            let audience = credential.audiences.first().map(String::as_str).unwrap_or_default();
            first_difference(cloud.token_exchange_audience(), audience)
        }
    });
    let differs_in = part.map(|part| match part {
        Part::Issuer => "issuer",
        Part::Subject => "subject",
        Part::Audience => "audience",
    });
    let lines = differences.iter().flat_map(|difference| &difference.lines);
    let lines: Vec<_> = lines.map(|line| line.to_string().trim_end().to_owned()).collect();
    let nearest = credential.map(|credential| {
        let FederatedCredential { name, issuer, subject, audiences, .. } = credential;
        json!({ "name": name, "issuer": issuer, "subject": subject, "audiences": audiences })
    });
    // One that serves another connection is left alone.
    let to_change = credential.filter(|_| !differences.iter().any(|one| one.part == Part::Issuer));
    let to_change = to_change.filter(|credential| is_spelling(subject, credential));
    Draft::of(entry, Severity::Fault, detail)
        .evidence("client", identity.client)
        .evidence("issuer", issuer)
        .evidence("subject", subject)
        .evidence("nearest", nearest)
        .evidence("differsIn", differs_in)
        .evidence("differsAt", differs_at)
        .evidence("comparison", lines)
        .fix(
            "let a federated credential of the identity trust exactly this issuer and subject",
            command::trust(cloud, identity, to_change, (issuer, subject)),
        )
}

/// Whether a credential means this subject, spelled in another way, so that it can be changed.
fn is_spelling(subject: &str, credential: &FederatedCredential) -> bool {
    credential.subject.as_deref().is_some_and(|trusted| trusted.trim().eq_ignore_ascii_case(subject.trim()))
}

/// The place of the first character, counted from 0, in which two texts differ.
fn first_difference(one: &str, other: &str) -> Option<usize> {
    let (mut ones, mut others) = (one.chars(), other.chars());
    let mut at = 0;
    loop {
        match (ones.next(), others.next()) {
            (None, None) => return None,
            (one, other) if one != other => return Some(at),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::{
        snapshot::{Existence, connection::Connection, identity::Identity},
        testing::{ORGANIZATION, count, one, trusting},
    };

    fn old(connection: &mut Connection, identity: &mut Identity, trusted: &str) {
        connection.issuer = Some(format!("https://vstoken.dev.azure.com/{ORGANIZATION}"));
        connection.subject = Some("sc://contoso/Platform/sc-2".to_owned());
        let credential = trusting("ado", connection.issuer.clone(), Some(trusted.to_owned()));
        identity.federated_credentials = Some(vec![credential]);
    }

    #[test]
    fn wif6202_finds_a_connection_that_is_not_trusted_and_where_they_part() {
        let found =
            one(&RULE, |connection, identity| old(connection, identity, "sc://contoso/platform/sc-2"));
        assert_eq!(found.evidence["nearest"]["name"], "ado");
        assert_eq!(found.evidence["nearest"]["subject"], "sc://contoso/platform/sc-2");
        assert_eq!(found.evidence["subject"], "sc://contoso/Platform/sc-2");
        assert_eq!(
            (&found.evidence["differsIn"], &found.evidence["differsAt"]),
            (&"subject".into(), &13.into())
        );
        assert!(found.detail.contains("by case only, in the name of the project"), "{}", found.detail);
        assert!(found.command.contains("federated-credential update"), "{}", found.command);

        let none = one(&RULE, |_, identity| identity.federated_credentials = Some(Vec::new()));
        assert!(none.evidence["nearest"].is_null() && none.evidence["differsAt"].is_null());
        assert!(none.command.contains("federated-credential create"), "{}", none.command);

        let other = one(&RULE, |connection, identity| old(connection, identity, "sc://contoso/Shop/other"));
        assert!(other.command.contains("federated-credential create"), "{}", other.command);

        let issuer = one(&RULE, |_, identity| {
            let credential = &mut identity.federated_credentials.as_mut().unwrap()[0];
            credential.issuer.as_mut().unwrap().push('/');
        });
        assert_eq!(issuer.evidence["differsIn"], "issuer");
    }

    #[test]
    fn what_matches_or_was_not_read_is_not_found() {
        assert_eq!(
            count(&RULE, |connection, identity| old(connection, identity, "sc://contoso/Platform/sc-2")),
            0
        );
        assert_eq!(count(&RULE, |_, identity| identity.federated_credentials = None), 0);
        assert_eq!(
            count(&RULE, |_, identity| {
                identity.federated_credentials = Some(Vec::new());
                identity.existence = Existence::Gone;
            }),
            0
        );
    }
}

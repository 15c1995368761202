//! WIF6103: the secret has ended, or ends soon.

use crate::{
    credential::CredentialKind,
    rule::{Context, Draft, Entry, Remedy, Rule, command},
    severity::Severity,
    snapshot::identity::Identity,
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6103",
    title: "The secret has ended, or ends soon",
    severity: Severity::Fault,
    remedy: Remedy::Convert,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        if entry.credential() == CredentialKind::Secret
            && let Some(identity) = context.identity(entry.connection)
        {
            found.extend(judge(context, entry, identity));
        }
    }
}

/// The latest end counts: which of the application's secrets the connection stores is not told.
fn judge(context: &Context<'_>, entry: Entry<'_>, identity: &Identity) -> Option<Draft> {
    let secrets = identity.secrets.as_ref()?;
    let latest = secrets.iter().filter_map(|secret| secret.ends).max();
    let now = context.now();
    let (severity, detail) = match latest {
        None if secrets.is_empty() => {
            (Severity::Fault, "the application has no secret, so the stored one has ended".to_owned())
        }
        Some(ends) if ends <= now => {
            (Severity::Fault, format!("the last of the application's secrets ended on {}", ends.date()))
        }
        Some(ends) if ends <= now.after(context.settings.expires_within) => {
            let days = ends.since(now).whole_days();
            let date = ends.date();
            (
                Severity::Warning,
                format!("the last of the application's secrets ends in {days} days, on {date}"),
            )
        }
        _ => return None,
    };
    let finding = Draft::of(entry, severity, detail)
        .evidence("client", identity.client)
        .evidence("secretEnds", latest)
        .fix(
            "convert it to federation instead of making another secret: then nothing ends",
            command::wif("convert plan", context.snapshot.cloud, entry),
        );
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::{
        severity::Severity,
        testing::{count, one, secret, store_secret},
    };

    #[test]
    fn wif6103_finds_a_secret_that_has_ended_or_ends_soon() {
        let of = |secrets: Vec<_>| {
            one(&RULE, |connection, identity| {
                store_secret(connection, identity);
                identity.secrets = Some(secrets);
            })
        };
        assert_eq!(of(vec![secret(-1), secret(-20)]).severity, Severity::Fault);
        assert_eq!(of(vec![secret(0)]).severity, Severity::Fault);
        assert_eq!(of(Vec::new()).severity, Severity::Fault);
        let soon = of(vec![secret(-1), secret(12)]);
        assert_eq!(soon.severity, Severity::Warning);
        assert!(soon.detail.contains("in 12 days, on 2026-12-08"), "{}", soon.detail);
        for secrets in [Some(vec![secret(-5), secret(31)]), None] {
            assert_eq!(
                count(&RULE, |connection, identity| {
                    store_secret(connection, identity);
                    identity.secrets = secrets;
                }),
                0
            );
        }
    }

    /// An old secret beside federation is another rule's.
    #[test]
    fn a_federated_connection_has_no_secret_that_could_end() {
        assert_eq!(count(&RULE, |_, identity| identity.secrets = Some(vec![secret(-1)])), 0);
    }
}

//! WIF6204: a set of federated credentials that is nearly full, or has one that is doubtful.

use std::collections::BTreeMap;

use crate::{
    rule::{Context, Draft, Entry, Remedy, Rule, command},
    severity::Severity,
    snapshot::identity::{FederatedCredential, Identity},
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6204",
    title: "Federated credentials that are nearly too many, doubled, or with white space",
    severity: Severity::Warning,
    remedy: Remedy::RepairTrust,
    check,
};

/// The most federated credentials that an application or managed identity may have.
const MOST: usize = 20;
/// From so many on it is said.
const NEARLY: usize = 18;

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        if let Some(identity) = context.identity(entry.connection) {
            let credentials = identity.federated_credentials.as_deref().unwrap_or_default();
            judge(context, entry, identity, credentials, found);
        }
    }
}

fn judge(
    context: &Context<'_>,
    entry: Entry<'_>,
    identity: &Identity,
    credentials: &[FederatedCredential],
    found: &mut Vec<Draft>,
) {
    let finding = |key: &str, detail: String, fix: &str, name: Option<&str>| {
        let verb = if name.is_some() { "delete" } else { "list" };
        Draft::of(entry, Severity::Warning, detail)
            .key(key)
            .evidence("client", identity.client)
            .evidence("reason", key)
            .evidence("count", credentials.len())
            .fix(fix, command::federated_credential(verb, identity, name))
    };
    if credentials.len() >= NEARLY {
        let detail =
            format!("its identity has {} of at most {MOST} federated credentials", credentials.len());
        found.push(finding(
            "count",
            detail,
            "delete those that nothing needs, or use another identity",
            None,
        ));
    }
    let duplicates = duplicates(credentials);
    if let Some([first, second]) = duplicates.first() {
        let is_used = |one: &FederatedCredential| {
            let users = context.users_of(identity.client).iter().map(|user| user.connection);
            users.clone().any(|user| user.issuer == one.issuer && user.subject == one.subject)
        };
        let is_same = (&first.issuer, &first.subject) == (&second.issuer, &second.subject);
        let how = if is_same {
            "trust the same"
        } else {
            "differ in letter case, white space or a slash only, and Entra tells them apart"
        };
        let detail = format!("the federated credentials '{}' and '{}' {how}", first.name, second.name);
        // What a connection signs in by is never named here.
        let (fix, name) = match (is_same, is_used(first), is_used(second)) {
            (true, ..) | (false, true, false) => ("delete the second", Some(&*second.name)),
            (false, false, true) => ("delete the first", Some(&*first.name)),
            (false, ..) => ("find out which one is used, and delete the other", None),
        };
        let names: Vec<_> = duplicates.iter().flatten().map(|one| one.name.as_str()).collect();
        found.push(finding("duplicate", detail, fix, name).evidence("credentials", names));
    }
    let blank = names(credentials, |one| {
        let has =
            |text: &Option<String>| text.as_deref().is_some_and(|text| text.contains(char::is_whitespace));
        has_ends(one.issuer.as_deref()) || has_ends(one.subject.as_deref()) || has(&one.issuer)
    });
    if let Some(first) = blank.first() {
        let detail =
            format!("the federated credential '{first}' has white space, with which nothing can match");
        let finding = finding("whiteSpace", detail, "delete it, and make it anew without", Some(first));
        found.push(finding.evidence("credentials", &blank));
    }
    let unreadable =
        names(credentials, |one| one.issuer.is_none() || (one.subject.is_none() && !one.is_flexible));
    if let Some(first) = unreadable.first() {
        let detail = format!("the federated credential '{first}' cannot be read");
        let finding = finding("unreadable", detail, "look at it in the portal, and make it anew", None);
        found.push(finding.evidence("credentials", &unreadable));
    }
}

fn has_ends(text: Option<&str>) -> bool {
    text.is_some_and(|text| text.trim() != text)
}

fn names(credentials: &[FederatedCredential], is: impl Fn(&FederatedCredential) -> bool) -> Vec<&str> {
    credentials.iter().filter(|one| is(one)).map(|one| one.name.as_str()).collect()
}

/// Pairs that trust the same, but for letter case and white space, in which Entra tells them apart.
fn duplicates(credentials: &[FederatedCredential]) -> Vec<[&FederatedCredential; 2]> {
    let mut seen: BTreeMap<(String, String), &FederatedCredential> = BTreeMap::new();
    let mut pairs = Vec::new();
    for one in credentials {
        let (Some(issuer), Some(subject)) = (&one.issuer, &one.subject) else { continue };
        let fold = |text: &str| text.trim().trim_end_matches('/').to_lowercase();
        match seen.entry((fold(issuer), fold(subject))) {
            std::collections::btree_map::Entry::Occupied(first) => {
                pairs.push([*first.get(), one]);
            }
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(one);
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::{
        rule::Draft,
        snapshot::identity::FederatedCredential,
        testing::{count, one, trusting},
    };

    fn with(more: Vec<FederatedCredential>) -> Draft {
        one(&RULE, |_, identity| identity.federated_credentials.as_mut().unwrap().extend(more))
    }

    fn numbered(count: usize) -> Vec<FederatedCredential> {
        let one = |number| {
            let subject = format!("repo:contoso/{number}");
            trusting(
                &format!("fc-{number}"),
                Some("https://token.actions.githubusercontent.com".to_owned()),
                Some(subject),
            )
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn wif6204_finds_a_doubtful_set_of_credentials() {
        assert!(with(numbered(17)).detail.contains("18 of at most 20"));
        let extra =
            |subject: &str| vec![trusting("extra", Some("https://x".to_owned()), Some(subject.to_owned()))];
        assert_eq!(with(extra(" sc://a/b/c")).evidence["reason"], "whiteSpace");
        let two = [extra("sc://a/B/c"), extra("sc://a/b/c")].concat();
        assert_eq!(with(two).evidence["reason"], "duplicate");
        // What the connection signs in by stays, wherever it stands.
        for (place, others) in [(0, "before"), (1, "after")] {
            let found = one(&RULE, |connection, identity| {
                let near = trusting(
                    others,
                    connection.issuer.as_ref().map(|issuer| format!("{issuer}/")),
                    connection.subject.clone(),
                );
                let all = identity.federated_credentials.as_mut().unwrap();
                all.insert(place, near);
            });
            assert!(found.detail.contains("Entra tells them apart"), "{}", found.detail);
            assert!(found.command.contains("delete") && found.command.contains(others), "{}", found.command);
        }
        let unreadable = vec![trusting("extra", Some("https://x".to_owned()), None)];
        assert_eq!(with(unreadable).evidence["reason"], "unreadable");
    }

    #[test]
    fn a_flexible_credential_and_a_name_with_a_blank_are_right() {
        assert_eq!(
            count(&RULE, |_, identity| identity.federated_credentials.as_mut().unwrap().extend(numbered(16))),
            0
        );
        let blank = trusting(
            "a",
            Some("https://vstoken.dev.azure.com/x".to_owned()),
            Some("sc://a/My Team/c d".to_owned()),
        );
        let flexible =
            FederatedCredential { is_flexible: true, ..trusting("f", Some("https://x".to_owned()), None) };
        assert_eq!(
            count(&RULE, |_, identity| identity
                .federated_credentials
                .as_mut()
                .unwrap()
                .extend([blank, flexible])),
            0
        );
    }
}

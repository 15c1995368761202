//! WIF6207: one identity serves several connections.

use serde_json::json;

use crate::{
    rule::{Context, Draft, Remedy, Rule, client_of, command},
    severity::Severity,
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6207",
    title: "One identity serves several connections",
    severity: Severity::Warning,
    remedy: Remedy::Replace,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        let Some(client) = client_of(entry.connection) else { continue };
        let others: Vec<_> = context
            .users_of(client)
            .iter()
            .filter(|other| other.connection.id != entry.connection.id)
            .collect();
        if others.is_empty() {
            continue;
        }
        let told = others.iter().map(|other| {
            let (organization, connection) = (&other.organization.name, &other.connection);
            json!({ "id": connection.id, "name": connection.name, "organization": organization })
        });
        let detail = format!(
            "its identity serves {} more: who may use one of them may do what all of them need",
            if others.len() == 1 {
                "one connection".to_owned()
            } else {
                format!("{} connections", others.len())
            }
        );
        let finding = Draft::of(entry, Severity::Warning, detail)
            .evidence("client", client)
            .evidence_list("others", told)
            .fix(
                "give each connection an identity of its own",
                command::wif("migrate plan", context.snapshot.cloud, entry),
            );
        found.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::testing::{Planted, client_id, connection_id};

    #[test]
    fn wif6207_finds_one_identity_of_several_connections() {
        let same = |number| client_id(if number > 1 { 2 } else { 1 });
        let planted = (2..=3).fold(Planted::new(), |planted, number| {
            planted.with(number, |connection, _| connection.client = Some(same(number)))
        });
        let found = planted.found_by(&RULE);
        assert_eq!(
            found.iter().map(|one| one.connection.unwrap()).collect::<Vec<_>>(),
            [connection_id(2), connection_id(3)]
        );
        assert_eq!(found[0].evidence["others"][0]["name"], "sc-3");
        assert_eq!(found[1].evidence["othersCount"], 1);
    }
}

//! WIF6501: no description, its creator is gone, or two connections with the same identity and scope.

use serde_json::json;

use crate::{
    rule::{Context, Draft, Entry, Remedy, Rule, client_of, command},
    severity::Severity,
    snapshot::Existence,
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6501",
    title: "No description, its creator is gone, or another has the same identity and scope",
    severity: Severity::Note,
    remedy: Remedy::CleanUp,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        judge(context, entry, found);
    }
}

fn judge(context: &Context<'_>, entry: Entry<'_>, found: &mut Vec<Draft>) {
    let connection = entry.connection;
    if connection.description.as_deref().is_none_or(|text| text.trim().is_empty()) {
        let finding = Draft::of(entry, Severity::Note, "it has no description: what it is for is not written down")
            .key("description")
            .evidence("reason", "description")
            .fix("describe what it is for and who answers for it; with the Azure DevOps issuer, move the issuer first", command::page(entry));
        found.push(finding);
    }
    if let Some(creator) = connection.created_by.as_ref().filter(|person| person.existence == Existence::Gone)
    {
        let name = creator.name.as_deref().unwrap_or("a person");
        let finding =
            Draft::of(entry, Severity::Note, format!("{name}, who made it, has left the organization"))
                .key("creator")
                .evidence("reason", "creator")
                .evidence("creator", &creator.name)
                .fix("find who answers for it now, and write it into its description", command::page(entry));
        found.push(finding);
    }
    let (Some(client), Some(scope)) = (client_of(connection), connection.scope.as_deref()) else { return };
    let is_twin = |other: &&Entry<'_>| {
        other.connection.id != connection.id
            && other.connection.scope.as_deref().is_some_and(|other| other.eq_ignore_ascii_case(scope))
    };
    let twins: Vec<_> = context.users_of(client).iter().filter(is_twin).collect();
    if !twins.is_empty() {
        let told = twins.iter().map(|other| {
            json!({ "id": other.connection.id, "name": other.connection.name, "organization": other.organization.name })
        });
        let detail = match twins.len() {
            1 => "another connection has the same identity and scope".to_owned(),
            count => format!("{count} other connections have the same identity and scope"),
        };
        let finding = Draft::of(entry, Severity::Note, detail)
            .key("duplicate")
            .evidence("reason", "duplicate")
            .evidence("client", client)
            .evidence("scope", scope)
            .evidence_list("others", told)
            .fix("keep one, and share it or let the others go", command::page(entry));
        found.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::{
        snapshot::Existence,
        testing::{Planted, client_id, one},
    };

    #[test]
    fn wif6501_finds_what_is_not_documented_or_is_there_twice() {
        assert_eq!(one(&RULE, |connection, _| connection.description = None).key, "description");
        assert_eq!(
            one(&RULE, |connection, _| connection.description = Some("  ".to_owned())).key,
            "description"
        );
        let gone = one(&RULE, |connection, _| {
            connection.created_by.as_mut().unwrap().existence = Existence::Gone;
        });
        assert_eq!(gone.key, "creator");
        let planted = Planted::new().with(2, |connection, _| {
            connection.client = Some(client_id(1));
            connection.scope = Some(connection.scope.take().unwrap().replace("rg-2", "RG-1"));
        });
        let found = planted.found_by(&RULE);
        assert_eq!(found.iter().map(|one| one.key.as_str()).collect::<Vec<_>>(), ["duplicate"; 2]);
    }
}

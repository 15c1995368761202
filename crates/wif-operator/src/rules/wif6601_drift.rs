//! WIF6601: a request file says otherwise.

use serde_json::json;
use uuid::Uuid;

use crate::{
    drift::{self, Compared, Standing},
    rule::{Context, Draft, Remedy, Rule, command},
    severity::Severity,
    snapshot::{Layer, Organization},
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6601",
    title: "A request file says otherwise",
    severity: Severity::Warning,
    remedy: Remedy::FollowRequest,
    check,
};

/// A request that could not be compared with what is there, or not in all.
pub struct Uncompared<'a> {
    /// The organization's name, and the project that owns the connection.
    pub place: (&'a str, &'a str),
    /// The layer that lacks.
    pub layer: Layer,
    /// The connection, if it is there.
    pub connection: Option<Uuid>,
    /// Why, in a sentence that names the request's file.
    pub why: String,
}

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    compare(context, found);
}

/// Adds what the rule finds, and tells what it could not compare.
pub fn compare<'a>(context: &Context<'a>, found: &mut Vec<Draft>) -> Vec<Uncompared<'a>> {
    let mut uncompared = Vec::new();
    for request in drift::asked(context) {
        let owner = request.owner_project();
        let next = |organization: &Organization| {
            let organization = command::in_organization(&organization.name, context.snapshot.cloud);
            format!("wif connection plan {} {organization}", command::quote(&request.file))
        };
        match drift::find(context, request) {
            Standing::There(entry) => {
                let Compared { differences, unread } = drift::compare(context, request, entry);
                // What lies deeper was not to be read.
                let unread = unread.into_iter().filter(|what| what.layer() <= context.snapshot.depth);
                uncompared.extend(unread.map(|what| Uncompared {
                    place: (&entry.organization.name, owner),
                    layer: what.layer(),
                    connection: Some(entry.connection.id),
                    why: format!("{} cannot be compared with {what}", request.file),
                }));
                let Some(first) = differences.first() else { continue };
                let fields: Vec<_> = differences.iter().map(|one| one.field.as_str()).collect();
                let first = json!(first);
                let detail =
                    format!("{} says otherwise of: {}; first: {first}", request.file, fields.join(", "));
                let finding = Draft::of(entry, Severity::Warning, detail)
                    .key(&*request.connection)
                    .evidence("file", &request.file)
                    .evidence_list("differences", differences.iter().map(|one| json!(one)))
                    .fix(
                        "bring it back to what was asked for, or change the request",
                        next(entry.organization),
                    );
                found.push(finding);
            }
            Standing::Absent(organization) => {
                let detail = format!(
                    "{} asks for '{}', and there is no such connection",
                    request.file, request.connection
                );
                let finding = Draft::without_connection(organization, Severity::Warning, detail)
                    .key(format!("{owner}/{}", request.connection))
                    .evidence("file", &request.file)
                    .evidence("connection", &request.connection)
                    .evidence("project", owner)
                    .evidence_list("differences", [json!(drift::absent(request))])
                    .fix("make it, or delete the request", next(organization));
                found.push(finding);
            }
            Standing::Unread(why) => {
                let organization = context.snapshot.organizations.first().map(|one| one.name.as_str());
                uncompared.push(Uncompared {
                    place: (organization.unwrap_or_default(), owner),
                    layer: Layer::List,
                    connection: None,
                    why: format!("{}: {why}", request.file),
                });
            }
        }
    }
    uncompared
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::{
        made,
        request::{Request, RequestedIdentity},
        rule::Draft,
        snapshot::connection::Connection,
        testing::{Planted, SUBSCRIPTION, client_id, connection_id, found, request, settings},
    };

    type Plant = fn(&mut Connection);

    fn judged(change: impl FnOnce(&mut Request), plant: impl FnOnce(&mut Connection)) -> Vec<Draft> {
        let snapshot = Planted::new().with(2, |connection, _| {
            connection.description = Some(made::description(&request(), "key"));
            plant(connection);
        });
        let snapshot = snapshot.snapshot();
        let mut settings = settings();
        let mut request = request();
        change(&mut request);
        settings.requests = vec![request];
        found(&RULE, &snapshot, &settings)
    }

    #[test]
    fn wif6601_finds_where_a_connection_is_not_what_was_requested() {
        assert_eq!(judged(|_| {}, |_| {}).len(), 0);
        for (field, change) in [
            ("scope", (|one| one.scope = SUBSCRIPTION.to_owned()) as fn(&mut Request)),
            ("identity", |one| one.identity = RequestedIdentity::Existing { client: client_id(9) }),
            ("identity", |one| one.identity = RequestedIdentity::Application { name: "app-2".to_owned() }),
            ("owner", |one| one.owner = "other@contoso.com".to_owned()),
            ("reason", |one| one.reason = "CHG-2".to_owned()),
            ("projects", |one| one.projects.push("Shop".to_owned())),
            ("access", |one| one.access.clear()),
            ("pipelines", |one| one.pipelines.clear()),
            ("checks.branches", |one| one.branches = vec!["refs/heads/main".to_owned()]),
            ("checks.approvers", |one| one.approvers = vec!["[Platform]\\Leads".to_owned()]),
        ] {
            let found = judged(change, |_| {});
            assert_eq!(found.len(), 1, "{field}");
            assert_eq!(found[0].connection, Some(connection_id(2)));
            assert_eq!(found[0].evidence["differences"][0]["field"], field);
            assert_eq!(found[0].command, "wif connection plan sc-2.yaml --organization contoso");
        }
        let planted: [(&str, Plant); 5] = [
            ("scheme", |one| one.scheme = Some("ServicePrincipal".to_owned())),
            ("issuer", |one| one.issuer = Some("https://vstoken.dev.azure.com/x".to_owned())),
            ("subject", |one| one.subject = Some("sc://contoso/Platform/sc-2".to_owned())),
            ("description", |one| one.description = None),
            ("pipelines", |one| one.projects[0].pipelines.as_mut().unwrap().pipelines.clear()),
        ];
        for (field, plant) in planted {
            let found = judged(|_| {}, plant);
            let differences = found[0].evidence["differences"].as_array().unwrap();
            let is_it = |one: &serde_json::Value| one["field"] == field || field == "description";
            assert!(differences.iter().any(is_it), "{field}: {differences:?}");
        }
        let open = judged(
            |_| {},
            |connection| connection.projects[0].pipelines.as_mut().unwrap().is_open_to_all = true,
        );
        assert_eq!(open[0].evidence["differences"][0]["found"], "all");
    }

    #[test]
    fn a_connection_that_was_requested_and_is_not_there_is_found() {
        let found = judged(|one| one.connection = "sc-new".to_owned(), |_| {});
        assert_eq!((found.len(), found[0].connection), (1, None));
        assert!(judged(|one| one.projects = vec!["Nowhere".to_owned()], |_| {}).is_empty());
    }
}

//! WIF6601: a request file says otherwise.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    credential::CredentialKind,
    request::{Request, RequestedIdentity},
    rule::{Context, Draft, Entry, Remedy, Rule, command},
    severity::Severity,
    snapshot::connection::CheckKind,
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6601",
    title: "A request file says otherwise",
    severity: Severity::Warning,
    remedy: Remedy::FollowRequest,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for request in &context.settings.requests {
        let owner = request.projects.first().map(String::as_str).unwrap_or_default();
        let is_meant = |entry: &Entry<'_>| {
            entry.connection.owner().is_some_and(|project| {
                project.name.eq_ignore_ascii_case(owner)
                    && project.connection_name.eq_ignore_ascii_case(&request.connection)
            })
        };
        let next = format!("wif connection plan {}", command::quote(&request.file));
        match context.visible().find(is_meant) {
            Some(entry) => {
                let differences = differences(context, request, entry);
                let Some(first) = differences.first() else { continue };
                let fields: Vec<_> = differences.iter().filter_map(|one| one["field"].as_str()).collect();
                let detail =
                    format!("{} says otherwise of: {}; first: {first}", request.file, fields.join(", "));
                let finding = Draft::of(entry, Severity::Warning, detail)
                    .key(&*request.connection)
                    .evidence("file", &request.file)
                    .evidence_list("differences", differences.clone())
                    .fix("bring it back to what was asked for, or change the request", next);
                found.push(finding);
            }
            None => found.extend(absent(context, request, owner, next)),
        }
    }
}

/// A request whose connection does not exist, in the first organization that has its project and was listed whole.
fn absent(context: &Context<'_>, request: &Request, owner: &str, next: String) -> Option<Draft> {
    let organization = context.snapshot.organizations.iter().find(|organization| {
        organization.projects.iter().any(|project| project.name.eq_ignore_ascii_case(owner))
            && context.is_list_complete(organization)
    })?;
    let detail =
        format!("{} asks for '{}', and there is no such connection", request.file, request.connection);
    let finding = Draft::without_connection(organization, Severity::Warning, detail)
        .key(format!("{owner}/{}", request.connection))
        .evidence("file", &request.file)
        .evidence(
            "differences",
            json!([{ "field": "connection", "requested": request.connection, "found": null }]),
        )
        .fix("make it, or delete the request", next);
    Some(finding)
}

fn differences(context: &Context<'_>, request: &Request, entry: Entry<'_>) -> Vec<Value> {
    let mut found = Vec::new();
    let mut differs = |field: &str, requested: Value, there: Value| {
        found.push(json!({ "field": field, "requested": requested, "found": there }));
    };
    let connection = entry.connection;
    if entry.credential() != CredentialKind::Federated {
        differs("scheme", json!("WorkloadIdentityFederation"), json!(connection.scheme));
    }
    let projects: BTreeSet<_> = connection.projects.iter().map(|one| one.name.to_lowercase()).collect();
    if projects != request.projects.iter().map(|name| name.to_lowercase()).collect() {
        let there: Vec<_> = connection.projects.iter().map(|project| &project.name).collect();
        differs("projects", json!(request.projects), json!(there));
    }
    if !connection.scope.as_deref().is_some_and(|scope| scope.eq_ignore_ascii_case(&request.scope)) {
        differs("scope", json!(request.scope), json!(connection.scope));
    }
    if let RequestedIdentity::Existing { client } = &request.identity
        && connection.client != Some(*client)
    {
        differs("identity", json!(client), json!(connection.client));
    }
    if let Some(roles) = context.identity(connection).and_then(|identity| identity.roles.as_ref()) {
        let fold =
            |role: &str, scope: &str| (role.to_lowercase(), scope.trim_end_matches('/').to_lowercase());
        let there: BTreeSet<_> =
            roles.iter().map(|role| fold(role.role.as_deref().unwrap_or_default(), &role.scope)).collect();
        let requested: BTreeSet<_> =
            request.access.iter().map(|role| fold(&role.role, &role.scope)).collect();
        if there != requested {
            let requested: Vec<_> =
                request.access.iter().map(|one| json!({ "role": one.role, "scope": one.scope })).collect();
            let there: Vec<_> =
                roles.iter().map(|one| json!({ "role": one.role, "scope": one.scope })).collect();
            differs("access", json!(requested), json!(there));
        }
    }
    if let Some(permissions) = connection.owner().and_then(|project| project.pipelines.as_ref()) {
        let names: Vec<_> = permissions
            .pipelines
            .iter()
            .map(|one| one.name.clone().unwrap_or_else(|| one.id.to_string()))
            .collect();
        let fold = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect::<BTreeSet<_>>();
        if permissions.is_open_to_all {
            differs("pipelines", json!(request.pipelines), json!("all"));
        } else if fold(&names) != fold(&request.pipelines) {
            differs("pipelines", json!(request.pipelines), json!(names));
        }
    }
    if let Some(checks) = &connection.checks {
        let of =
            |kind: CheckKind| checks.iter().filter(move |check| check.kind == kind && !check.is_disabled);
        let branches: BTreeSet<_> = of(CheckKind::BranchControl).flat_map(|check| &check.branches).collect();
        if branches != request.branches.iter().collect() {
            differs("checks.branches", json!(request.branches), json!(branches));
        }
        let approvers: BTreeSet<_> = of(CheckKind::Approval).flat_map(|check| &check.approvers).collect();
        if approvers != request.approvers.iter().collect() {
            differs("checks.approvers", json!(request.approvers), json!(approvers));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::{
        request::{Request, RequestedIdentity, RequestedRole},
        rule::Draft,
        snapshot::connection::Connection,
        testing::{Planted, SUBSCRIPTION, client_id, connection_id, found, settings},
    };

    fn request() -> Request {
        let scope = format!("{SUBSCRIPTION}/resourceGroups/rg-2");
        Request {
            file: "sc-2.yaml".to_owned(),
            connection: "sc-2".to_owned(),
            projects: vec!["Platform".to_owned()],
            identity: RequestedIdentity::Existing { client: client_id(2) },
            scope: scope.clone(),
            access: vec![RequestedRole { role: "Contributor".to_owned(), scope }],
            pipelines: vec!["Release".to_owned()],
            branches: Vec::new(),
            approvers: Vec::new(),
            owner: "team@contoso.com".to_owned(),
            reason: "CHG-1".to_owned(),
        }
    }

    fn judged(change: impl FnOnce(&mut Request), plant: impl FnOnce(&mut Connection)) -> Vec<Draft> {
        let snapshot = Planted::new().with(2, |connection, _| plant(connection)).snapshot();
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
            assert_eq!(found[0].command, "wif connection plan sc-2.yaml");
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

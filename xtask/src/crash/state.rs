//! What the services have, as text that is the same for two runs that have made the same.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::scene::Scene;

/// One line for each connection, identity and role assignment, sorted. Ids that a run has made up are told by whose they are.
pub(super) fn of(scene: &Scene) -> Vec<String> {
    let directory = scene.emulator.directory();
    let mut names = BTreeMap::new();
    for connection in directory.connections() {
        names.insert(connection.id, format!("(connection {})", connection.name));
    }
    let apps: Vec<_> = directory.tenants.iter().flat_map(|tenant| &tenant.apps).collect();
    for app in &apps {
        let name = if app.record.name.is_empty() { "(unnamed)".to_owned() } else { app.record.name.clone() };
        names.insert(app.client_id, format!("(client of {name})"));
        names.insert(app.object_id, format!("(principal of {name})"));
    }
    let mut lines = Vec::new();
    for one in directory.connections() {
        let record = &one.record;
        let of = ["type", "settings", "timeout", "isDisabled"];
        let checks: Vec<_> =
            record.checks.iter().map(|check| of.map(|name| check[name].to_string()).join(" ")).collect();
        let shared: Vec<_> = record.shared_with.iter().map(|one| (one.project, &one.name)).collect();
        let mut parameters = one.parameters.clone();
        parameters.retain(|name, _| name != "modificationDate");
        let mut data = one.data.clone();
        // When a conversion can be taken back depends on the hour.
        data.entry("revertSchemeDeadline".to_owned()).and_modify(|until| "a moment".clone_into(until));
        lines.push(format!(
            "connection {} {} {:?} {} disabled {} {parameters:?} {data:?} {:?} shared {shared:?} open {} pipelines {:?} {:?} checks {checks:?}",
            one.name, one.scheme, one.issuer, one.client, one.disabled, record.description, record.open_to_all,
            record.pipelines, record.pipelines_elsewhere
        ));
    }
    for app in &apps {
        let record = &app.record;
        let mut trusted: Vec<_> = app.federated_credentials.iter().map(|one| format!("{one:?}")).collect();
        trusted.sort();
        lines.push(format!(
            "identity {} {:?} multi-tenant {} secrets {} deleted {} principal {} tags {:?} {:?} trusts {trusted:?}",
            app.client_id,
            app.kind,
            app.multi_tenant,
            app.secrets.len(),
            record.deleted,
            !record.without_principal,
            record.tags,
            record.unique_name
        ));
    }
    for one in &directory.role_assignments {
        lines.push(format!(
            "role {} of {} at {} {:?} {:?} {:?}",
            one.role_name, one.principal, one.scope, one.condition, one.condition_version, one.description
        ));
    }
    let mut lines: Vec<_> = lines.iter().map(|line| named(line, &names)).collect();
    lines.sort();
    lines
}

/// A text with a name in place of each id.
fn named(text: &str, names: &BTreeMap<Uuid, String>) -> String {
    const LENGTH: usize = 36;
    let (mut out, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        let id = rest.get(..LENGTH).filter(|id| id.matches('-').count() == 4);
        if let Some(id) = id.and_then(|id| Uuid::try_parse(id).ok()) {
            out.push_str(names.get(&id).map_or("(id)", String::as_str));
            rest = &rest[LENGTH..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// What only one of two has.
pub(super) fn difference(expected: &[String], found: &[String]) -> String {
    let missing = expected.iter().filter(|line| !found.contains(line)).map(|line| format!("- {line}"));
    let more = found.iter().filter(|line| !expected.contains(line)).map(|line| format!("+ {line}"));
    let all: Vec<_> = missing.chain(more).collect();
    if all.is_empty() { "the same lines, another number of times".to_owned() } else { all.join("\n") }
}

//! What is there beyond a request.

use serde_json::Value;

use super::{
    asked::Change,
    guards::is_assignment,
    known::{Known, own_pair, projects_of},
    making::{ADMINISTRATOR, ENTRA, ROLES, report, step},
};
use crate::{
    change::plan::{Credential, Step},
    drift::is_of_a_connection,
};

/// What is there beyond the request: removed from what was made for it, else told.
pub(super) fn beyond(known: &Known<'_>, steps: &mut Vec<Step>) {
    let asked = known.asked;
    let Some(raw) = known.raw else { return };
    for project in projects_of(raw) {
        if asked.projects.iter().any(|one| one.id == project.id) {
            continue;
        }
        if asked.is_own {
            let title = format!("take the connection from {}", project.name);
            let call = ("DELETE _apis/serviceendpoint/endpoints?projectIds=…", ADMINISTRATOR);
            steps.push(step("-", title, Change::Unshare { project }, call));
        } else {
            report(steps, &format!("it is shared with {}, which was not asked for", project.name));
        }
    }
    let Some(identity) = known.identity else { return };
    let (issuer, subject) = own_pair(known);
    let others: Vec<_> =
        known.credentials.iter().filter(|one| one.issuer != issuer || one.subject != subject).collect();
    let is_connection = |one: &Credential| is_of_a_connection(&one.issuer, &one.subject);
    // An identity that another connection uses, too, keeps what that one may need.
    let is_alone = !others.iter().any(|one| is_connection(one));
    for one in others {
        if identity.is_own && !is_connection(one) {
            let title = format!("remove the federated credential {}, which was not asked for", one.name);
            let change = Change::RemoveTrust { name: one.name.clone() };
            steps.push(step("-", title, change, ("DELETE federatedIdentityCredentials", ENTRA)));
        } else if identity.is_own || !is_connection(one) {
            report(steps, &format!("the federated credential {} was not asked for", one.name));
        }
    }
    for assigned in &known.assignments {
        let of = |path: &str| assigned.value.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let scope = of("/properties/scope");
        let mut wanted = asked.request.access.iter().zip(&known.definitions);
        if wanted.any(|(one, definition)| is_assignment(&assigned.value, *definition, &one.scope)) {
            continue;
        }
        let role = assigned.role.as_deref().unwrap_or("(not known)");
        if identity.is_own && is_alone {
            let title = format!("remove the role {role} at {scope}, which was not asked for");
            let change = Change::RemoveRole { assignment: of("/id").to_owned(), scope: scope.to_owned() };
            steps.push(step("-", title, change, ("DELETE roleAssignments", ROLES)));
        } else {
            report(steps, &format!("the role {role} at {scope} was not asked for"));
        }
    }
}

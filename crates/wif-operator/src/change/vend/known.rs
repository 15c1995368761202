//! What was read of everything that a request asks for.

use serde_json::Value;
use uuid::Uuid;

use super::{
    asked::Asked,
    look::{self, Identity},
};
use crate::change::{plan::Credential, project::PlannedProject};

/// What was read of everything that a request asks for.
pub struct Known<'a> {
    /// The request.
    pub asked: &'a Asked,
    /// The identity, if it is there.
    pub identity: Option<&'a Identity>,
    /// Its federated credentials.
    pub credentials: Vec<Credential>,
    /// Its role assignments, at the scopes that were asked for and elsewhere.
    pub assignments: Vec<Assigned>,
    /// The role definitions of the entries of `access`, in their order.
    pub definitions: Vec<Uuid>,
    /// The connection, if it is there.
    pub raw: Option<&'a Value>,
    /// The pipeline permissions of each of its projects.
    pub permissions: Vec<(PlannedProject, Value)>,
    /// The pipelines that were asked for.
    pub pipelines: Vec<u64>,
    /// Its checks.
    pub checks: Vec<Value>,
    /// The approvers that were asked for.
    pub approvers: Vec<Uuid>,
}

/// A role assignment.
pub struct Assigned {
    /// As Azure Resource Manager has it.
    pub value: Value,
    /// The name of its role, if that is known.
    pub role: Option<String>,
}

/// The projects of a connection, as it was read.
#[must_use]
pub fn projects_of(raw: &Value) -> Vec<PlannedProject> {
    references_of(raw).map(|(project, _)| project).collect()
}

/// The projects of a connection, as it was read, and its name in each.
pub fn references_of(raw: &Value) -> impl Iterator<Item = (PlannedProject, &str)> {
    let all = raw.get("serviceEndpointProjectReferences").and_then(Value::as_array);
    all.into_iter().flatten().filter_map(|one| {
        let project = one.get("projectReference")?;
        let name = project.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let own = one.get("name").and_then(Value::as_str).unwrap_or_default();
        Some((PlannedProject { id: look::id(project, "id")?, name }, own))
    })
}

/// The issuer and the subject of the connection.
pub(super) fn own_pair(known: &Known<'_>) -> (String, String) {
    let of = |name: &str| known.raw.and_then(|raw| look::parameter(raw, name)).unwrap_or_default();
    (of("workloadIdentityFederationIssuer"), of("workloadIdentityFederationSubject"))
}

//! The steps from what is there to what a request asks for. Pure: they follow from what was read.

use std::collections::BTreeSet;

use serde_json::Value;
use uuid::Uuid;

use super::{
    asked::{Asked, Change},
    look::{self, Identity},
    work::{allowed, approvers_of, branches_of, is_assignment, is_open},
};
use crate::{
    change::plan::{Action, Credential, PlannedProject, Step},
    request::RequestedIdentity,
};

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

const ENTRA: &str = "an Application Administrator, a Cloud Application Administrator, or who has Application.ReadWrite.OwnedBy";
const AZURE: &str = "Managed Identity Contributor at the resource group";
const ROLES: &str =
    "Role Based Access Control Administrator, User Access Administrator or Owner at the scope";
const CREATOR: &str = "an endpoint creator of the projects";
const ADMINISTRATOR: &str = "an administrator of the connection at the organization level";
const GUARD: &str = "an administrator of the connection in its project";

/// The steps, in the order in which one needs the other.
#[must_use]
pub fn steps(known: &Known<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    identity(known, &mut steps);
    roles(known, &mut steps);
    connection(known, &mut steps);
    trust(known, &mut steps);
    pipelines(known, &mut steps);
    checks(known, &mut steps);
    if steps.iter().any(|step: &Step| step.sign != "!") {
        steps.push(prove());
    }
    beyond(known, &mut steps);
    steps
}

fn step(sign: &str, title: String, change: Change, (call, who): (&str, &str)) -> Step {
    let inverse = change.has_inverse().then(|| {
        match &change {
            Change::MakeApplication => "delete it; it can be restored for 30 days",
            Change::MakeManagedIdentity => "delete it",
            Change::AssignRole { .. } => "remove the assignment",
            Change::MakeConnection => "delete it, after its federated credential",
            Change::Share { .. } => "take it from the project",
            Change::Unshare { .. } => "share it again",
            Change::Authorize { .. } => "authorize those that were authorized before",
            _ => "remove it",
        }
        .to_owned()
    });
    let inverse = inverse.or_else(|| match change {
        Change::MakePrincipal => Some("goes with the application".to_owned()),
        Change::Report => Some("nothing is changed".to_owned()),
        _ => None,
    });
    Step {
        sign: sign.to_owned(),
        title,
        precondition: "it is looked for first".to_owned(),
        call: call.to_owned(),
        read_back: "it is there as it was asked for".to_owned(),
        inverse,
        who: who.to_owned(),
        action: Action::Follow(change),
    }
}

fn identity(known: &Known<'_>, steps: &mut Vec<Step>) {
    match (&known.asked.request.identity, known.identity) {
        (RequestedIdentity::Application { name }, found) => {
            let unique = crate::drift::unique_name(name);
            if found.is_none() {
                let title = format!("make the application {name} (uniqueName {unique})");
                let call = "PATCH applications(uniqueName='…'), Prefer: create-if-missing";
                steps.push(step("+", title, Change::MakeApplication, (call, ENTRA)));
            }
            if found.is_none_or(|one| one.principal.is_none()) {
                let title = format!("make the service principal of {name}");
                steps.push(step("+", title, Change::MakePrincipal, ("POST servicePrincipals", ENTRA)));
            }
        }
        (RequestedIdentity::ManagedIdentity { name, resource_group, .. }, None) => {
            let region = known.asked.region.as_deref().unwrap_or_default();
            let title = format!("make the managed identity {name} in {resource_group} ({region})");
            steps.push(step("+", title, Change::MakeManagedIdentity, ("PUT userAssignedIdentities", AZURE)));
        }
        _ => {}
    }
}

fn roles(known: &Known<'_>, steps: &mut Vec<Step>) {
    for (one, definition) in known.asked.request.access.iter().zip(&known.definitions) {
        if known.assignments.iter().any(|known| is_assignment(&known.value, *definition, &one.scope)) {
            continue;
        }
        let title = format!("assign the role {} at {}", one.role, one.scope);
        let (role, scope) = (one.role.clone(), one.scope.clone());
        let change = Change::AssignRole { role, definition: *definition, scope };
        steps.push(step(
            "+",
            title,
            change,
            ("PUT roleAssignments, by a name that follows from role, scope and identity", ROLES),
        ));
    }
}

fn connection(known: &Known<'_>, steps: &mut Vec<Step>) {
    let asked = known.asked;
    let Some(raw) = known.raw else {
        let names: Vec<_> = asked.projects.iter().map(|one| one.name.as_str()).collect();
        let title = format!("make the connection {} in {}", asked.request.connection, names.join(", "));
        let call = "POST _apis/serviceendpoint/endpoints";
        steps.push(step("+", title, Change::MakeConnection, (call, CREATOR)));
        return;
    };
    let client = known.identity.map(|one| one.client);
    let parameter = |name: &str| look::parameter(raw, name).unwrap_or_default();
    let mut parts = Vec::new();
    if client.is_none_or(|client| !parameter("serviceprincipalid").eq_ignore_ascii_case(&client.to_string()))
    {
        parts.push("identity");
    }
    let scope = parameter("scope");
    let is_bare = asked.request.scope.matches('/').count() == 2 && scope.is_empty();
    if !scope.eq_ignore_ascii_case(&asked.request.scope)
        && !is_bare
        && asked.request.scope.starts_with("/subscriptions/")
    {
        parts.push("scope");
    }
    let description = raw.get("description").and_then(Value::as_str).unwrap_or_default();
    let own = asked.description("");
    if !own.split("; ").all(|part| description.contains(part) || part.starts_with(crate::drift::MARK)) {
        parts.push("owner and reason in its description");
    }
    if !parts.is_empty() {
        let title = format!("save the connection, with: {}", parts.join(", "));
        steps.push(step(
            "~",
            title,
            Change::SaveConnection,
            ("PUT _apis/serviceendpoint/endpoints", ADMINISTRATOR),
        ));
    }
    let there = projects_of(raw);
    for project in asked.projects.iter().filter(|one| !there.iter().any(|known| known.id == one.id)) {
        let title = format!("share the connection with {}", project.name);
        let change = Change::Share { project: project.clone() };
        steps.push(step("+", title, change, ("PATCH _apis/serviceendpoint/endpoints", ADMINISTRATOR)));
    }
}

/// The projects of a connection, as it was read.
#[must_use]
pub fn projects_of(raw: &Value) -> Vec<PlannedProject> {
    let all = raw.get("serviceEndpointProjectReferences").and_then(Value::as_array);
    let project = |one: &Value| {
        let project = one.get("projectReference")?;
        let name = project.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(PlannedProject { id: look::id(project, "id")?, name })
    };
    all.into_iter().flatten().filter_map(project).collect()
}

fn own_pair(known: &Known<'_>) -> (String, String) {
    let of = |name: &str| known.raw.and_then(|raw| look::parameter(raw, name)).unwrap_or_default();
    (of("workloadIdentityFederationIssuer"), of("workloadIdentityFederationSubject"))
}

fn trust(known: &Known<'_>, steps: &mut Vec<Step>) {
    let (issuer, subject) = own_pair(known);
    let is_it = |one: &Credential| {
        one.issuer == issuer && one.subject == subject && one.audience == crate::change::plan::AUDIENCE
    };
    if !issuer.is_empty() && known.credentials.iter().any(is_it) {
        return;
    }
    let title =
        "add the federated credential for the issuer and subject that are read back from the connection";
    let who = if known.asked.resource().is_some() { AZURE } else { ENTRA };
    steps.push(step("+", title.to_owned(), Change::Trust, ("federatedIdentityCredentials", who)));
}

fn pipelines(known: &Known<'_>, steps: &mut Vec<Step>) {
    let asked = known.asked;
    let owner = asked.owner();
    let Some(_) = known.raw else {
        if !known.pipelines.is_empty() {
            let change = Change::Authorize {
                project: owner,
                add: known.pipelines.clone(),
                remove: Vec::new(),
                closes: false,
            };
            let title = format!("authorize the pipelines {}", asked.request.pipelines.join(", "));
            steps.push(step("+", title, change, ("PATCH pipelinePermissions", GUARD)));
        }
        return;
    };
    for (project, permissions) in &known.permissions {
        let wanted: &[u64] = if project.id == owner { &known.pipelines } else { &[] };
        let there = allowed(permissions);
        let add: Vec<_> = wanted.iter().copied().filter(|id| !there.contains(id)).collect();
        let extra: Vec<_> = there.iter().copied().filter(|id| !wanted.contains(id)).collect();
        let open = is_open(permissions);
        let name = &project.name;
        if !asked.is_own {
            if open {
                report(steps, format!("every pipeline of {name} may use it, which was not asked for"));
            }
            for id in &extra {
                report(steps, format!("the pipeline {id} of {name} may use it, which was not asked for"));
            }
        }
        let (remove, closes) = if asked.is_own { (extra, open) } else { (Vec::new(), false) };
        if add.is_empty() && remove.is_empty() && !closes {
            continue;
        }
        let mut parts = Vec::new();
        let numbers = |ids: &[u64]| ids.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        if closes {
            parts.push("close it to all pipelines".to_owned());
        }
        if !add.is_empty() {
            parts.push(format!("authorize the pipelines {}", numbers(&add)));
        }
        if !remove.is_empty() {
            parts.push(format!("take the authorization of the pipelines {}", numbers(&remove)));
        }
        let change = Change::Authorize { project: project.id, add, remove, closes };
        let title = format!("in {name}: {}", parts.join(", "));
        steps.push(step("~", title, change, ("PATCH pipelinePermissions", GUARD)));
    }
}

fn checks(known: &Known<'_>, steps: &mut Vec<Step>) {
    let request = &known.asked.request;
    let sorted = |mut all: Vec<Uuid>| {
        all.sort();
        all
    };
    let approvers = sorted(known.approvers.clone());
    let branches: BTreeSet<_> = request.branches.iter().cloned().collect();
    let call = "POST pipelines/checks/configurations";
    let has_approval = known.checks.iter().filter_map(approvers_of).any(|one| sorted(one) == approvers);
    if !approvers.is_empty() && !has_approval {
        let title = format!("make an approval by {}", request.approvers.join(", "));
        steps.push(step("+", title, Change::MakeApproval { approvers: approvers.clone() }, (call, GUARD)));
    }
    let has_branches = known
        .checks
        .iter()
        .filter_map(branches_of)
        .any(|one| one.into_iter().collect::<BTreeSet<_>>() == branches);
    if !branches.is_empty() && !has_branches {
        let title = format!("make a branch control for {}", request.branches.join(", "));
        let change = Change::MakeBranchControl { branches: request.branches.clone() };
        steps.push(step("+", title, change, (call, GUARD)));
    }
    for check in &known.checks {
        let is_wanted = match (approvers_of(check), branches_of(check)) {
            (Some(own), _) => sorted(own) == approvers,
            (_, Some(own)) => own.into_iter().collect::<BTreeSet<_>>() == branches,
            _ => true,
        };
        let id = check.get("id").and_then(Value::as_u64);
        let (false, Some(id)) = (is_wanted, id) else { continue };
        if known.asked.is_own {
            let title = format!("remove the check {id}, which was not asked for");
            steps.push(step(
                "-",
                title,
                Change::RemoveCheck { id },
                ("DELETE pipelines/checks/configurations", GUARD),
            ));
        } else {
            report(steps, format!("the check {id} was not asked for"));
        }
    }
}

fn prove() -> Step {
    Step {
        sign: "?".to_owned(),
        title: "prove that it signs in: TestConnection; if it does not, put back what was made".to_owned(),
        precondition: "none".to_owned(),
        call: "POST _apis/serviceendpoint/endpointproxy (TestConnection)".to_owned(),
        read_back: "Azure DevOps has exchanged an id token and asked Azure Resource Manager".to_owned(),
        inverse: Some("nothing was changed".to_owned()),
        who: "who may query the connection".to_owned(),
        action: Action::Prove,
    }
}

/// What is there beyond the request: removed from what was made for it, else told.
fn beyond(known: &Known<'_>, steps: &mut Vec<Step>) {
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
            report(steps, format!("it is shared with {}, which was not asked for", project.name));
        }
    }
    let Some(identity) = known.identity else { return };
    let (issuer, subject) = own_pair(known);
    let others: Vec<_> =
        known.credentials.iter().filter(|one| one.issuer != issuer || one.subject != subject).collect();
    let is_connection = |one: &Credential| one.subject.starts_with("sc://") || one.subject.contains("/sc/");
    // An identity that another connection uses, too, keeps what that one may need.
    let is_alone = !others.iter().any(|one| is_connection(one));
    for one in others {
        if identity.is_own && !is_connection(one) {
            let title = format!("remove the federated credential {}, which was not asked for", one.name);
            let change = Change::RemoveTrust { name: one.name.clone() };
            steps.push(step("-", title, change, ("DELETE federatedIdentityCredentials", ENTRA)));
        } else if identity.is_own || !is_connection(one) {
            report(steps, format!("the federated credential {} was not asked for", one.name));
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
            report(steps, format!("the role {role} at {scope} was not asked for"));
        }
    }
}

fn report(steps: &mut Vec<Step>, what: String) {
    let title = format!("{what}: remove it by hand, or ask for it");
    steps.push(step("!", title, Change::Report, ("none", "who answers for it")));
}

//! The steps from what is there to what a request asks for. Pure: they follow from what was read.

use std::collections::BTreeSet;

use serde_json::Value;
use uuid::Uuid;

use super::{
    asked::Change,
    beyond::beyond,
    guards::{allowed, approvers_of, branches_of, is_assignment, is_open},
    known::{Known, own_pair, projects_of},
    look,
    making::{ADMINISTRATOR, AZURE, CREATOR, ENTRA, GUARD, ROLES, report, step},
};
use crate::{
    change::{
        ids::Ids,
        plan::{Action, Credential, Step},
    },
    request::RequestedIdentity,
};

/// The steps, in the order in which one needs the other.
#[must_use]
pub fn steps(known: &Known<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    identity(known, &mut steps);
    roles(known, &mut steps);
    if known.raw.is_some() {
        // Its issuer and subject are known, so that it never signs in as an identity that does not trust it.
        trust(known, &mut steps);
        connection(known, &mut steps);
    } else {
        connection(known, &mut steps);
        trust(known, &mut steps);
    }
    // No pipeline may use it before it is guarded.
    checks(known, &mut steps);
    pipelines(known, &mut steps);
    let mut removals = Vec::new();
    unwanted_checks(known, &mut removals);
    if steps.iter().chain(&removals).any(|step: &Step| step.sign != "!") {
        steps.push(prove());
    }
    // What cannot be taken back comes after the proof.
    steps.append(&mut removals);
    beyond(known, &mut steps);
    steps
}

fn identity(known: &Known<'_>, steps: &mut Vec<Step>) {
    match (&known.asked.request.identity, known.identity) {
        (RequestedIdentity::Application { name }, found) => {
            let unique = crate::made::unique_name(name);
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
    if !crate::made::is_described(description, &asked.request) {
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
                report(steps, &format!("every pipeline of {name} may use it, which was not asked for"));
            }
            for id in &extra {
                report(steps, &format!("the pipeline {id} of {name} may use it, which was not asked for"));
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
}

fn unwanted_checks(known: &Known<'_>, steps: &mut Vec<Step>) {
    let request = &known.asked.request;
    let approvers = sorted(known.approvers.clone());
    let branches: BTreeSet<_> = request.branches.iter().cloned().collect();
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
            report(steps, &format!("the check {id} was not asked for"));
        }
    }
}

fn sorted(mut all: Vec<Uuid>) -> Vec<Uuid> {
    all.sort();
    all
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
        ids: Ids::default(),
        action: Action::Prove,
    }
}

//! The steps that put a connection beside an old one. Pure: they follow from what was read.

use serde_json::Value;

use super::{
    gather::{Gathered, Guards},
    swap,
};
use crate::{
    change::{
        plan::{Action, Step},
        vend::{
            asked::{Asked, Change, CopiedRole},
            checks::{copy_of, is_off, is_same, name_of},
            making::{AZURE, CREATOR, ENTRA, GUARD, ROLES, step},
        },
    },
    request::RequestedIdentity,
};

/// All steps, in the order in which one needs the other.
#[must_use]
pub fn steps(asked: &Asked, old: &Gathered) -> Vec<Step> {
    let mut steps = Vec::new();
    identity(asked, &mut steps);
    steps.extend(old.roles.iter().map(role));
    let names: Vec<_> = asked.projects.iter().map(|one| one.name.as_str()).collect();
    let title = format!("make the connection {} in {}", asked.request.connection, names.join(", "));
    let call = "POST _apis/serviceendpoint/endpoints";
    steps.push(step("+", title, Change::MakeConnection, (call, CREATOR)));
    let title =
        "add the federated credential for the issuer and subject that are read back from the connection";
    let who = if asked.resource().is_some() { AZURE } else { ENTRA };
    steps.push(step("+", title.to_owned(), Change::Trust, ("federatedIdentityCredentials", who)));
    // No pipeline may use it before it is guarded as the old one is.
    let mut by_hand = Vec::new();
    for guards in &old.projects {
        checks(guards, &mut steps, &mut by_hand);
    }
    for guards in &old.projects {
        pipelines(guards, &mut steps);
    }
    steps.push(prove());
    steps.extend(swap::steps(asked));
    for what in old.beyond.iter().flatten() {
        let title = format!("the old identity {what}: give the new one that, too, if it needs it");
        by_hand.push(by_hand_step(title, "who answers for it"));
    }
    for guards in &old.projects {
        for member in &guards.members {
            let title =
                format!("{member} on the old connection in {}: on the new one, too?", guards.project.name);
            by_hand.push(by_hand_step(title, GUARD));
        }
        for release in &guards.releases {
            let title = format!(
                "the classic release {release} in {} holds the id of the old connection: choose the new one there",
                guards.project.name
            );
            by_hand.push(by_hand_step(title, "who edits the release"));
        }
    }
    steps.append(&mut by_hand);
    steps
}

fn identity(asked: &Asked, steps: &mut Vec<Step>) {
    match &asked.request.identity {
        RequestedIdentity::Application { name } => {
            let unique = crate::made::unique_name(name);
            let title = format!("make the application {name} (uniqueName {unique})");
            let call = "PATCH applications(uniqueName='…'), Prefer: create-if-missing";
            steps.push(step("+", title, Change::MakeApplication, (call, ENTRA)));
            let title = format!("make the service principal of {name}");
            steps.push(step("+", title, Change::MakePrincipal, ("POST servicePrincipals", ENTRA)));
        }
        RequestedIdentity::ManagedIdentity { name, resource_group, .. } => {
            let region = asked.region.as_deref().unwrap_or_default();
            let title = format!("make the managed identity {name} in {resource_group} ({region})");
            steps.push(step("+", title, Change::MakeManagedIdentity, ("PUT userAssignedIdentities", AZURE)));
        }
        RequestedIdentity::Existing { .. } => {}
    }
}

fn role(copied: &CopiedRole) -> Step {
    let terms = if copied.condition.is_some() { ", on the condition that the old one has" } else { "" };
    let title = format!("assign the role {} at {}{terms}", copied.role, copied.scope);
    let call = ("PUT roleAssignments, by a name that follows from role, scope and identity", ROLES);
    let mut step = step("+", title, Change::CopyRole { copied: copied.clone() }, call);
    "the old identity still has it, on the same terms".clone_into(&mut step.precondition);
    step
}

fn checks(guards: &Guards, steps: &mut Vec<Step>, by_hand: &mut Vec<Step>) {
    let mut copied: Vec<Value> = Vec::new();
    for check in &guards.checks {
        if is_off(check) {
            continue;
        }
        let name = format!("{} in {}", name_of(check), guards.project.name);
        let Some(copy) = copy_of(check) else {
            let title = format!(
                "the check {name} is not copied, since its settings may hold what is secret: make it for the new connection"
            );
            by_hand.push(by_hand_step(title, GUARD));
            continue;
        };
        if copied.iter().any(|known| is_same(check, known)) {
            continue;
        }
        copied.push(copy.clone());
        let change = Change::CopyCheck { project: guards.project.id, check: copy };
        let call = "POST pipelines/checks/configurations";
        steps.push(step("+", format!("make the check {name}, as the old one has it"), change, (call, GUARD)));
    }
}

fn pipelines(guards: &Guards, steps: &mut Vec<Step>) {
    if guards.pipelines.is_empty() {
        return;
    }
    let names: Vec<_> = guards.pipelines.iter().map(|one| format!("{} ({})", one.name, one.id)).collect();
    let because = if guards.is_open { ", which have used the old one" } else { "" };
    let title = format!("in {}: authorize the pipelines {}{because}", guards.project.name, names.join(", "));
    let change = Change::Authorize {
        project: guards.project.id,
        add: guards.pipelines.iter().map(|one| one.id).collect(),
        remove: Vec::new(),
        closes: false,
    };
    steps.push(step("+", title, change, ("PATCH pipelinePermissions", GUARD)));
}

fn by_hand_step(title: String, who: &str) -> Step {
    step("!", title, Change::Report, ("none", who))
}

fn prove() -> Step {
    Step {
        title:
            "prove that the new connection signs in: TestConnection; if it does not, put back what was made"
                .to_owned(),
        ..crate::change::steps::prove()
    }
}

/// What a person should know.
#[must_use]
pub fn notes(asked: &Asked, old: &Gathered, principal: Option<uuid::Uuid>) -> Vec<String> {
    let new = &asked.request.connection;
    let mut notes = Vec::new();
    if asked.beside.as_ref().is_none_or(|beside| beside.old_names.is_empty()) {
        notes.push(format!(
            "the old connection is not changed: name {new} in the pipelines instead, then see wif migrate status JOURNAL"
        ));
    }
    for error in old.beyond.iter().filter_map(|one| one.as_ref().err()) {
        notes.push(format!("{error}: look there by hand"));
    }
    let principal = principal.map(|id| id.to_string()).unwrap_or_default();
    notes.push(format!(
        "not looked for, and not copied: what the object {principal} has in databases and clusters, and roles and key vaults where the token does not see"
    ));
    for guards in &old.projects {
        let project = &guards.project.name;
        if guards.is_open {
            notes.push(format!(
                "every pipeline of {project} may use the old connection: the new one is not opened to all, but to those that have used it and those that are authorized by name"
            ));
        }
        for id in &guards.gone {
            notes.push(format!(
                "the pipeline {id} of {project} does not exist any more, and is not authorized"
            ));
        }
        for check in guards.checks.iter().filter(|check| is_off(check)) {
            notes.push(format!("the check {} of {project} is switched off, and not copied", name_of(check)));
        }
    }
    notes
}

/// Whether a step changes something: what is left to a person, or only proves, does not.
#[must_use]
pub fn changes(step: &Step) -> bool {
    !matches!(step.action, Action::Prove | Action::Follow(Change::Report))
}

//! How a step of a request is told, and who may do it.

use super::asked::Change;
use crate::change::{
    ids::Ids,
    plan::{Action, Step},
};

pub(in crate::change) const ENTRA: &str = "an Application Administrator, a Cloud Application Administrator, or who has Application.ReadWrite.OwnedBy";
pub(in crate::change) const AZURE: &str = "Managed Identity Contributor at the resource group";
pub(in crate::change) const ROLES: &str =
    "Role Based Access Control Administrator, User Access Administrator or Owner at the scope";
pub(in crate::change) const CREATOR: &str = "an endpoint creator of the projects";
pub(in crate::change) const ADMINISTRATOR: &str =
    "an administrator of the connection at the organization level";
pub(in crate::change) const GUARD: &str = "an administrator of the connection in its project";

pub(in crate::change) fn step(sign: &str, title: String, change: Change, (call, who): (&str, &str)) -> Step {
    let inverse = change.has_inverse().then(|| {
        match &change {
            Change::MakeApplication => "delete it; it can be restored for 30 days",
            Change::MakeManagedIdentity => "delete it",
            Change::AssignRole { .. } => "remove the assignment",
            Change::MakeConnection => "delete it, after its federated credential",
            Change::Share { .. } => "take it from the project",
            Change::Unshare { .. } => "share it again",
            Change::Authorize { .. } => "authorize those that were authorized before",
            Change::EndTrust { .. } => "add it again",
            Change::EndRole { .. } => "assign it again",
            Change::EndApplication { .. } => "restore it, within 30 days",
            Change::SetAside | Change::TakeName => "give it the name that it had",
            _ => "remove it",
        }
        .to_owned()
    });
    let inverse = inverse.or_else(|| match change {
        Change::MakePrincipal => Some("goes with the application".to_owned()),
        Change::Report | Change::StillUnused { .. } => Some("nothing is changed".to_owned()),
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
        ids: Ids::default(),
        action: Action::Follow(change),
    }
}

/// The step that takes back what another one has done. None, if nothing can.
#[must_use]
pub fn take_back(done: &Step) -> Option<Step> {
    let Action::Follow(change) = &done.action else { return None };
    if !change.has_inverse() {
        return None;
    }
    Some(Step {
        sign: "-".to_owned(),
        title: format!("take back: {}", done.title),
        precondition: "it is looked for first".to_owned(),
        call: format!("the inverse of {}", done.call),
        read_back: "it is as it was before".to_owned(),
        inverse: change.can_be_done_again().then(|| "do it again".to_owned()),
        who: done.who.clone(),
        ids: done.ids.clone(),
        action: Action::TakeBack { done: change.clone() },
    })
}

/// Leaves to a person what would be deleted, since code may manage it.
#[must_use]
pub fn without_deletions(mut steps: Vec<Step>) -> Vec<Step> {
    let has_changes = |steps: &[Step]| steps.iter().any(|step| ["+", "~"].contains(&step.sign.as_str()));
    for one in steps.iter_mut().filter(|step| step.sign == "-") {
        let title = format!(
            "stays, since it is not known whether code manages it (--managed-by none): {}",
            one.title
        );
        *one = step("!", title, Change::Report, ("none", "who answers for it"));
    }
    if !has_changes(&steps) {
        steps.retain(|step| step.action != Action::Prove);
    }
    steps
}

/// A step that is left to a person.
pub(super) fn report(steps: &mut Vec<Step>, what: &str) {
    let title = format!("{what}: remove it by hand, or ask for it");
    steps.push(step("!", title, Change::Report, ("none", "who answers for it")));
}

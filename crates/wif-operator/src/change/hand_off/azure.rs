//! What is to be done with managed identities and role assignments: commands of the Azure CLI.

use wif_core::foreign_text::one_line;

use super::context::{Context, unused};
use crate::{
    change::{
        plan::{Action, Credential},
        side::{identity, quoted},
        vend::asked::{Asked, Change, CopiedRole, assignment_name},
    },
    request::RequestedIdentity,
};

/// The commands of a step.
pub(super) fn commands(context: &Context<'_>, action: &Action) -> Vec<String> {
    match action {
        Action::AddCredential { credential } => add(context, credential),
        Action::RemoveCredential { credential } => remove(context, &credential.name),
        Action::RemoveUnused { credentials } => {
            unused(credentials.iter().flat_map(|one| remove(context, &one.name)))
        }
        Action::Follow(change) => of_request(context, change, false),
        Action::TakeBack { done } => of_request(context, done, true),
        Action::Convert { .. } | Action::MoveIssuer { .. } | Action::Prove | Action::AwaitRun => Vec::new(),
    }
}

fn of_request(context: &Context<'_>, change: &Change, is_undone: bool) -> Vec<String> {
    let Some(asked) = context.asked() else { return Vec::new() };
    match (change, is_undone) {
        (Change::MakeManagedIdentity, _) => managed_identity(asked, is_undone),
        (Change::AssignRole { role, scope, .. }, false) => vec![format!(
            "az role assignment create --assignee-object-id {} --assignee-principal-type ServicePrincipal --role {} --scope {}",
            context.principal(),
            quoted(role),
            quoted(scope)
        )],
        (Change::AssignRole { role, scope, .. }, true) => vec![unassign(context, role, scope)],
        (Change::RemoveRole { assignment, .. }, false) => vec![delete_assignment(assignment)],
        (Change::CopyRole { copied }, false) => vec![assign(context, copied, "")],
        (Change::CopyRole { copied }, true) => {
            vec![unassign(context, copied.definition.rsplit('/').next().unwrap_or_default(), &copied.scope)]
        }
        (Change::EndRole { ended }, false) => vec![delete_assignment(&ended.assignment)],
        (Change::EndRole { ended }, true) => {
            // By the name that it had: a second assignment of the role at the scope is refused.
            let name = ended.assignment.rsplit('/').next().unwrap_or_default();
            vec![assign(context, ended, &format!(" --name {}", quoted(name)))]
        }
        (Change::Trust, false) => add(context, &context.trust(asked)),
        (Change::Trust, true) => remove(context, &context.trust(asked).name),
        (Change::RemoveTrust { name } | Change::EndTrust { name, .. }, false) => remove(context, name),
        (Change::EndTrust { name, issuer, subject, audience }, true) => {
            let (name, issuer) = (name.clone(), issuer.clone());
            let (subject, audience) = (subject.clone(), audience.clone());
            add(context, &Credential { name, issuer, subject, audience })
        }
        _ => Vec::new(),
    }
}

fn add(context: &Context<'_>, credential: &Credential) -> Vec<String> {
    let Credential { name, issuer, subject, audience } = credential;
    let command = |path: String| {
        format!(
            "az identity federated-credential create {} --name {} --issuer {} --subject {} --audiences {}",
            identity(&path),
            quoted(name),
            quoted(issuer),
            quoted(subject),
            quoted(audience)
        )
    };
    context.resource().map(command).into_iter().collect()
}

fn remove(context: &Context<'_>, name: &str) -> Vec<String> {
    let command = |path: String| {
        format!("az identity federated-credential delete {} --name {} --yes", identity(&path), quoted(name))
    };
    context.resource().map(command).into_iter().collect()
}

fn managed_identity(asked: &Asked, is_undone: bool) -> Vec<String> {
    let RequestedIdentity::ManagedIdentity { name, resource_group, subscription } = &asked.request.identity
    else {
        return Vec::new();
    };
    let place = format!(
        "--name {} --resource-group {} --subscription {subscription}",
        quoted(name),
        quoted(resource_group)
    );
    if is_undone {
        return vec![format!("az identity delete {place}")];
    }
    vec![format!(
        "az identity create {place} --location {} --tags {}",
        quoted(asked.region.as_deref().unwrap_or_default()),
        quoted(&format!("wif={}", asked.key))
    )]
}

/// The command that makes a role assignment for the identity, with all that it has.
fn assign(context: &Context<'_>, copied: &CopiedRole, more: &str) -> String {
    let CopiedRole { definition, scope, condition, condition_version, description, delegated, .. } = copied;
    let definition = definition.rsplit('/').next().unwrap_or_default();
    let optional = [
        ("condition", condition),
        ("condition-version", condition_version),
        ("description", description),
        ("delegated-managed-identity-resource-id", delegated),
    ];
    let optional = optional.into_iter().filter_map(|(name, value)| {
        value.as_ref().map(|value| format!(" --{name} {}", quoted(&one_line(value, 4000))))
    });
    format!(
        "az role assignment create --assignee-object-id {} --assignee-principal-type ServicePrincipal --role {} --scope {}{}{more}",
        context.principal(),
        quoted(definition),
        quoted(scope),
        optional.collect::<String>()
    )
}

/// The command that takes a role from the identity: by the path of its assignment, where that is known.
fn unassign(context: &Context<'_>, role: &str, scope: &str) -> String {
    match &context.ids.assignment {
        Some(path) => delete_assignment(path),
        None => format!(
            "az role assignment delete --assignee {} --role {} --scope {}",
            context.principal(),
            quoted(role),
            quoted(scope)
        ),
    }
}

fn delete_assignment(path: &str) -> String {
    format!("az role assignment delete --ids {}", quoted(path))
}

/// The path of the role assignment of a step. None: it is not known yet.
pub(super) fn assignment(context: &Context<'_>, change: &Change) -> Option<String> {
    let (definition, scope) = match change {
        Change::AssignRole { definition, scope, .. } => (Some(*definition), scope),
        Change::CopyRole { copied } => (copied.definition_id(), &copied.scope),
        Change::EndRole { ended } => return Some(ended.assignment.clone()),
        _ => return None,
    };
    let path = |name: String| {
        let scope = scope.trim_end_matches('/');
        format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}")
    };
    let computed = || Some(path(assignment_name(definition?, scope, context.ids.principal?).to_string()));
    context.ids.assignment.clone().or_else(computed)
}

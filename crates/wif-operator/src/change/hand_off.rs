//! What another person has to do: commands of the Azure CLI for each side, and the lines of Terraform.

use serde_json::json;
use wif_core::azure::resource::DEVOPS_APPLICATION;

pub use super::side::Side;
use super::{
    journal::Read,
    plan::{Action, Credential, Item, Plan, Scheme},
    side::{identity, quoted},
    vend::hand_off as request,
};
use crate::rule::command::page_in;

/// The part of a side, and what of it is still open.
#[must_use]
pub fn text(plan: &Plan, journal: Option<&Read>, side: Side) -> String {
    let mut parts = Vec::new();
    for item in &plan.items {
        let state = journal.map(|read| read.state_of(item.connection)).unwrap_or_default();
        let mut lines = Vec::new();
        let mut waits_for_run = false;
        for (at, step) in item.steps.iter().enumerate() {
            let is_ended = state.is_done || state.made.contains(&at) || state.found.contains(&at);
            waits_for_run |= step.action == Action::AwaitRun && !is_ended;
            let commands = commands(plan, item, &step.action, side);
            if commands.is_empty() {
                continue;
            }
            lines.push(format!("# {}: {}", if is_ended { "done" } else { "open" }, comment(&step.title)));
            if waits_for_run {
                // Run too early, it would leave a connection of the old issuer without trust.
                lines.push("# not before it was moved, and a run has succeeded since:".to_owned());
                lines.extend(commands.iter().map(|command| format!("# {command}")));
            } else {
                lines.extend(commands);
            }
        }
        if side == Side::Terraform {
            lines.extend(terraform(item));
        }
        if !lines.is_empty() {
            lines.insert(
                0,
                format!("# {} in {} ({})", comment(&item.name), comment(&item.project.name), item.connection),
            );
            parts.push(lines.join("\n"));
        }
    }
    if parts.is_empty() {
        return "# nothing is to be done on this side\n".to_owned();
    }
    parts.join("\n\n") + "\n"
}

fn commands(plan: &Plan, item: &Item, action: &Action, side: Side) -> Vec<String> {
    let facts = &item.facts;
    let client = facts.client.map(|client| client.to_string()).unwrap_or_default();
    let resource = facts.identity.resource.as_deref();
    match (side, action, resource) {
        (Side::Entra, Action::AddCredential { credential }, None) => {
            let Credential { name, issuer, subject, audience } = credential;
            let parameters =
                json!({ "name": name, "issuer": issuer, "subject": subject, "audiences": [audience] })
                    .to_string();
            vec![format!(
                "az ad app federated-credential create --id {client} --parameters {}",
                quoted(&parameters)
            )]
        }
        (Side::Entra, Action::RemoveCredential { credential }, None) => {
            vec![remove(&client, &credential.name)]
        }
        (Side::Entra, Action::RemoveUnused { credentials }, None) => {
            let begin =
                "# the one of these that the connection does not use, when it is converted and proven:"
                    .to_owned();
            let removals = credentials.iter().map(|one| format!("# {}", remove(&client, &one.name)));
            std::iter::once(begin).chain(removals).collect()
        }
        (Side::Azure, Action::AddCredential { credential }, Some(path)) => {
            let Credential { name, issuer, subject, audience } = credential;
            vec![format!(
                "az identity federated-credential create {} --name {} --issuer {} --subject {} --audiences {}",
                identity(path),
                quoted(name),
                quoted(issuer),
                quoted(subject),
                quoted(audience)
            )]
        }
        (Side::Azure, Action::RemoveCredential { credential }, Some(path)) => vec![format!(
            "az identity federated-credential delete {} --name {} --yes",
            identity(path),
            quoted(&credential.name)
        )],
        (Side::DevOps, Action::Convert { to }, _) => vec![convert(plan, item, *to)],
        (Side::DevOps, Action::MoveIssuer { .. }, _) => {
            let page = page_in(&plan.organization.name, item.project.id, item.connection);
            vec![format!("# press Update on {page}")]
        }
        (side, Action::Follow(change), _) => request::commands(plan, item, change, side),
        _ => Vec::new(),
    }
}

fn remove(client: &str, name: &str) -> String {
    format!("az ad app federated-credential delete --id {client} --federated-credential-id {}", quoted(name))
}

fn convert(plan: &Plan, item: &Item, to: Scheme) -> String {
    let references: Vec<_> = item
        .facts
        .projects
        .iter()
        .map(|project| json!({ "projectReference": { "id": project.id }, "name": project.name }))
        .collect();
    let body = json!({
        "id": item.connection,
        "type": "azurerm",
        "authorization": { "scheme": to.as_str() },
        "serviceEndpointProjectReferences": references,
    });
    let url = format!(
        "{}/{}/_apis/serviceendpoint/endpoints/{}?operation=ConvertAuthenticationScheme&api-version=7.1",
        plan.organization.url.trim_end_matches('/'),
        item.project.id,
        item.connection
    );
    format!(
        "az rest --method put --resource {DEVOPS_APPLICATION} --url {} --body {}",
        quoted(&url),
        quoted(&body.to_string())
    )
}

/// The lines to change, and the blocks that take over what was made beside the code.
fn terraform(item: &Item) -> Vec<String> {
    let label = label(&item.name);
    let mut lines = Vec::new();
    for step in &item.steps {
        match &step.action {
            Action::Convert { to } => {
                lines.push(format!(
                    "# in the azuredevops_serviceendpoint_azurerm of {}:",
                    comment(&item.name)
                ));
                lines.push(format!("service_endpoint_authentication_scheme = \"{to}\""));
                if *to == Scheme::WorkloadIdentityFederation {
                    lines.push(
                        "# and in its block credentials: serviceprincipalid stays, serviceprincipalkey goes"
                            .to_owned(),
                    );
                }
            }
            Action::AddCredential { credential } => {
                let own = format!(
                    "{label}_{}",
                    if credential.issuer.contains("vstoken") { "devops" } else { "entra" }
                );
                lines.push(format!("# the federated credential {}, if it stays:", credential.name));
                if let Some(path) = &item.facts.identity.resource {
                    lines.push(format!("import {{\n  to = azurerm_federated_identity_credential.{own}\n  id = \"{path}/federatedIdentityCredentials/{}\"\n}}", credential.name));
                } else {
                    let object = item.facts.identity.application_object.map(|id| id.to_string());
                    let object = object.unwrap_or_else(|| "OBJECT-ID-OF-THE-APPLICATION".to_owned());
                    lines.push(
                        "# CREDENTIAL-ID is known after wif apply: az ad app federated-credential list"
                            .to_owned(),
                    );
                    lines.push(format!("import {{\n  to = azuread_application_federated_identity_credential.{own}\n  id = \"{object}/federatedIdentityCredential/CREDENTIAL-ID\"\n}}"));
                }
            }
            Action::MoveIssuer { .. } => lines.extend(terraform_of_move(item)),
            _ => {}
        }
    }
    lines
}

/// A credential that the code makes of the connection's issuer and subject follows them, and meets the one that is there.
fn terraform_of_move(item: &Item) -> [String; 3] {
    [
        format!("# the azuredevops_serviceendpoint_azurerm of {} stays: its issuer and subject are outputs", comment(&item.name)),
        "# a federated credential that the code makes of these outputs would be made a second time by its next apply; before it:"
            .to_owned(),
        "# terraform state rm ADDRESS-OF-THAT-CREDENTIAL, then import the new one to that address; wif removes the old one"
            .to_owned(),
    ]
}

/// A name that Terraform accepts.
fn label(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let label: String = name.chars().map(plain).collect();
    if label.starts_with(|c: char| c.is_ascii_digit()) || label.is_empty() {
        format!("sc_{label}")
    } else {
        label
    }
}

/// A comment's text: one line.
fn comment(text: &str) -> String {
    wif_core::foreign_text::one_line(text, 800)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_shell_cannot_end_itself() {
        assert_eq!(quoted("a'b"), "'a'\\''b'");
        assert_eq!(label("7 Prod-EU"), "sc_7_prod_eu");
    }
}

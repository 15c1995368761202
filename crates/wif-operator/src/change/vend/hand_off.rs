//! What another person has to do of a request: commands of the Azure CLI for each side.

use serde_json::{Value, json};
use wif_core::{azure::resource::DEVOPS_APPLICATION, foreign_text::one_line};

use super::{
    asked::{Asked, Change, CopiedRole},
    guards::check,
    look::tag,
    names::{renamings, told},
};
use crate::{
    change::{
        plan::{AUDIENCE, Item, Plan},
        side::{Side, identity, quoted},
    },
    drift::unique_name,
    request::RequestedIdentity,
    subject::of_entra,
};

/// Stands for what is not known before the step before it is done.
const CLIENT: &str = "CLIENT-ID";
const PRINCIPAL: &str = "OBJECT-ID-OF-THE-SERVICE-PRINCIPAL";
const CONNECTION: &str = "CONNECTION-ID";

/// The commands of a step for a side.
pub(in crate::change) fn commands(plan: &Plan, item: &Item, change: &Change, side: Side) -> Vec<String> {
    let Some(asked) = &item.asked else { return Vec::new() };
    let is_managed = asked.resource().is_some();
    match (side, change) {
        (Side::Entra, Change::MakeApplication) => make_application(asked),
        (Side::Entra, Change::MakePrincipal) => vec![format!("az ad sp create --id {}", client(item))],
        (Side::Entra, Change::Trust) if !is_managed => {
            let (name, issuer, subject) = trust(plan, item, asked);
            let parameters =
                json!({ "name": name, "issuer": issuer, "subject": subject, "audiences": [AUDIENCE] });
            let parameters = quoted(&parameters.to_string());
            vec![format!(
                "az ad app federated-credential create --id {} --parameters {parameters}",
                client(item)
            )]
        }
        (Side::Entra, Change::RemoveTrust { name }) if !is_managed => vec![format!(
            "az ad app federated-credential delete --id {} --federated-credential-id {}",
            client(item),
            quoted(name)
        )],
        (Side::Azure, Change::Trust) => asked.resource().iter().map(|path| {
            let (name, issuer, subject) = trust(plan, item, asked);
            format!(
                "az identity federated-credential create {} --name {} --issuer {} --subject {} --audiences {AUDIENCE}",
                identity(path), quoted(&name), quoted(&issuer), quoted(&subject)
            )
        }).collect(),
        (Side::Azure, Change::RemoveTrust { name }) => asked.resource().iter().map(|path| {
            format!("az identity federated-credential delete {} --name {} --yes", identity(path), quoted(name))
        }).collect(),
        (Side::Azure, Change::MakeManagedIdentity) => {
            let RequestedIdentity::ManagedIdentity { name, resource_group, subscription } =
                &asked.request.identity
            else {
                return Vec::new();
            };
            vec![format!(
                "az identity create --name {} --resource-group {} --subscription {subscription} --location {} --tags {}",
                quoted(name),
                quoted(resource_group),
                quoted(asked.region.as_deref().unwrap_or_default()),
                quoted(&format!("wif={}", asked.key))
            )]
        }
        (Side::Azure, Change::AssignRole { role, scope, .. }) => vec![format!(
            "az role assignment create --assignee-object-id {PRINCIPAL} --assignee-principal-type ServicePrincipal --role {} --scope {}",
            quoted(role),
            quoted(scope)
        )],
        (Side::Azure, Change::RemoveRole { assignment, .. }) => {
            vec![format!("az role assignment delete --ids {}", quoted(assignment))]
        }
        (Side::Azure, Change::CopyRole { copied }) => vec![assign(copied, PRINCIPAL)],
        (Side::DevOps, change) => devops(plan, item, asked, change),
        (side, change) => ends(item, change, side),
    }
}

/// The command that makes a role assignment for a principal, with all that it has.
fn assign(copied: &CopiedRole, principal: &str) -> String {
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
        "az role assignment create --assignee-object-id {principal} --assignee-principal-type ServicePrincipal --role {} --scope {}{}",
        quoted(definition),
        quoted(scope),
        optional.collect::<String>()
    )
}

/// The commands that end an old identity.
fn ends(item: &Item, change: &Change, side: Side) -> Vec<String> {
    let resource = item.facts.identity.resource.as_deref();
    match (side, change, resource) {
        (Side::Entra, Change::EndTrust { name, .. }, None) => vec![format!(
            "az ad app federated-credential delete --id {} --federated-credential-id {}",
            client(item),
            quoted(name)
        )],
        (Side::Azure, Change::EndTrust { name, .. }, Some(path)) => vec![format!(
            "az identity federated-credential delete {} --name {} --yes",
            identity(path),
            quoted(name)
        )],
        (Side::Azure, Change::EndRole { ended }, _) => {
            vec![format!("az role assignment delete --ids {}", quoted(&ended.assignment))]
        }
        (Side::Entra, Change::EndApplication { object }, _) => {
            vec![format!("az ad app delete --id {object}")]
        }
        _ => Vec::new(),
    }
}

fn make_application(asked: &Asked) -> Vec<String> {
    let RequestedIdentity::Application { name } = &asked.request.identity else { return Vec::new() };
    let url = format!("https://graph.microsoft.com/v1.0/applications(uniqueName='{}')", unique_name(name));
    let body = json!({ "displayName": name, "signInAudience": "AzureADMyOrg", "tags": [tag(&asked.key)] });
    vec![format!(
        "az rest --method patch --url {} --headers Prefer=create-if-missing Content-Type=application/json --body {}",
        quoted(&url),
        quoted(&body.to_string())
    )]
}

fn client(item: &Item) -> String {
    // What was read of a migration is the old connection; the new one's identity is not there yet.
    if item.is_migration() {
        return CLIENT.to_owned();
    }
    item.facts.client.map_or_else(|| CLIENT.to_owned(), |client| client.to_string())
}

fn connection(item: &Item, asked: &Asked) -> String {
    if asked.is_there { item.connection.to_string() } else { CONNECTION.to_owned() }
}

/// Name, issuer and subject of the credential: the subject can be computed as soon as the connection has its id.
fn trust(plan: &Plan, item: &Item, asked: &Asked) -> (String, String, String) {
    let id = connection(item, asked);
    let subject = of_entra(asked.tenant, plan.organization.id, item.connection);
    let subject = subject.replace(&item.connection.to_string(), &id);
    (format!("wif-{id}"), format!("https://login.microsoftonline.com/{}/v2.0", asked.tenant), subject)
}

fn devops(plan: &Plan, item: &Item, asked: &Asked, change: &Change) -> Vec<String> {
    let id = connection(item, asked);
    let owner = asked.owner();
    let rest = |method: &str, path: &str, body: Option<Value>| {
        let url = format!("{}/{path}", plan.organization.url.trim_end_matches('/'));
        let body = body.map(|body| format!(" --body {}", quoted(&body.to_string()))).unwrap_or_default();
        vec![format!(
            "az rest --method {method} --resource {DEVOPS_APPLICATION} --url {}{body}",
            quoted(&url)
        )]
    };
    let endpoints = "_apis/serviceendpoint/endpoints";
    match change {
        Change::MakeConnection => {
            rest("post", &format!("{endpoints}?api-version=7.1"), Some(asked.connection(&client(item))))
        }
        Change::SaveConnection => {
            let (client, scope) = (client(item), &asked.request.scope);
            let (owner, reason) = (&asked.request.owner, &asked.request.reason);
            let text = format!(
                "save {id} with the client id {client}, the scope {scope}, and in its description the owner {owner} and the reason {reason}"
            );
            vec![format!("# {}", one_line(&text, 800))]
        }
        Change::SetAside | Change::TakeName => {
            let old = asked.beside.as_ref().map(|beside| beside.connection.to_string());
            let id = old.filter(|_| *change == Change::SetAside).unwrap_or(id);
            let text = format!("rename the connection {id}: {}", told(&renamings(asked, change)));
            vec![format!("# {}", one_line(&text, 800))]
        }
        Change::Share { project } => {
            let body = json!([asked.reference(project, &asked.description(""))]);
            rest("patch", &format!("{endpoints}/{id}?api-version=7.1"), Some(body))
        }
        Change::Unshare { project } => {
            rest("delete", &format!("{endpoints}/{id}?projectIds={}&api-version=7.1", project.id), None)
        }
        Change::Authorize { project, add, remove, closes } => {
            let one = |id: &u64, is: bool| json!({ "id": id, "authorized": is });
            let pipelines: Vec<_> =
                add.iter().map(|id| one(id, true)).chain(remove.iter().map(|id| one(id, false))).collect();
            let body = if *closes {
                json!({ "pipelines": pipelines, "allPipelines": { "authorized": false } })
            } else {
                json!({ "pipelines": pipelines })
            };
            let path = format!(
                "{project}/_apis/pipelines/pipelinePermissions/endpoint/{id}?api-version=7.1-preview.1"
            );
            rest("patch", &path, Some(body))
        }
        Change::MakeApproval { .. } | Change::MakeBranchControl { .. } => {
            let body = check(change, &asked.request.connection, item.connection).to_string();
            let body = body.replace(&item.connection.to_string(), &id);
            let path = format!("{owner}/_apis/pipelines/checks/configurations?api-version=7.1-preview.1");
            rest("post", &path, serde_json::from_str(&body).ok())
        }
        Change::CopyCheck { project, check } => {
            let mut check = check.clone();
            if let Some(check) = check.as_object_mut() {
                let resource = json!({ "type": "endpoint", "id": id, "name": asked.request.connection });
                check.insert("resource".to_owned(), resource);
            }
            let path = format!("{project}/_apis/pipelines/checks/configurations?api-version=7.1-preview.1");
            rest("post", &path, Some(check))
        }
        Change::EndConnection => {
            let projects: Vec<_> = asked.projects.iter().map(|one| one.id.to_string()).collect();
            let projects = projects.join(",");
            rest("delete", &format!("{endpoints}/{id}?projectIds={projects}&api-version=7.1"), None)
        }
        Change::RemoveCheck { id } => {
            let path =
                format!("{owner}/_apis/pipelines/checks/configurations/{id}?api-version=7.1-preview.1");
            rest("delete", &path, None)
        }
        _ => Vec::new(),
    }
}

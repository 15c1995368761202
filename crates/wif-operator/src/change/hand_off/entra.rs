//! What is to be done with applications: commands of the Azure CLI.

use serde_json::json;

use super::context::{Context, unused};
use crate::{
    change::{
        plan::{Action, Credential},
        side::quoted,
        vend::{
            asked::{Asked, Change},
            look::tag,
        },
    },
    made::unique_name,
    request::RequestedIdentity,
};

const GRAPH: &str = "https://graph.microsoft.com/v1.0";

/// The commands of a step.
pub(super) fn commands(context: &Context<'_>, action: &Action) -> Vec<String> {
    match action {
        Action::AddCredential { credential } => vec![add(context, credential)],
        Action::RemoveCredential { credential } => vec![remove(context, &credential.name)],
        Action::RemoveUnused { credentials } => {
            unused(credentials.iter().map(|one| remove(context, &one.name)))
        }
        Action::Follow(change) => of_request(context, change, false),
        Action::TakeBack { done } => of_request(context, done, true),
        Action::Convert { .. } | Action::MoveIssuer { .. } | Action::Prove | Action::AwaitRun => Vec::new(),
    }
}

fn of_request(context: &Context<'_>, change: &Change, is_undone: bool) -> Vec<String> {
    let Some(asked) = context.asked() else { return Vec::new() };
    match (change, is_undone) {
        (Change::MakeApplication, false) => make_application(asked),
        (Change::MakeApplication, true) => {
            vec![format!("az ad app delete --id {}", context.client())]
        }
        (Change::MakePrincipal, false) => vec![format!("az ad sp create --id {}", context.client())],
        (Change::Trust, false) => vec![add(context, &context.trust(asked))],
        (Change::Trust, true) => vec![remove(context, &context.trust(asked).name)],
        (Change::RemoveTrust { name } | Change::EndTrust { name, .. }, false) => {
            vec![remove(context, name)]
        }
        (Change::EndTrust { name, issuer, subject, audience }, true) => {
            let (name, issuer) = (name.clone(), issuer.clone());
            let (subject, audience) = (subject.clone(), audience.clone());
            vec![add(context, &Credential { name, issuer, subject, audience })]
        }
        (Change::EndApplication { object }, false) => vec![format!("az ad app delete --id {object}")],
        (Change::EndApplication { object }, true) => {
            let url = format!("{GRAPH}/directory/deletedItems/{object}/restore");
            vec![format!("az rest --method post --url {}", quoted(&url))]
        }
        _ => Vec::new(),
    }
}

fn add(context: &Context<'_>, credential: &Credential) -> String {
    let Credential { name, issuer, subject, audience } = credential;
    let parameters = json!({ "name": name, "issuer": issuer, "subject": subject, "audiences": [audience] });
    format!(
        "az ad app federated-credential create --id {} --parameters {}",
        context.client(),
        quoted(&parameters.to_string())
    )
}

fn remove(context: &Context<'_>, name: &str) -> String {
    format!(
        "az ad app federated-credential delete --id {} --federated-credential-id {}",
        context.client(),
        quoted(name)
    )
}

fn make_application(asked: &Asked) -> Vec<String> {
    let RequestedIdentity::Application { name } = &asked.request.identity else { return Vec::new() };
    let url = format!("{GRAPH}/applications(uniqueName='{}')", unique_name(name));
    let body = json!({ "displayName": name, "signInAudience": "AzureADMyOrg", "tags": [tag(&asked.key)] });
    vec![format!(
        "az rest --method patch --url {} --headers Prefer=create-if-missing Content-Type=application/json --body {}",
        quoted(&url),
        quoted(&body.to_string())
    )]
}

//! What is to be changed in the code of Terraform: lines, blocks that take over what was made beside the code, and what goes.

use serde_json::Value;
use uuid::Uuid;

use super::{azure::assignment, comment, context::Context};
use crate::change::{
    plan::{Action, Credential, Scheme},
    vend::{
        asked::{Asked, Change},
        guards::{approvers_of, branches_of},
        names::renamings,
    },
};

/// What the code has to say of a step.
pub(super) fn lines(context: &Context<'_>, action: &Action) -> Vec<String> {
    match action {
        Action::Convert { to } => convert(context, *to),
        Action::AddCredential { credential } => add(context, credential),
        Action::RemoveCredential { credential } => {
            vec![out_of_code("federated credential", &credential.name)]
        }
        Action::RemoveUnused { .. } => {
            let removed = context.ids.removed.iter();
            removed.map(|name| out_of_code("federated credential", name)).collect()
        }
        Action::MoveIssuer { .. } => moved(context).to_vec(),
        Action::Follow(change) => of_request(context, change, false),
        Action::TakeBack { done } => of_request(context, done, true),
        Action::Prove | Action::AwaitRun => Vec::new(),
    }
}

fn of_request(context: &Context<'_>, change: &Change, is_undone: bool) -> Vec<String> {
    let Some(asked) = context.asked() else { return Vec::new() };
    if is_undone != ends(change) {
        return gone(context, asked, change);
    }
    let own = label(&asked.request.connection);
    match change {
        Change::EndApplication { object } => {
            vec![import("azuread_application", &own, &format!("/applications/{object}"))]
        }
        Change::MakeApplication => {
            vec![import("azuread_application", &own, &format!("/applications/{}", context.application()))]
        }
        Change::MakePrincipal => {
            let id = format!("/servicePrincipals/{}", context.principal());
            vec![import("azuread_service_principal", &own, &id)]
        }
        Change::MakeManagedIdentity => {
            vec![import("azurerm_user_assigned_identity", &own, &context.resource().unwrap_or_default())]
        }
        Change::AssignRole { .. } | Change::CopyRole { .. } | Change::EndRole { .. } => {
            let path = assignment(context, change);
            let path = path.unwrap_or_else(|| "PATH-OF-THE-ROLE-ASSIGNMENT".to_owned());
            vec![import("azurerm_role_assignment", &format!("{own}_{}", context.number), &path)]
        }
        Change::Trust => credential(context, &context.trust(asked)),
        Change::EndTrust { name, issuer, subject, audience } => {
            let (name, issuer) = (name.clone(), issuer.clone());
            let (subject, audience) = (subject.clone(), audience.clone());
            credential(context, &Credential { name, issuer, subject, audience })
        }
        Change::MakeConnection => {
            let id = format!("{}/{}", asked.owner(), context.connection());
            let mut lines = vec![import("azuredevops_serviceendpoint_azurerm", &own, &id)];
            if is_resource_group(&asked.request.scope) {
                lines.extend(BESIDE_CREDENTIALS.map(str::to_owned));
            }
            lines
        }
        Change::SaveConnection => vec![
            format!(
                "# in the azuredevops_serviceendpoint_azurerm of {}:",
                comment(&asked.request.connection)
            ),
            format!("# its block credentials has serviceprincipalid = {}", hcl(&context.client())),
            format!("# its scope is {}, and its description has", comment(&asked.request.scope)),
            format!("# {}", comment(&asked.description(""))),
        ],
        Change::Share { project } => vec![format!(
            "# the connection is shared with {} ({}): the code has to say so, too",
            comment(&project.name),
            project.id
        )],
        Change::Authorize { project, add, .. } => {
            let no_import = "# an azuredevops_pipeline_authorization cannot be imported, and to apply it changes nothing that is authorized:";
            let one = |id: &u64| {
                format!(
                    "# project_id {project}, type endpoint, resource_id {}, pipeline_id {id}",
                    context.connection()
                )
            };
            std::iter::once(no_import.to_owned()).chain(add.iter().map(one)).collect()
        }
        Change::MakeApproval { .. } => check(context, asked.owner(), "azuredevops_check_approval"),
        Change::MakeBranchControl { .. } => check(context, asked.owner(), "azuredevops_check_branch_control"),
        Change::CopyCheck { project, check: copied } => match kind_of(copied) {
            Some(kind) => check(context, *project, kind),
            None => {
                vec!["# a check that the old connection has, too: make its resource of that one's".to_owned()]
            }
        },
        Change::SetAside | Change::TakeName => names(asked, change, is_undone),
        // Nothing of them is in code, or they end something: see above.
        Change::RemoveRole { .. }
        | Change::Unshare { .. }
        | Change::RemoveTrust { .. }
        | Change::RemoveCheck { .. }
        | Change::EndConnection
        | Change::Report
        | Change::StillUnused { .. } => Vec::new(),
    }
}

/// The provider reads the group of a connection, takes none beside credentials, and replaces a connection that has one without.
const BESIDE_CREDENTIALS: [&str; 4] = [
    "# in that resource there is no resource_group, since the provider takes none beside credentials, and instead:",
    "lifecycle {",
    "  ignore_changes = [resource_group]",
    "}",
];

/// Whether a scope is one resource group: `/subscriptions/ID/resourceGroups/NAME`.
fn is_resource_group(scope: &str) -> bool {
    scope.starts_with("/subscriptions/") && scope.trim_end_matches('/').split('/').count() == 5
}

/// Whether a step ends what the code may have.
const fn ends(change: &Change) -> bool {
    matches!(
        change,
        Change::RemoveRole { .. }
            | Change::Unshare { .. }
            | Change::RemoveTrust { .. }
            | Change::RemoveCheck { .. }
            | Change::EndTrust { .. }
            | Change::EndConnection
            | Change::EndRole { .. }
            | Change::EndApplication { .. }
    )
}

/// What is not to be in the code any more.
fn gone(context: &Context<'_>, asked: &Asked, change: &Change) -> Vec<String> {
    let connection = asked.request.connection.as_str();
    let of_check = |what: String| out_of_code("check", &format!("{what} of {connection}"));
    vec![match change {
        Change::MakeApplication => out_of_code("application", &context.application()),
        Change::EndApplication { object } => out_of_code("application", &object.to_string()),
        Change::MakePrincipal => out_of_code("service principal", &context.principal()),
        Change::MakeManagedIdentity => {
            out_of_code("managed identity", &context.resource().unwrap_or_default())
        }
        Change::AssignRole { role, scope, .. } => {
            out_of_code("role assignment", &format!("{role} at {scope}"))
        }
        Change::CopyRole { copied } | Change::EndRole { ended: copied } => {
            out_of_code("role assignment", &format!("{} at {}", copied.role, copied.scope))
        }
        Change::RemoveRole { assignment, .. } => out_of_code("role assignment", assignment),
        Change::Trust => out_of_code("federated credential", &context.trust(asked).name),
        Change::RemoveTrust { name } | Change::EndTrust { name, .. } => {
            out_of_code("federated credential", name)
        }
        Change::MakeConnection | Change::EndConnection => out_of_code("connection", connection),
        Change::Share { project } | Change::Unshare { project } => {
            out_of_code("share", &format!("of {connection} with {} ({})", project.name, project.id))
        }
        Change::Authorize { project, add, .. } => {
            let numbers: Vec<_> = add.iter().map(u64::to_string).collect();
            let what = format!("of the pipelines {} of {project} for {connection}", numbers.join(", "));
            out_of_code("authorization", &what)
        }
        Change::MakeApproval { .. } => of_check("approval".to_owned()),
        Change::MakeBranchControl { .. } => of_check("branch control".to_owned()),
        Change::CopyCheck { .. } => of_check("copy".to_owned()),
        Change::RemoveCheck { id } => of_check(id.to_string()),
        Change::SetAside | Change::TakeName => return names(asked, change, true),
        Change::SaveConnection | Change::Report | Change::StillUnused { .. } => return Vec::new(),
    }]
}

/// A name in the project that owns the connection: the provider knows no other.
fn names(asked: &Asked, change: &Change, is_undone: bool) -> Vec<String> {
    let renamings = renamings(asked, change);
    let Some(first) = renamings.first() else { return Vec::new() };
    let (from, to) = if is_undone { (&first.to, &first.from) } else { (&first.from, &first.to) };
    vec![
        format!("# in the azuredevops_serviceendpoint_azurerm of {}:", comment(from)),
        format!("service_endpoint_name = {}", hcl(to)),
    ]
}

fn convert(context: &Context<'_>, to: Scheme) -> Vec<String> {
    let mut lines = vec![
        format!("# in the azuredevops_serviceendpoint_azurerm of {}:", comment(&context.item.name)),
        format!("service_endpoint_authentication_scheme = \"{to}\""),
    ];
    if to == Scheme::WorkloadIdentityFederation {
        let credentials = "# and in its block credentials, if it has one: serviceprincipalid stays, serviceprincipalkey goes";
        lines.push(credentials.to_owned());
    }
    lines
}

fn add(context: &Context<'_>, credential_to_add: &Credential) -> Vec<String> {
    let name = comment(&credential_to_add.name);
    if context.ids.removed.contains(&credential_to_add.name) {
        return vec![format!(
            "# the federated credential {name} was removed again: nothing is to be imported"
        )];
    }
    let mut lines = vec![format!("# the federated credential {name}, if it stays:")];
    lines.extend(credential(context, credential_to_add));
    lines
}

fn credential(context: &Context<'_>, credential: &Credential) -> Vec<String> {
    let issuer = if credential.issuer.contains("vstoken") { "devops" } else { "entra" };
    let own = format!("{}_{issuer}", label(&context.item.name));
    if let Some(path) = context.resource() {
        let id = format!("{path}/federatedIdentityCredentials/{}", credential.name);
        return vec![import("azurerm_federated_identity_credential", &own, &id)];
    }
    let mut lines = Vec::new();
    let id = context.ids.credential.map_or_else(
        || {
            let hint = "# CREDENTIAL-ID is known after wif apply; of one that was added by hand: az ad app federated-credential list --id";
            lines.push(format!("{hint} {}", context.client()));
            "CREDENTIAL-ID".to_owned()
        },
        |id| id.to_string(),
    );
    let id = format!("{}/federatedIdentityCredential/{id}", context.application());
    lines.push(import("azuread_application_federated_identity_credential", &own, &id));
    lines
}

fn check(context: &Context<'_>, project: Uuid, kind: &str) -> Vec<String> {
    let id = context.ids.check.map_or_else(|| "CHECK-ID".to_owned(), |id| id.to_string());
    let own = format!("{}_{}", label(&context.item.name), context.number);
    vec![
        "# from version 1.16 of the provider on; before, a check cannot be imported:".to_owned(),
        import(kind, &own, &format!("{project}/{id}")),
    ]
}

/// The resource that keeps a check.
fn kind_of(check: &Value) -> Option<&'static str> {
    if approvers_of(check).is_some() {
        return Some("azuredevops_check_approval");
    }
    branches_of(check).map(|_| "azuredevops_check_branch_control")
}

/// A credential that the code makes of the connection's issuer and subject follows them, and meets the one that is there.
fn moved(context: &Context<'_>) -> [String; 3] {
    [
        format!("# the azuredevops_serviceendpoint_azurerm of {} stays: its issuer and subject are outputs", comment(&context.item.name)),
        "# a federated credential that the code makes of these outputs would be made a second time by its next apply; before it:"
            .to_owned(),
        "# terraform state rm ADDRESS-OF-THAT-CREDENTIAL, then import the new one to that address; wif removes the old one"
            .to_owned(),
    ]
}

fn out_of_code(kind: &str, what: &str) -> String {
    format!("# take out of the code, when it is gone, if it is there: the {kind} {}", comment(what))
}

fn import(kind: &str, label: &str, id: &str) -> String {
    format!("import {{\n  to = {kind}.{label}\n  id = {}\n}}", hcl(id))
}

/// A text as Terraform reads it: nothing in it is a template.
fn hcl(text: &str) -> String {
    let text = comment(text).replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace("${", "$${").replace("%{", "%%{"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_template_and_no_end_of_a_text() {
        assert_eq!(label("7 Prod-EU"), "sc_7_prod_eu");
        assert_eq!(hcl(r#"a"b\${c}%{d}"#), r#""a\"b\\$${c}%%{d}""#);
    }
}

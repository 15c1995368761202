//! What is to be done with connections, and what guards them: calls of Azure DevOps by the Azure CLI.

use std::mem;

use serde_json::{Value, json};
use uuid::Uuid;
use wif_core::{azure::resource::DEVOPS_APPLICATION, foreign_text::one_line};

use super::context::Context;
use crate::{
    change::{
        plan::{Action, Scheme},
        project::PlannedProject,
        side::quoted,
        vend::{
            asked::{Asked, Change},
            guards::check,
            names::{renamings, told},
        },
    },
    rule::command::page_in,
};

const ENDPOINTS: &str = "_apis/serviceendpoint/endpoints";
const CHECKS: &str = "_apis/pipelines/checks/configurations";
const PREVIEW: &str = "api-version=7.1-preview.1";
/// What a connection is sent as to try it, made of what was read of it.
const TEST: &str = r#"{dataSourceDetails: `{"dataSourceName":"TestConnection"}`, resultTransformationDetails: `{}`, serviceEndpointDetails: {data: data, authorization: authorization, url: url, type: type}}"#;
/// The longest sentence, in characters.
const MAX_SENTENCE: usize = 800;

/// The commands of a step.
pub(super) fn commands(context: &Context<'_>, action: &Action) -> Vec<String> {
    let item = context.item;
    match action {
        Action::Convert { to } => vec![convert(context, *to)],
        Action::MoveIssuer { .. } => {
            let page = page_in(&context.plan.organization.name, item.project.id, item.connection);
            vec![format!("# press Update on {page}")]
        }
        Action::Prove => prove(context),
        Action::AwaitRun => {
            let runs = runs(context, item.project.id, &context.connection());
            vec!["# a pipeline that uses it has to run, and to succeed; what has run:".to_owned(), runs]
        }
        Action::Follow(change) => of_request(context, change, false),
        Action::TakeBack { done } => of_request(context, done, true),
        Action::AddCredential { .. } | Action::RemoveCredential { .. } | Action::RemoveUnused { .. } => {
            Vec::new()
        }
    }
}

fn of_request(context: &Context<'_>, change: &Change, is_undone: bool) -> Vec<String> {
    let Some(asked) = context.asked() else { return Vec::new() };
    let id = context.connection();
    let take = |id: &str, projects: &[PlannedProject]| {
        let projects: Vec<_> = projects.iter().map(|one| one.id.to_string()).collect();
        let path = format!("{ENDPOINTS}/{id}?projectIds={}&api-version=7.1", projects.join(","));
        vec![rest(context, "delete", &path, None)]
    };
    let make_check = |project: Uuid, body: &Value| {
        let path = format!("{project}/{CHECKS}?{PREVIEW}");
        vec![rest(context, "post", &path, Some(body))]
    };
    match (change, is_undone) {
        (Change::MakeConnection, false) => {
            let body = asked.connection(&context.client());
            vec![rest(context, "post", &format!("{ENDPOINTS}?api-version=7.1"), Some(&body))]
        }
        (Change::MakeConnection, true) | (Change::EndConnection, false) => take(&id, &asked.projects),
        (Change::SaveConnection, false) => {
            let (client, request) = (context.client(), &asked.request);
            let what = format!(
                "save {id} with the client id {client}, the scope {}, and in its description the owner {} and the reason {}",
                request.scope, request.owner, request.reason
            );
            save(context, asked.owner(), &id, &what)
        }
        (Change::SetAside | Change::TakeName, _) => rename(context, asked, change, is_undone),
        (Change::Share { project }, false) | (Change::Unshare { project }, true) => {
            let body = json!([asked.reference(project, &asked.description(""))]);
            vec![rest(context, "patch", &format!("{ENDPOINTS}/{id}?api-version=7.1"), Some(&body))]
        }
        (Change::Unshare { project }, false) | (Change::Share { project }, true) => {
            take(&id, std::slice::from_ref(project))
        }
        (Change::Authorize { project, add, remove, closes }, _) => {
            let (add, remove) = if is_undone { (remove, add) } else { (add, remove) };
            let one = |id: &u64, is: bool| json!({ "id": id, "authorized": is });
            let pipelines: Vec<_> =
                add.iter().map(|id| one(id, true)).chain(remove.iter().map(|id| one(id, false))).collect();
            // What was open to all is not opened again.
            let body = if *closes && !is_undone {
                json!({ "pipelines": pipelines, "allPipelines": { "authorized": false } })
            } else {
                json!({ "pipelines": pipelines })
            };
            let path = format!("{project}/_apis/pipelines/pipelinePermissions/endpoint/{id}?{PREVIEW}");
            vec![rest(context, "patch", &path, Some(&body))]
        }
        (Change::MakeApproval { .. } | Change::MakeBranchControl { .. }, false) => {
            let mut body = check(change, &asked.request.connection, context.item.connection);
            if let Some(own) = body.pointer_mut("/resource/id") {
                *own = json!(id);
            }
            make_check(asked.owner(), &body)
        }
        (Change::MakeApproval { .. } | Change::MakeBranchControl { .. }, true) => {
            remove_check(context, asked.owner())
        }
        (Change::CopyCheck { project, check }, false) => {
            let mut check = check.clone();
            if let Some(check) = check.as_object_mut() {
                let resource = json!({ "type": "endpoint", "id": id, "name": asked.request.connection });
                check.insert("resource".to_owned(), resource);
            }
            make_check(*project, &check)
        }
        (Change::CopyCheck { project, .. }, true) => remove_check(context, *project),
        (Change::RemoveCheck { id }, false) => {
            vec![rest(context, "delete", &format!("{}/{CHECKS}/{id}?{PREVIEW}", asked.owner()), None)]
        }
        (Change::StillUnused { successor, since }, false) => {
            let mut lines = vec![
                "# the new connection has to be there:".to_owned(),
                read(context, asked.owner(), &successor.to_string(), ""),
                format!("# and no run on the old one may have begun since {since}:"),
            ];
            lines.extend(asked.projects.iter().map(|project| runs(context, project.id, &id)));
            lines
        }
        _ => Vec::new(),
    }
}

fn rest(context: &Context<'_>, method: &str, path: &str, body: Option<&Value>) -> String {
    let url = format!("{}/{path}", context.plan.organization.url.trim_end_matches('/'));
    let body = body.map(|body| format!(" --body {}", quoted(&body.to_string()))).unwrap_or_default();
    format!("az rest --method {method} --resource {DEVOPS_APPLICATION} --url {}{body}", quoted(&url))
}

fn read(context: &Context<'_>, project: Uuid, id: &str, more: &str) -> String {
    format!("{}{more}", rest(context, "get", &format!("{project}/{ENDPOINTS}/{id}?api-version=7.1"), None))
}

fn runs(context: &Context<'_>, project: Uuid, id: &str) -> String {
    let path = format!("{project}/_apis/serviceendpoint/{id}/executionhistory?top=100&api-version=7.1");
    rest(context, "get", &path, None)
}

fn convert(context: &Context<'_>, to: Scheme) -> String {
    let item = context.item;
    let reference = |one: &PlannedProject| json!({ "projectReference": { "id": one.id }, "name": one.name });
    let references: Vec<_> = item.facts.projects.iter().map(reference).collect();
    let body = json!({
        "id": item.connection,
        "type": "azurerm",
        "authorization": { "scheme": to.as_str() },
        "serviceEndpointProjectReferences": references,
    });
    let path = format!(
        "{}/{ENDPOINTS}/{}?operation=ConvertAuthenticationScheme&api-version=7.1",
        item.project.id, item.connection
    );
    rest(context, "put", &path, Some(&body))
}

/// `TestConnection`, of the connection as it is read: what it stores is never given out.
fn prove(context: &Context<'_>) -> Vec<String> {
    let (project, id) = (context.item.project.id, context.connection());
    let more = format!(" --query {} --output json > test.json", quoted(TEST));
    let path = format!("{project}/_apis/serviceendpoint/endpointproxy?endpointId={id}&api-version=7.1");
    vec![
        read(context, project, &id, &more),
        format!("{} --body @test.json", rest(context, "post", &path, None)),
        "# its statusCode has to be ok".to_owned(),
    ]
}

/// A connection is sent as it was read, but for what is another by now.
fn save(context: &Context<'_>, project: Uuid, id: &str, what: &str) -> Vec<String> {
    let path = format!("{project}/{ENDPOINTS}/{id}?api-version=7.1");
    vec![
        read(context, project, id, " --output json > connection.json"),
        format!("# {}", one_line(what, MAX_SENTENCE)),
        format!("{} --body @connection.json", rest(context, "put", &path, None)),
    ]
}

fn rename(context: &Context<'_>, asked: &Asked, change: &Change, is_undone: bool) -> Vec<String> {
    let old = asked.beside.as_ref().map(|beside| beside.connection.to_string());
    let id = old.filter(|_| *change == Change::SetAside).unwrap_or_else(|| context.connection());
    let mut renamings = renamings(asked, change);
    if is_undone {
        for one in &mut renamings {
            mem::swap(&mut one.from, &mut one.to);
        }
    }
    save(context, asked.owner(), &id, &format!("rename the connection {id}: {}", told(&renamings)))
}

fn remove_check(context: &Context<'_>, project: Uuid) -> Vec<String> {
    let delete = |id: &str| rest(context, "delete", &format!("{project}/{CHECKS}/{id}?{PREVIEW}"), None);
    if let Some(id) = context.ids.check {
        return vec![delete(&id.to_string())];
    }
    let (id, all) = (context.connection(), "resourceType=endpoint&$expand=settings");
    let path = format!("{project}/{CHECKS}?resourceId={id}&{all}&{PREVIEW}");
    vec![
        "# CHECK-ID is the id of that one among:".to_owned(),
        rest(context, "get", &path, None),
        delete("CHECK-ID"),
    ]
}

//! Azure Resource Graph: the queries for role assignments and for managed identities, page by page.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::services::answer::set_header;
use crate::services::arm::answer::answered;
use crate::services::arm::checks;
use crate::services::arm::identities::{managed_identity_list, role_assignments_of};
use crate::services::arm::refusal::Refusal;
use crate::services::bearer::Caller;
use crate::services::request;
use crate::world::World;
use crate::world::directory::Directory;
use crate::world::directory::entra::Subscription;

/// The most rows of a page.
const MAX_ROWS: usize = 1000;

/// `POST /providers/Microsoft.ResourceGraph/resources`
pub(super) async fn resources(State(world): State<Arc<World>>, request: Request) -> Response {
    let (request, bytes) = request::take_body(request).await;
    let answer = checks::authenticate(&world, request).and_then(|caller| {
        let directory = world.directory();
        if directory.quirks.resource_graph_denied {
            return Err(Refusal::no_graph_access());
        }
        let asked: Value =
            serde_json::from_slice(&bytes).map_err(|_error| Refusal::bad_query("the body is not JSON"))?;
        page(&directory, &caller, &asked)
    });
    let cut = answer.is_ok() && world.directory().quirks.resource_graph_cut;
    let mut answer = answered(&world, answer);
    set_header(answer.headers_mut(), "x-ms-user-quota-remaining", "14");
    set_header(answer.headers_mut(), "x-ms-user-quota-resets-after", "00:00:05");
    if cut {
        set_header(answer.headers_mut(), "x-ms-tenant-subscription-limit-hit", "true");
    }
    answer
}

fn page(directory: &Directory, caller: &Caller, asked: &Value) -> Result<Value, Refusal> {
    let query = asked["query"].as_str().ok_or_else(|| Refusal::bad_query("there is none"))?;
    let columns = columns(query).ok_or_else(|| Refusal::bad_query("there is no project clause"))?;
    let mut rows = rows(directory, caller, &query.to_lowercase())?;
    rows.sort_by_cached_key(|row| row["id"].to_string());
    let rows: Vec<Value> = rows.into_iter().map(|row| projected(row, &columns)).collect();
    let options = &asked["options"];
    let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
    let top = number(&options["$top"]).unwrap_or(100).min(MAX_ROWS).min(directory.quirks.resource_graph_page);
    let begin = match options["$skipToken"].as_str() {
        None => 0,
        Some(token) => token.parse().map_err(|_error| Refusal::wrong_skip_token())?,
    };
    let end = (begin + top).min(rows.len());
    let page = rows.get(begin..end).unwrap_or_default();
    let mut answer = json!({
        "totalRecords": rows.len(), "count": page.len(), "facets": [], "data": page, "resultTruncated": "false",
    });
    if end < rows.len() {
        // Without a stable order there is no next page, and the answer only says that it was cut.
        if query.contains("order by") || query.contains("sort by") {
            answer["$skipToken"] = json!(end.to_string());
        } else {
            answer["resultTruncated"] = json!("true");
        }
    }
    Ok(answer)
}

/// The rows of the queries that are known, with every column.
fn rows(directory: &Directory, caller: &Caller, query: &str) -> Result<Vec<Value>, Refusal> {
    let is_visible = |subscription: &&Subscription| {
        subscription.tenant == caller.tenant && subscription.roles.contains(&caller.client)
    };
    let visible: Vec<&Subscription> = directory.subscriptions.iter().filter(is_visible).collect();
    if query.contains("microsoft.managedidentity/userassignedidentities") {
        let identities = visible.iter().flat_map(|one| managed_identity_list(directory, one));
        return Ok(identities
            .map(|one| {
                let properties = &one["properties"];
                json!({
                    "id": one["id"], "name": one["name"], "clientId": properties["clientId"],
                    "principalId": properties["principalId"], "tenantId": properties["tenantId"],
                    "properties": properties,
                })
            })
            .collect());
    }
    if query.contains("microsoft.keyvault/vaults") {
        let named = query.split('\'').find_map(|word| Uuid::try_parse(word).ok());
        let policies = directory.vault_policies.iter().filter(|(_, object)| Some(*object) == named);
        return Ok(policies.map(|(vault, _)| json!({ "id": vault })).collect());
    }
    if !query.contains("authorizationresources") || !query.contains("microsoft.authorization/roleassignments")
    {
        return Err(Refusal::bad_query("the table is not known"));
    }
    let only_services = query.contains("'serviceprincipal'");
    let in_sight = |scope: &str| {
        let id = scope.strip_prefix("/subscriptions/").and_then(|rest| rest.split('/').next());
        id.map_or(!visible.is_empty(), |id| {
            visible.iter().any(|one| one.id.to_string().eq_ignore_ascii_case(id))
        })
    };
    let all = role_assignments_of(directory);
    Ok(all
        .filter(|one| in_sight(&one.scope) && (!only_services || one.principal_type == "ServicePrincipal"))
        .map(|one| {
            json!({
                "id": format!("{}/providers/Microsoft.Authorization/roleAssignments/{}", one.scope, one.id),
                "name": one.id, "principalId": one.principal, "principalType": one.principal_type,
                "scope": one.scope, "role": one.role, "roleName": one.role_name,
                "condition": one.condition.unwrap_or_default(), "description": "",
                "createdOn": "2026-01-05T08:00:00.0000000Z",
            })
        })
        .collect())
}

/// The names of the last `project` clause.
fn columns(query: &str) -> Option<Vec<String>> {
    let (_, after) = query.rsplit_once("| project ")?;
    let clause = after.split('|').next()?;
    let name = |column: &str| column.split('=').next().unwrap_or_default().trim().to_owned();
    Some(clause.split(',').map(name).collect())
}

fn projected(row: Value, columns: &[String]) -> Value {
    let Value::Object(row) = row else { return row };
    let kept: Map<_, _> = row.into_iter().filter(|(name, _)| columns.contains(name)).collect();
    Value::Object(kept)
}

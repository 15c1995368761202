//! Managed identities read, made and deleted, and resource groups, in whose regions they are made.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::services::arm::answer::answered;
use crate::services::arm::checks;
use crate::services::arm::refusal::Refusal;
use crate::services::arm::resources;
use crate::services::arm::subscriptions::GROUPS;
use crate::services::request;
use crate::world::World;
use crate::world::directory::entra::{App, Kind};
use crate::world::directory::records::Lag;

/// The region of every resource group.
const REGION: &str = "westeurope";

pub(super) async fn resource_group(
    State(world): State<Arc<World>>,
    Path((id, _groups, group)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    let asks_only_whether = request.method() == Method::HEAD;
    let answer = checks::authenticate(&world, request).and_then(|caller| {
        let directory = world.directory();
        let action = "Microsoft.Resources/subscriptions/resourceGroups/read";
        let subscription = checks::authorize(&directory, &caller, &id, action)?;
        if !GROUPS.iter().any(|known| known.eq_ignore_ascii_case(&group)) {
            let path = format!("/subscriptions/{}/resourceGroups/{group}", subscription.id);
            return resources::given(&directory.resources, &path).ok_or_else(|| Refusal::no_group(&group));
        }
        Ok(json!({
            "id": format!("/subscriptions/{}/resourceGroups/{group}", subscription.id),
            "name": group, "location": REGION,
        }))
    });
    let is_there = answer.is_ok();
    let mut answer = answered(&world, answer);
    // "Resource Groups - Check Existence": no content.
    if asks_only_whether && is_there {
        *answer.status_mut() = StatusCode::NO_CONTENT;
    }
    answer
}

/// One managed identity.
pub(super) async fn identity(
    State(world): State<Arc<World>>,
    Path((id, _groups, group, name)): Path<(String, String, String, String)>,
    request: Request,
) -> Response {
    let (request, bytes) = request::take_body(request).await;
    let method = request.method().clone();
    let sent: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let answer = checks::authenticate(&world, request).and_then(|caller| {
        let mut directory = world.directory();
        let right = match method.as_str() {
            "GET" => "read",
            "PUT" => "write",
            "DELETE" => "delete",
            _ => return Err(Refusal::no_such_path()),
        };
        let action = format!("Microsoft.ManagedIdentity/userAssignedIdentities/{right}");
        let subscription = checks::authorize(&directory, &caller, &id, &action)?;
        let (subscription, tenant) = (subscription.id, subscription.tenant);
        if !GROUPS.iter().any(|known| known.eq_ignore_ascii_case(&group)) {
            return Err(Refusal::no_group(&group));
        }
        let principal_lag = directory.quirks.principal_lag;
        let apps = &mut directory.tenant(tenant).apps;
        let is_it = |app: &App| {
            app.kind == Kind::ManagedIdentity
                && !app.record.deleted
                && app.name().eq_ignore_ascii_case(&name)
                && app.record.subscription.is_none_or(|own| own == subscription)
                && app.resource_group().eq_ignore_ascii_case(&group)
        };
        match right {
            "delete" => {
                apps.retain(|app| !is_it(app));
                Ok(Value::Null)
            }
            "write" => {
                if sent["location"] != REGION {
                    let message = "The property 'location' is required, and is the region of the group here.";
                    return Err(Refusal::new(400, "LocationRequired", message));
                }
                if !apps.iter().any(is_it) {
                    let mut app = App::new(Uuid::new_v4(), Kind::ManagedIdentity);
                    app.record.name.clone_from(&name);
                    app.record.resource_group = Some(group.clone());
                    app.record.subscription = Some(subscription);
                    app.record.principal_unknown = Lag::new(principal_lag);
                    apps.push(app);
                }
                let app = apps.iter_mut().find(|app| is_it(app)).expect("it was made");
                app.record.tags = sent["tags"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
                    .collect();
                Ok(shown(app, subscription, tenant))
            }
            _ => {
                let app = apps.iter().find(|app| is_it(app)).ok_or_else(|| {
                    Refusal::new(404, "ResourceNotFound", format!("The Resource '{name}' was not found."))
                })?;
                Ok(shown(app, subscription, tenant))
            }
        }
    });
    answered(&world, answer)
}

fn shown(app: &App, subscription: Uuid, tenant: Uuid) -> Value {
    let tags: serde_json::Map<_, _> = app
        .record
        .tags
        .iter()
        .filter_map(|tag| tag.split_once('='))
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    json!({
        "id": format!(
            "/subscriptions/{subscription}/resourcegroups/{}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{}",
            app.resource_group(), app.name()
        ),
        "name": app.name(), "location": REGION, "tags": tags,
        "properties": { "tenantId": tenant, "clientId": app.client_id, "principalId": app.object_id },
    })
}

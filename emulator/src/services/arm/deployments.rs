//! The routes of deployments: they check the caller, and say where to poll for the state of an operation.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::Value;

use crate::services::answer::set_header;
use crate::services::arm::answer::answered;
use crate::services::arm::checks;
use crate::services::arm::refusal::Refusal;
use crate::services::arm::subscriptions::GROUPS;
use crate::services::arm::templates::{self, DeploymentAnswer, DeploymentName};
use crate::services::bearer::Caller;
use crate::services::request;
use crate::world::World;
use crate::world::directory::Directory;

type Shared = State<Arc<World>>;

type DeploymentPath = Path<(String, String, String, String)>;

pub(super) async fn deployment(
    State(world): Shared,
    Path((id, _groups, group, name)): DeploymentPath,
    request: Request,
) -> Response {
    let method = request.method().clone();
    let (caller, body) = authenticate_with_body(&world, request).await;
    let now = world.clock.epoch();
    let answer = caller.and_then(|caller| {
        let action = if method == "PUT" { "write" } else { "read" };
        let mut directory = world.directory();
        let named = authorize_deployment(&directory, &caller, &id, group, name, action)?;
        templates::deployment(&mut directory, &named, &method, &body, now)
    });
    deployment_answered(&world, answer)
}

pub(super) async fn action(
    State(world): Shared,
    Path((id, _groups, group, name, action)): Path<(String, String, String, String, String)>,
    request: Request,
) -> Response {
    let (caller, body) = authenticate_with_body(&world, request).await;
    let action = action.to_lowercase();
    let answer = caller.and_then(|caller| {
        let directory = world.directory();
        let named = authorize_deployment(&directory, &caller, &id, group, name, &format!("{action}/action"))?;
        templates::action(&directory, &named, &action, &body)
    });
    deployment_answered(&world, answer)
}

pub(super) async fn state(
    State(world): Shared,
    Path((id, _groups, group, name, _operation)): Path<(String, String, String, String, String)>,
    request: Request,
) -> Response {
    let answer = checks::authenticate(&world, request).and_then(|caller| {
        let directory = world.directory();
        let named = authorize_deployment(&directory, &caller, &id, group, name, "operationstatuses/read")?;
        templates::state(&directory, &named, world.clock.epoch())
    });
    deployment_answered(&world, answer)
}

/// The name of the deployment, if the caller may perform the action and the resource group exists.
fn authorize_deployment(
    directory: &Directory,
    caller: &Caller,
    subscription: &str,
    group: String,
    name: String,
    action: &str,
) -> Result<DeploymentName, Refusal> {
    let action = format!("Microsoft.Resources/deployments/{action}");
    let subscription = checks::authorize(directory, caller, subscription, &action)?.id;
    if GROUPS.iter().any(|known| known.eq_ignore_ascii_case(&group)) {
        Ok(DeploymentName { subscription, group, name })
    } else {
        Err(Refusal::no_group(&group))
    }
}

/// The caller, and the JSON that it sent.
async fn authenticate_with_body(world: &World, request: Request) -> (Result<Caller, Refusal>, Value) {
    let (request, body) = request::take_body(request).await;
    let caller = checks::authenticate(world, request);
    // az sends `template:` without quotes, and the real resource manager accepts it.
    let body = String::from_utf8_lossy(&body).replacen(", template:", ", \"template\":", 1);
    (caller, serde_json::from_str(&body).unwrap_or_default())
}

/// Adds the status, and the address of the operation, to the answer.
fn deployment_answered(world: &World, answer: Result<DeploymentAnswer, Refusal>) -> Response {
    let (status, poll, answer) = match answer {
        Ok(DeploymentAnswer { status, body, poll }) => (status, poll, Ok(body)),
        Err(refusal) => (refusal.status, None, Err(refusal)),
    };
    let mut answer = answered(world, answer);
    if let Ok(status) = status.try_into() {
        *answer.status_mut() = status;
    }
    if let Some((header, path)) = poll {
        let url = format!("{}{path}?api-version={DEPLOYMENTS_VERSION}", world.urls.arm);
        set_header(answer.headers_mut(), header, &url);
        set_header(answer.headers_mut(), "retry-after", "2");
    }
    answer
}

/// The API version in the addresses of operations.
const DEPLOYMENTS_VERSION: &str = "2022-09-01";

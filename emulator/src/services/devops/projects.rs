//! Projects, which come page by page, and their pipelines.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Value, json};

use crate::services::answer::set_header;
use crate::services::devops::answers::{
    exception, list, no_such_version, project_not_found, refuse_token, success,
};
use crate::services::devops::callers::{Caller, find_organization, find_project};
use crate::services::devops::endpoints::ProjectRequest;
use crate::services::devops::versions;
use crate::services::request;
use crate::world::World;
use crate::world::directory::devops::Project;
use crate::world::directory::records::Sight;

/// `GET /{organization}/_apis/projects`
pub(super) async fn projects(
    State(world): State<Arc<World>>,
    Path(organization): Path<String>,
    request: Request,
) -> Response {
    let caller = Caller::of(&world, request.headers());
    let directory = world.directory();
    let quirks = &directory.quirks;
    let query = request::query(request.uri());
    let (Some(caller), Some(found)) = (caller, find_organization(&directory, &organization)) else {
        return refuse_token(quirks, request.headers());
    };
    if let Err(version) = versions::PROJECTS.has(&query, request.headers()) {
        return no_such_version(quirks, &version);
    }
    let number = |name: &str| {
        let value = request::value_in_any_case(&query, name)?;
        Some(value.parse::<usize>())
    };
    let begin = number("continuationToken").or_else(|| number("$skip")).unwrap_or(Ok(0));
    let (Ok(begin), Ok(top)) = (begin, number("$top").unwrap_or(Ok(usize::MAX))) else {
        return exception(quirks, 400, "InvalidArgumentException", "A parameter is not a number.");
    };
    let size = top.min(quirks.projects_per_page).max(1);
    let all: Vec<_> = found.projects.iter().filter(|project| caller.sees_project(project)).collect();
    let page: Vec<_> =
        all.iter().skip(begin).take(size).map(|project| project_json(&world, project)).collect();
    let end = begin + page.len();
    let mut answer = list(&page);
    if end < all.len() {
        set_header(answer.headers_mut(), "x-ms-continuationtoken", &end.to_string());
    }
    answer
}

/// `GET /{organization}/_apis/projects/{project}`
pub(super) async fn project(
    State(world): State<Arc<World>>,
    Path((organization, project)): Path<(String, String)>,
    request: Request,
) -> Response {
    let caller = Caller::of(&world, request.headers());
    let directory = world.directory();
    let quirks = &directory.quirks;
    let (Some(caller), Some(found)) = (caller, find_organization(&directory, &organization)) else {
        return refuse_token(quirks, request.headers());
    };
    let known = find_project(found, &project)
        .filter(|project| caller.sees_project(project) && project.record.sight != Sight::Nothing);
    match known {
        Some(project) => success(&project_json(&world, project)),
        None => project_not_found(quirks, &project),
    }
}

/// `GET /{organization}/{project}/_apis/build/definitions`
pub(super) async fn pipelines(
    State(world): State<Arc<World>>,
    Path((organization, project)): Path<(String, String)>,
    request: Request,
) -> Response {
    let caller = Caller::of(&world, request.headers());
    let directory = world.directory();
    let path = (organization.as_str(), project.as_str());
    let asked = match ProjectRequest::check(&directory, caller, &request, path, &versions::DEFINITIONS) {
        Ok(asked) => asked,
        Err(answer) => return *answer,
    };
    let number = |name: &str| asked.value(name).and_then(|value| value.parse::<usize>().ok());
    let begin = number("continuationToken").unwrap_or(0);
    let size = number("$top").unwrap_or(usize::MAX).min(directory.quirks.pipelines_per_page).max(1);
    let all = &asked.project.record.pipelines;
    let page: Vec<_> = all.iter().skip(begin).take(size).map(|id| pipeline_json(*id)).collect();
    let end = begin + page.len();
    let mut answer = list(&page);
    if end < all.len() {
        set_header(answer.headers_mut(), "x-ms-continuationtoken", &end.to_string());
    }
    answer
}

fn project_json(world: &World, project: &Project) -> Value {
    json!({
        "id": project.id,
        "name": project.name,
        "description": "",
        "url": format!("{}/_apis/projects/{}", world.urls.devops, project.id),
        "state": "wellFormed",
        "revision": 1,
        "visibility": if project.record.public { "public" } else { "private" },
        "lastUpdateTime": "2026-01-05T08:00:00Z",
    })
}

fn pipeline_json(id: u32) -> Value {
    json!({
        "id": id, "name": format!("pipeline-{id}"), "path": "\\", "type": "build", "queueStatus": "enabled",
        "revision": 1,
    })
}

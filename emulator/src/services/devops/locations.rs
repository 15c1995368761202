//! Where clients find the resources: the locations that Microsoft's libraries ask for before anything else.

use axum::extract::Path;
use axum::response::Response;
use serde_json::{Value, json};

use crate::services::devops::answers::list;

/// A resource: id, area, name, route, newest revision, and whether 7.1 is released.
type Location = (&'static str, &'static str, &'static str, &'static str, u32, bool);

/// `OPTIONS /{organization}/_apis`
pub(super) async fn of_all_areas() -> Response {
    list(&LOCATIONS.iter().map(location).collect::<Vec<_>>())
}

/// `OPTIONS /{organization}/_apis/{area}`
pub(super) async fn of_area(Path((_organization, area)): Path<(String, String)>) -> Response {
    in_area(&area)
}

/// The same for an area that is a resource, too.
pub(super) async fn of_projects() -> Response {
    in_area("core")
}

/// `GET /{organization}/_apis/ResourceAreas`: none, which means that everything is at one host.
pub(super) async fn areas() -> Response {
    list(&[])
}

fn in_area(area: &str) -> Response {
    let own = LOCATIONS.iter().filter(|one| one.1.eq_ignore_ascii_case(area));
    list(&own.map(location).collect::<Vec<_>>())
}

fn location((id, area, name, route, revision, released): &Location) -> Value {
    json!({
        "id": id,
        "area": area,
        "resourceName": name,
        "routeTemplate": route,
        "resourceVersion": revision,
        "minVersion": "3.2",
        "maxVersion": "7.2",
        "releasedVersion": if *released { "7.1" } else { "0.0" },
    })
}

const LOCATIONS: [Location; 12] = [
    (
        "e81700f7-3be2-46de-8624-2eb35882fcaa",
        "Location",
        "ResourceAreas",
        "_apis/{resource}/{areaId}",
        1,
        false,
    ),
    ("603fe2ac-9723-48b9-88ad-09305aa6c6e1", "core", "projects", "_apis/{resource}/{*projectId}", 4, true),
    (
        "e85f1c62-adfc-4b74-b618-11a150fb195e",
        "serviceendpoint",
        "endpoints",
        "{project}/_apis/{area}/{resource}/{endpointId}",
        4,
        true,
    ),
    (
        "14e48fdc-2c8b-41ce-a0c3-e26f6cc55bd0",
        "serviceendpoint",
        "endpoints",
        "_apis/{area}/{resource}/{endpointId}",
        4,
        true,
    ),
    (
        "10a16738-9299-4cd1-9a81-fd23ad6200d0",
        "serviceendpoint",
        "executionhistory",
        "{project}/_apis/{area}/{endpointId}/{resource}",
        1,
        true,
    ),
    (
        "b5b9a4a4-e6cd-4096-853c-ab7d8b0c4eb2",
        "pipelinePermissions",
        "pipelinePermissions",
        "{project}/_apis/pipelines/{resource}/{resourceType}/{resourceId}",
        1,
        false,
    ),
    (
        "86c8381e-5aee-4cde-8ae4-25c0c7f5eaea",
        "PipelinesChecks",
        "configurations",
        "{project}/_apis/pipelines/checks/{resource}/{id}",
        1,
        false,
    ),
    (
        "5f3d0e64-f943-4584-8811-77eb495e831e",
        "PipelinesChecks",
        "queryconfigurations",
        "{project}/_apis/pipelines/checks/{resource}",
        1,
        false,
    ),
    (
        "9461c234-c84c-4ed2-b918-2f0f92ad0a35",
        "securityroles",
        "roleassignments",
        "_apis/{area}/scopes/{scopeId}/{resource}/resources/{resourceId}/{userId}",
        1,
        false,
    ),
    (
        "dbeaf647-6167-421a-bda9-c9327b25e2e6",
        "build",
        "definitions",
        "{project}/_apis/{area}/{resource}/{definitionId}",
        7,
        true,
    ),
    ("00d9565f-ed9c-4a06-9a50-00e7896ccab4", "Location", "ConnectionData", "_apis/{resource}", 1, false),
    (
        "69a319f4-28c1-4bfd-93e6-ea0ff5c6f1a2",
        "distributedtask",
        "oidctoken",
        "{scopeIdentifier}/_apis/{area}/hubs/{hubName}/plans/{planId}/jobs/{jobId}/{resource}",
        1,
        false,
    ),
];

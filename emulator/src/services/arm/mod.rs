//! The slice of Azure Resource Manager that Terraform, az and `wif doctor` ask for.

mod answer;
mod checks;
mod clusters;
mod deployments;
mod identities;
mod metadata;
mod refusal;
mod resource_graph;
mod resources;
mod roles;
mod subscriptions;
mod templates;
mod user_assigned;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::{any, get, post};
use serde_json::json;

use crate::services::arm::answer::answered;
use crate::services::arm::refusal::Refusal;
use crate::services::request::base_url;
use crate::world::World;

type Shared = State<Arc<World>>;

pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/metadata/endpoints", get(endpoints))
        .route("/tenants", get(tenants))
        .route("/subscriptions", get(subscriptions::subscriptions))
        .route("/subscriptions/{id}", get(subscriptions::subscription))
        .route("/subscriptions/{id}/{collection}", get(subscriptions::collection))
        .route("/subscriptions/{id}/providers/Microsoft.Authorization/roleAssignments", get(identities::role_assignments))
        .route(
            "/subscriptions/{id}/providers/Microsoft.ManagedIdentity/userAssignedIdentities",
            get(identities::managed_identities),
        )
        .route(
            "/subscriptions/{id}/{groups}/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}/federatedIdentityCredentials",
            get(identities::federated_credentials),
        )
        .route(
            "/subscriptions/{id}/{groups}/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}/federatedIdentityCredentials/{credential}",
            any(identities::federated_credential),
        )
        .route(
            "/subscriptions/{id}/{groups}/{group}/providers/Microsoft.Resources/deployments/{name}",
            any(deployments::deployment),
        )
        .route(
            "/subscriptions/{id}/{groups}/{group}/providers/Microsoft.Resources/deployments/{name}/{action}",
            post(deployments::action),
        )
        .route(
            "/subscriptions/{id}/{groups}/{group}/providers/Microsoft.Resources/deployments/{name}/operationStatuses/{operation}",
            get(deployments::state),
        )
        .route(
            "/subscriptions/{id}/{groups}/{group}/providers/Microsoft.ContainerService/managedClusters/{name}/listClusterUserCredential",
            post(clusters::user_credential),
        )
        .route(
            "/subscriptions/{id}/{groups}/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}",
            any(user_assigned::identity),
        )
        .route("/subscriptions/{id}/{groups}/{group}", get(user_assigned::resource_group))
        .route("/providers/Microsoft.ResourceGraph/resources", post(resource_graph::resources))
        .route("/providers/Microsoft.Management/managementGroups/{id}", get(management_group))
        .fallback(not_found)
        .with_state(world)
}

async fn endpoints(State(world): Shared, request: Request) -> Response {
    let parts = request.into_parts().0;
    answered(
        &world,
        checks::api_version(&parts).and_then(|version| {
            // A client that came by the public name is answered with public names.
            let came_to = base_url(&parts);
            let is_public = came_to == "https://management.azure.com";
            let (login, arm) = if is_public {
                ("https://login.microsoftonline.com".to_owned(), came_to)
            } else {
                (world.urls.entra.clone(), world.urls.arm.clone())
            };
            metadata::endpoints(&version, &login, &arm)
        }),
    )
}

async fn tenants(State(world): Shared, request: Request) -> Response {
    let answer = checks::authenticate(&world, request).map(|caller| {
        let directory = world.directory();
        let known = directory.tenants.iter().filter(|tenant| tenant.id == caller.tenant);
        let list: Vec<_> = known
            .map(|tenant| {
                json!({
                    "id": format!("/tenants/{}", tenant.id), "tenantId": tenant.id,
                    "displayName": "Contoso", "defaultDomain": tenant.domain, "tenantCategory": "Home",
                })
            })
            .collect();
        json!({ "value": list })
    });
    answered(&world, answer)
}

async fn management_group(State(world): Shared, Path(id): Path<String>, request: Request) -> Response {
    let answer = checks::authenticate(&world, request).and_then(|caller| {
        let directory = world.directory();
        let groups = directory.management_groups.as_ref();
        if groups.is_some_and(|groups| groups.iter().all(|group| !group.eq_ignore_ascii_case(&id))) {
            return Err(Refusal::no_management_group(&id));
        }
        Ok(json!({
            "id": format!("/providers/Microsoft.Management/managementGroups/{id}"),
            "type": "Microsoft.Management/managementGroups",
            "name": id,
            "properties": { "tenantId": caller.tenant, "displayName": id },
        }))
    });
    answered(&world, answer)
}

async fn not_found(State(world): Shared, request: Request) -> Response {
    if request.uri().path().to_lowercase().contains(roles::PROVIDER) {
        return roles::answer(&world, request).await;
    }
    if !world.directory().resources.is_empty() {
        return resources::answer(&world, request).await;
    }
    answered(&world, Err(Refusal::no_such_path()))
}

//! The slice of Azure Resource Manager that Terraform, az and a doctor ask for.

mod checks;
mod deployments;
mod identities;
mod metadata;

use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{any, get, post};
use serde_json::{Value, json};

use crate::services::answer::{json, set};
use crate::services::arm::checks::Refusal;
use crate::services::arm::deployments::{Named, Told};
use crate::services::bearer::Caller;
use crate::services::request::{self, base};
use crate::world::World;
use crate::world::directory::Directory;
use crate::world::directory::entra::Subscription;

type Shared = State<Arc<World>>;
type Answer = Result<Value, Refusal>;

pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/metadata/endpoints", get(endpoints))
        .route("/tenants", get(tenants))
        .route("/subscriptions", get(subscriptions))
        .route("/subscriptions/{id}", get(subscription))
        .route("/subscriptions/{id}/{collection}", get(collection))
        .route("/subscriptions/{id}/providers/Microsoft.Authorization/roleAssignments", get(role_assignments))
        .route(
            "/subscriptions/{id}/providers/Microsoft.ManagedIdentity/userAssignedIdentities",
            get(managed_identities),
        )
        .route(
            "/subscriptions/{id}/resourcegroups/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}/federatedIdentityCredentials",
            get(federated_credentials),
        )
        .route(
            "/subscriptions/{id}/{groups}/{group}/providers/Microsoft.Resources/deployments/{name}",
            any(deployment),
        )
        .route(
            "/subscriptions/{id}/{groups}/{group}/providers/Microsoft.Resources/deployments/{name}/{action}",
            post(deployment_action),
        )
        .route(
            "/subscriptions/{id}/{groups}/{group}/providers/Microsoft.Resources/deployments/{name}/operationStatuses/{operation}",
            get(deployment_state),
        )
        .route("/providers/Microsoft.Management/managementGroups/{id}", get(management_group))
        .fallback(not_found)
        .with_state(world)
}

async fn endpoints(State(world): Shared, request: Request) -> Response {
    let parts = request.into_parts().0;
    answered(
        &world,
        version(&parts).and_then(|version| {
            // Led here by its public name, a client is to go on with public names.
            let came_to = base(&parts);
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
    let answer = asked(&world, request).map(|caller| {
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

async fn subscriptions(State(world): Shared, request: Request) -> Response {
    let query = request::query(request.uri());
    let skipped = query.into_iter().find(|(name, _)| name == SKIP_TOKEN).map(|(_, value)| value);
    let answer = asked(&world, request).and_then(|caller| {
        let begin =
            skipped.map_or(Ok(0), |text| text.parse().map_err(|_error| Refusal::wrong_skip_token()))?;
        let directory = world.directory();
        let visible = directory.subscriptions.iter().filter(|one| one.roles.contains(&caller.client));
        let all: Vec<_> = visible.map(subscription_object).collect();
        let end = directory.subscriptions_per_page.map_or(all.len(), |size| (begin + size).min(all.len()));
        let mut page = json!({
            "count": { "type": "Total", "value": all.len() },
            "value": all.get(begin..end).unwrap_or_default(),
        });
        if end < all.len() {
            let url = format!("{}/subscriptions?api-version=2022-12-01&{SKIP_TOKEN}={end}", world.urls.arm);
            page["nextLink"] = json!(url);
        }
        Ok(page)
    });
    answered(&world, answer)
}

/// The query by which a page of a list begins where the one before it ended.
const SKIP_TOKEN: &str = "$skiptoken";

async fn subscription(State(world): Shared, Path(id): Path<String>, request: Request) -> Response {
    let answer = asked(&world, request).and_then(|caller| {
        let directory = world.directory();
        let action = "Microsoft.Resources/subscriptions/read";
        checks::may(&directory, &caller, &id, action).map(subscription_object)
    });
    answered(&world, answer)
}

async fn collection(
    State(world): Shared,
    Path((id, collection)): Path<(String, String)>,
    request: Request,
) -> Response {
    let answer = asked(&world, request).and_then(|caller| {
        let directory = world.directory();
        let (action, list): (_, fn(&Subscription) -> Vec<Value>) = match collection.to_lowercase().as_str() {
            "resourcegroups" => ("Microsoft.Resources/subscriptions/resourceGroups/read", resource_groups),
            "providers" => ("Microsoft.Resources/subscriptions/providers/read", providers),
            "locations" => ("Microsoft.Resources/subscriptions/locations/read", locations),
            _ => return Err(Refusal::no_such_path()),
        };
        let subscription = checks::may(&directory, &caller, &id, action)?;
        Ok(json!({ "value": list(subscription) }))
    });
    answered(&world, answer)
}

async fn role_assignments(State(world): Shared, Path(id): Path<String>, request: Request) -> Response {
    let query = request::query(request.uri());
    let filter = query.into_iter().find(|(name, _)| name == "$filter").map(|(_, value)| value);
    let answer = asked(&world, request).and_then(|caller| {
        let directory = world.directory();
        let action = "Microsoft.Authorization/roleAssignments/read";
        let subscription = checks::may(&directory, &caller, &id, action)?;
        Ok(identities::role_assignments(&directory, subscription, &filter.unwrap_or_default()))
    });
    answered(&world, answer)
}

async fn managed_identities(State(world): Shared, Path(id): Path<String>, request: Request) -> Response {
    let answer = asked(&world, request).and_then(|caller| {
        let directory = world.directory();
        let action = "Microsoft.ManagedIdentity/userAssignedIdentities/read";
        let subscription = checks::may(&directory, &caller, &id, action)?;
        Ok(identities::managed(&directory, subscription))
    });
    answered(&world, answer)
}

async fn federated_credentials(
    State(world): Shared,
    Path((id, _group, name)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    let answer = asked(&world, request).and_then(|caller| {
        let directory = world.directory();
        let action = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read";
        checks::may(&directory, &caller, &id, action)?;
        identities::federated_credentials(&directory, &name)
    });
    answered(&world, answer)
}

type DeploymentPath = Path<(String, String, String, String)>;

async fn deployment(
    State(world): Shared,
    Path((id, _groups, group, name)): DeploymentPath,
    request: Request,
) -> Response {
    let method = request.method().clone();
    let (caller, body) = asked_with_body(&world, request).await;
    let now = world.clock.epoch();
    let answer = caller.and_then(|caller| {
        let action = if method == "PUT" { "write" } else { "read" };
        let mut directory = world.directory();
        let named = may_deploy(&directory, &caller, &id, group, name, action)?;
        deployments::deployment(&mut directory, &named, &method, &body, now)
    });
    told(&world, answer)
}

async fn deployment_action(
    State(world): Shared,
    Path((id, _groups, group, name, action)): Path<(String, String, String, String, String)>,
    request: Request,
) -> Response {
    let (caller, body) = asked_with_body(&world, request).await;
    let action = action.to_lowercase();
    let answer = caller.and_then(|caller| {
        let directory = world.directory();
        let named = may_deploy(&directory, &caller, &id, group, name, &format!("{action}/action"))?;
        deployments::action(&directory, &named, &action, &body)
    });
    told(&world, answer)
}

async fn deployment_state(
    State(world): Shared,
    Path((id, _groups, group, name, _operation)): Path<(String, String, String, String, String)>,
    request: Request,
) -> Response {
    let answer = asked(&world, request).and_then(|caller| {
        let directory = world.directory();
        let named = may_deploy(&directory, &caller, &id, group, name, "operationstatuses/read")?;
        deployments::state(&directory, &named, world.clock.epoch())
    });
    told(&world, answer)
}

/// The deployment, if the caller may do this with it and its resource group exists.
fn may_deploy(
    directory: &Directory,
    caller: &Caller,
    subscription: &str,
    group: String,
    name: String,
    action: &str,
) -> Result<Named, Refusal> {
    let action = format!("Microsoft.Resources/deployments/{action}");
    let subscription = checks::may(directory, caller, subscription, &action)?.id;
    if GROUPS.iter().any(|known| known.eq_ignore_ascii_case(&group)) {
        Ok(Named { subscription, group, name })
    } else {
        Err(Refusal::no_group(&group))
    }
}

/// Who asks, and the JSON that came with it.
async fn asked_with_body(world: &World, request: Request) -> (Result<Caller, Refusal>, Value) {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let caller = asked(world, Request::from_parts(parts, axum::body::Body::empty()));
    // az puts the template in without quotes around the name, which the resource manager takes.
    let body = String::from_utf8_lossy(&body).replacen(", template:", ", \"template\":", 1);
    (caller, serde_json::from_str(&body).unwrap_or_default())
}

/// The answer, which says where the state of the operation is found.
fn told(world: &World, answer: Result<Told, Refusal>) -> Response {
    let (status, ask, answer) = match answer {
        Ok(Told { status, body, ask }) => (status, ask, Ok(body)),
        Err(refusal) => (refusal.status, None, Err(refusal)),
    };
    let mut answer = answered(world, answer);
    if let Ok(status) = status.try_into() {
        *answer.status_mut() = status;
    }
    if let Some((header, path)) = ask {
        let url = format!("{}{path}?api-version={DEPLOYMENTS_VERSION}", world.urls.arm);
        set(answer.headers_mut(), header, &url);
        set(answer.headers_mut(), "retry-after", "2");
    }
    answer
}

/// The version that the addresses of operations name.
const DEPLOYMENTS_VERSION: &str = "2022-09-01";

async fn management_group(State(world): Shared, Path(id): Path<String>, request: Request) -> Response {
    let answer = asked(&world, request).map(|caller| {
        json!({
            "id": format!("/providers/Microsoft.Management/managementGroups/{id}"),
            "type": "Microsoft.Management/managementGroups",
            "name": id,
            "properties": { "tenantId": caller.tenant, "displayName": id },
        })
    });
    answered(&world, answer)
}

async fn not_found(State(world): Shared) -> Response {
    answered(&world, Err(Refusal::no_such_path()))
}

/// Who asks, and that a version was named.
fn asked(world: &World, request: Request) -> Result<Caller, Refusal> {
    let parts = request.into_parts().0;
    version(&parts)?;
    checks::caller(world, &parts.headers)
}

fn version(parts: &Parts) -> Result<String, Refusal> {
    request::query(&parts.uri)
        .into_iter()
        .find(|(name, value)| name.eq_ignore_ascii_case("api-version") && !value.is_empty())
        .map(|(_, value)| value)
        .ok_or_else(Refusal::no_version)
}

fn answered(world: &World, answer: Answer) -> Response {
    let mut answer = match answer {
        Ok(value) => json(200, &value),
        Err(refusal) => {
            let mut answer = json(refusal.status, &refusal.body());
            if refusal.status == 401 {
                let challenge = refusal.challenge(&world.urls.entra);
                set(answer.headers_mut(), "www-authenticate", &challenge);
            }
            answer
        }
    };
    let id = uuid::Uuid::new_v4().to_string();
    set(answer.headers_mut(), "x-ms-request-id", &id);
    set(answer.headers_mut(), "x-ms-correlation-request-id", &id);
    answer
}

fn subscription_object(subscription: &Subscription) -> Value {
    let Subscription { id, name, state, tenant, .. } = subscription;
    json!({
        "id": format!("/subscriptions/{id}"),
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": id,
        "tenantId": tenant,
        "displayName": name,
        "state": state,
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off",
        },
    })
}

fn resource_groups(subscription: &Subscription) -> Vec<Value> {
    let group = |name: &str| {
        json!({
            "id": format!("/subscriptions/{}/resourceGroups/{name}", subscription.id),
            "name": name, "type": "Microsoft.Resources/resourceGroups", "location": "westeurope",
            "properties": { "provisioningState": "Succeeded" },
        })
    };
    GROUPS.map(group).to_vec()
}

/// The resource groups of each subscription.
const GROUPS: [&str; 2] = ["rg-network", "rg-app"];

fn providers(subscription: &Subscription) -> Vec<Value> {
    let provider = |namespace: &str| {
        json!({
            "id": format!("/subscriptions/{}/providers/{namespace}", subscription.id),
            "namespace": namespace, "registrationState": "Registered",
            "registrationPolicy": "RegistrationRequired", "resourceTypes": [],
        })
    };
    ["Microsoft.Resources", "Microsoft.Storage"].map(provider).to_vec()
}

fn locations(subscription: &Subscription) -> Vec<Value> {
    let location = |name: &str, shown: &str| {
        json!({
            "id": format!("/subscriptions/{}/locations/{name}", subscription.id),
            "name": name, "type": "Region", "displayName": shown, "regionalDisplayName": shown,
            "metadata": { "regionType": "Physical", "regionCategory": "Recommended" },
        })
    };
    vec![location("westeurope", "West Europe"), location("northeurope", "North Europe")]
}

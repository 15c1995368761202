//! Subscriptions, and what lies in one: resource groups, providers, locations.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Value, json};

use crate::services::arm::answer::answered;
use crate::services::arm::checks;
use crate::services::arm::refusal::Refusal;
use crate::services::request;
use crate::world::World;
use crate::world::directory::entra::Subscription;

type Shared = State<Arc<World>>;

pub(super) async fn subscriptions(State(world): Shared, request: Request) -> Response {
    let query = request::query(request.uri());
    let skipped = request::value(&query, SKIP_TOKEN);
    let answer = checks::authenticate(&world, request).and_then(|caller| {
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

/// The query parameter that says where a page of a list begins.
const SKIP_TOKEN: &str = "$skiptoken";

pub(super) async fn subscription(State(world): Shared, Path(id): Path<String>, request: Request) -> Response {
    let answer = checks::authenticate(&world, request).and_then(|caller| {
        let directory = world.directory();
        let action = "Microsoft.Resources/subscriptions/read";
        checks::authorize(&directory, &caller, &id, action).map(subscription_object)
    });
    answered(&world, answer)
}

pub(super) async fn collection(
    State(world): Shared,
    Path((id, collection)): Path<(String, String)>,
    request: Request,
) -> Response {
    let answer = checks::authenticate(&world, request).and_then(|caller| {
        let directory = world.directory();
        let (action, list): (_, fn(&Subscription) -> Vec<Value>) = match collection.to_lowercase().as_str() {
            "resourcegroups" => ("Microsoft.Resources/subscriptions/resourceGroups/read", resource_groups),
            "providers" => ("Microsoft.Resources/subscriptions/providers/read", providers),
            "locations" => ("Microsoft.Resources/subscriptions/locations/read", locations),
            _ => return Err(Refusal::no_such_path()),
        };
        let subscription = checks::authorize(&directory, &caller, &id, action)?;
        Ok(json!({ "value": list(subscription) }))
    });
    answered(&world, answer)
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
pub(super) const GROUPS: [&str; 2] = ["rg-network", "rg-app"];

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

//! `TestConnection`: the server makes an assertion, exchanges it with Entra, and asks the resource manager.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Value, json};

use crate::services::devops::answers::{exception, success};
use crate::services::devops::callers::Caller;
use crate::services::devops::endpoints::ProjectRequest;
use crate::services::devops::{oidc, versions};
use crate::services::entra::grant::grant_or_sentence;
use crate::services::request;
use crate::world::World;
use crate::world::directory::Directory;
use crate::world::directory::devops::{Place, Scope};

pub(super) async fn test_connection(
    State(world): State<Arc<World>>,
    Path((organization, project)): Path<(String, String)>,
    request: Request,
) -> Response {
    let (request, bytes) = request::take_body(request).await;
    let sent: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let caller = Caller::of(&world, request.headers());
    let directory = world.directory();
    let path = (organization.as_str(), project.as_str());
    let asked = match ProjectRequest::check(&directory, caller, &request, path, &versions::HISTORY) {
        Ok(asked) => asked,
        Err(answer) => return *answer,
    };
    let id = asked.value("endpointId").unwrap_or_default().to_owned();
    let Some((place, _)) = asked.connection(&id) else {
        let message = format!("No service connection found with identifier {id}.");
        return exception(&directory.quirks, 404, "ServiceEndpointNotFoundException", &message);
    };
    if sent["dataSourceDetails"]["dataSourceName"] != "TestConnection" {
        return exception(&directory.quirks, 400, "ArgumentException", "Unknown data source.");
    }
    if place.connection.disabled {
        let message = format!("The service connection {} is disabled.", place.connection.name);
        return answer("forbidden", &message);
    }
    let form = form(&world, &directory, &place);
    let (tenant, connection) = (place.connection.tenant, place.connection.clone());
    drop(directory);
    if let Err(sentence) = grant_or_sentence(&world, tenant, &form) {
        return answer(
            "unauthorized",
            &format!(
                "Failed to obtain the Json Web Token(JWT) using service principal client ID. Exception message: {sentence}"
            ),
        );
    }
    let directory = world.directory();
    let refused = match &connection.scope {
        Scope::ManagementGroup(..) => None,
        Scope::Subscription(id) => {
            let scope = format!("/subscriptions/{id}");
            match directory.subscriptions.iter().find(|one| one.id == *id) {
                None => Some((
                    "notFound",
                    "NotFound",
                    json!({ "code": "SubscriptionNotFound", "message": format!("The subscription '{id}' could not be found.") }),
                )),
                Some(known) => {
                    let apps = directory.tenants.iter().flat_map(|tenant| &tenant.apps);
                    let object = apps
                        .into_iter()
                        .find(|app| app.client_id == connection.client)
                        .map(|app| app.object_id);
                    let has_role = known.roles.contains(&connection.client)
                        || directory
                            .role_assignments
                            .iter()
                            .any(|one| Some(one.principal) == object && one.scope.starts_with(&scope));
                    (!has_role).then(|| ("forbidden", "Forbidden", json!({
                        "code": "AuthorizationFailed",
                        "message": format!(
                            "The client '{}' with object id '{}' does not have authorization to perform action 'Microsoft.Resources/subscriptions/read' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
                            connection.client, object.unwrap_or_default()
                        ),
                    })))
                }
            }
        }
    };
    match refused {
        None => answer("ok", ""),
        Some((status, name, error)) => answer(
            status,
            &format!(
                "Failed to query service connection API: 'https://management.azure.com/subscriptions/'. Status Code: '{name}', Response from server: '{}'",
                json!({ "error": error })
            ),
        ),
    }
}

/// What is sent to Entra: an assertion, or the stored secret.
fn form(world: &World, directory: &Directory, place: &Place<'_>) -> Vec<(String, String)> {
    let connection = place.connection;
    let mut form = vec![
        ("grant_type", "client_credentials".to_owned()),
        ("client_id", connection.client.to_string()),
        ("scope", "https://management.azure.com/.default".to_owned()),
    ];
    if connection.scheme.eq_ignore_ascii_case("WorkloadIdentityFederation") {
        let bearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        form.push(("client_assertion_type", bearer.to_owned()));
        form.push(("client_assertion", oidc::assertion(world, directory, place)));
    } else {
        let secret = connection.parameters.get("serviceprincipalkey").cloned().unwrap_or_default();
        form.push(("client_secret", secret));
    }
    form.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn answer(status: &str, message: &str) -> Response {
    success(
        &json!({ "result": [], "statusCode": status, "errorMessage": message, "activityId": uuid::Uuid::new_v4(), "callbackRequired": false }),
    )
}

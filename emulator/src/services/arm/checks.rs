//! Checks the caller of a request, and what the caller may see.

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use uuid::Uuid;

use crate::services::arm::refusal::Refusal;
use crate::services::bearer::{self, Caller, TokenError};
use crate::services::entra::resources::is_arm;
use crate::services::request;
use crate::world::World;
use crate::world::directory::Directory;
use crate::world::directory::entra::Subscription;
use crate::world::identity::sts_issuer;

/// The caller of a request that names an API version.
pub(super) fn authenticate(world: &World, request: Request) -> Result<Caller, Refusal> {
    let parts = request.into_parts().0;
    api_version(&parts)?;
    caller(world, &parts.headers)
}

/// The API version that the query names.
pub(super) fn api_version(parts: &Parts) -> Result<String, Refusal> {
    let query = request::query(&parts.uri);
    let named = request::value_in_any_case(&query, "api-version").filter(|version| !version.is_empty());
    named.map(str::to_owned).ok_or_else(Refusal::no_version)
}

/// The owner of the access token, if Entra's key signed it, it is valid now, and its audience is ARM.
fn caller(world: &World, headers: &HeaderMap) -> Result<Caller, Refusal> {
    bearer::caller(world, headers, |audience| is_arm(world, audience)).map_err(|error| {
        let (code, message) = match error {
            TokenError::Missing => {
                ("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.".to_owned())
            }
            TokenError::Signature => {
                ("InvalidAuthenticationToken", "The access token is invalid: its signature.".to_owned())
            }
            TokenError::Expired => (
                "ExpiredAuthenticationToken",
                "The access token expiry UTC time is earlier than the current UTC time.".to_owned(),
            ),
            TokenError::Audience(audience) => (
                "InvalidAuthenticationTokenAudience",
                format!(
                    "The access token has been obtained for wrong audience or resource '{audience}'. It should \
                     exactly match with one of the allowed audiences 'https://management.core.windows.net/', \
                     'https://management.azure.com/'."
                ),
            ),
            TokenError::Claims => {
                ("InvalidAuthenticationToken", "The access token is invalid: a claim is missing.".to_owned())
            }
            TokenError::Issuer => {
                ("InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer.".to_owned())
            }
        };
        Refusal::new(401, code, message)
    })
}

/// The subscription, if the caller holds a role in it.
pub(super) fn authorize<'a>(
    directory: &'a Directory,
    caller: &Caller,
    subscription: &str,
    action: &str,
) -> Result<&'a Subscription, Refusal> {
    let id = Uuid::try_parse(subscription).ok();
    let known = directory.subscriptions.iter().find(|one| Some(one.id) == id).ok_or_else(|| {
        let message = format!("The subscription '{subscription}' could not be found.");
        Refusal::new(404, "SubscriptionNotFound", message)
    })?;
    if known.tenant != caller.tenant {
        let message = format!(
            "The access token is from the wrong issuer '{}'. It must match the tenant '{}' associated with this \
             subscription.",
            sts_issuer(caller.tenant),
            sts_issuer(known.tenant),
        );
        return Err(Refusal::new(401, "InvalidAuthenticationTokenTenant", message));
    }
    if known.roles.contains(&caller.client) {
        Ok(known)
    } else {
        Err(not_authorized(caller, action, subscription))
    }
}

/// A refusal to a caller without the right.
pub(super) fn not_authorized(caller: &Caller, action: &str, subscription: &str) -> Refusal {
    let Caller { client, object, .. } = caller;
    Refusal::new(
        403,
        "AuthorizationFailed",
        format!(
            "The client '{client}' with object id '{object}' does not have authorization to perform action \
             '{action}' over scope '/subscriptions/{subscription}' or the scope is invalid. If access was recently \
             granted, please refresh your credentials."
        ),
    )
}

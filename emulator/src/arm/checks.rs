//! Whose access token it is, and what its owner may see.

use axum::http::HeaderMap;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::directory::{Directory, Subscription};
use crate::entra::is_arm;
use crate::identity::sts_issuer;
use crate::keys;
use crate::world::World;

/// Who asks.
pub(super) struct Caller {
    pub(super) tenant: Uuid,
    pub(super) client: Uuid,
    object: Uuid,
}

/// A refusal as ARM shapes it.
pub(super) struct Refusal {
    pub(super) status: u16,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(super) fn no_version() -> Self {
        let message = "The api-version query parameter (?api-version=) is required for all requests.";
        Self::new(400, "MissingApiVersionParameter", message)
    }

    pub(super) fn unknown_version(version: &str) -> Self {
        let message = format!("The api-version '{version}' is invalid for this resource type.");
        Self::new(400, "InvalidApiVersionParameter", message)
    }

    pub(super) fn no_such_path() -> Self {
        Self::new(404, "InvalidResourceType", "The resource type could not be found.")
    }

    pub(super) fn body(&self) -> Value {
        json!({ "error": { "code": self.code, "message": self.message } })
    }

    /// RFC 9110 §11.6.1, as ARM fills it in.
    pub(super) fn challenge(&self, login: &str) -> String {
        format!(
            "Bearer authorization_uri=\"{login}/common\", error=\"invalid_token\", error_description=\"{}\"",
            self.message
        )
    }
}

/// The owner of the access token, if the token is ours, in time, and meant for ARM.
pub(super) fn caller(world: &World, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let invalid = |message: &str| Refusal::new(401, "InvalidAuthenticationToken", message);
    let token = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token)
        .ok_or_else(|| {
            let message = "Authentication failed. The 'Authorization' header is missing.";
            Refusal::new(401, "AuthenticationFailed", message)
        })?;
    let claims =
        keys::entra().verify(token).ok_or_else(|| invalid("The access token is invalid: its signature."))?;
    let now = world.clock.epoch();
    if claims["exp"].as_i64().is_none_or(|end| end <= now) {
        let message = "The access token expiry UTC time is earlier than the current UTC time.";
        return Err(Refusal::new(401, "ExpiredAuthenticationToken", message));
    }
    let audience = claims["aud"].as_str().unwrap_or_default();
    if !is_arm(world, audience) {
        let message = format!(
            "The access token has been obtained for wrong audience or resource '{audience}'. It should exactly \
             match with one of the allowed audiences 'https://management.core.windows.net/', \
             'https://management.azure.com/'."
        );
        return Err(Refusal::new(401, "InvalidAuthenticationTokenAudience", message));
    }
    let id = |name: &str| claims[name].as_str().and_then(|text| Uuid::try_parse(text).ok());
    let (Some(tenant), Some(client), Some(object)) = (id("tid"), id("appid"), id("oid")) else {
        return Err(invalid("The access token is invalid: a claim is missing."));
    };
    if claims["iss"].as_str() != Some(&sts_issuer(tenant)) {
        let message = "The access token is from the wrong issuer.";
        return Err(Refusal::new(401, "InvalidAuthenticationTokenTenant", message));
    }
    Ok(Caller { tenant, client, object })
}

/// The subscription, if the caller holds a role in it.
pub(super) fn may<'a>(
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
        let Caller { client, object, .. } = caller;
        Err(Refusal::new(
            403,
            "AuthorizationFailed",
            format!(
                "The client '{client}' with object id '{object}' does not have authorization to perform action \
                 '{action}' over scope '/subscriptions/{}' or the scope is invalid. If access was recently \
                 granted, please refresh your credentials.",
                known.id
            ),
        ))
    }
}

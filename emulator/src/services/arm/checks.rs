//! Whose access token it is, and what its owner may see.

use axum::http::HeaderMap;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::services::bearer::{self, Caller, Unfit};
use crate::services::entra::resources::is_arm;
use crate::world::World;
use crate::world::directory::Directory;
use crate::world::directory::entra::Subscription;
use crate::world::identity::sts_issuer;

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

    pub(super) fn wrong_skip_token() -> Self {
        Self::new(400, "InvalidSkipToken", "The $skiptoken is invalid.")
    }

    pub(super) fn no_such_path() -> Self {
        Self::new(404, "InvalidResourceType", "The resource type could not be found.")
    }

    pub(super) fn no_template() -> Self {
        Self::new(
            400,
            "InvalidRequestContent",
            "The request content has no template with a list of resources.",
        )
    }

    pub(super) fn no_deployment(name: &str) -> Self {
        Self::new(404, "DeploymentNotFound", format!("Deployment '{name}' could not be found."))
    }

    pub(super) fn no_group(name: &str) -> Self {
        Self::new(404, "ResourceGroupNotFound", format!("Resource group '{name}' could not be found."))
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
    bearer::caller(world, headers, |audience| is_arm(world, audience)).map_err(|unfit| {
        let (code, message) = match unfit {
            Unfit::Missing => {
                ("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.".to_owned())
            }
            Unfit::Signature => {
                ("InvalidAuthenticationToken", "The access token is invalid: its signature.".to_owned())
            }
            Unfit::Expired => (
                "ExpiredAuthenticationToken",
                "The access token expiry UTC time is earlier than the current UTC time.".to_owned(),
            ),
            Unfit::Audience(audience) => (
                "InvalidAuthenticationTokenAudience",
                format!(
                    "The access token has been obtained for wrong audience or resource '{audience}'. It should \
                     exactly match with one of the allowed audiences 'https://management.core.windows.net/', \
                     'https://management.azure.com/'."
                ),
            ),
            Unfit::Claims => {
                ("InvalidAuthenticationToken", "The access token is invalid: a claim is missing.".to_owned())
            }
            Unfit::Issuer => {
                ("InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer.".to_owned())
            }
        };
        Refusal::new(401, code, message)
    })
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

//! Refusals as the resource manager words them.

use serde_json::{Value, json};

/// A refusal: status, code and message.
pub(super) struct Refusal {
    pub(super) status: u16,
    code: &'static str,
    message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
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

    pub(super) fn no_management_group(id: &str) -> Self {
        Self::new(404, "NotFound", format!("Management group '{id}' cannot be found."))
    }

    pub(super) fn no_graph_access() -> Self {
        Self::new(
            403,
            "AuthorizationFailed",
            "The client does not have authorization to query Resource Graph.",
        )
    }

    pub(super) fn bad_query(reason: &str) -> Self {
        Self::new(400, "BadRequest", format!("Please provide a valid query: {reason}"))
    }

    pub(super) fn body(&self) -> Value {
        json!({ "error": { "code": self.code, "message": self.message } })
    }

    /// The value of `WWW-Authenticate` (RFC 9110 §11.6.1).
    pub(super) fn challenge(&self, login: &str) -> String {
        format!(
            "Bearer authorization_uri=\"{login}/common\", error=\"invalid_token\", error_description=\"{}\"",
            self.message
        )
    }
}

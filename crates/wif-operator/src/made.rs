//! By what that which is made for a request is known: descriptions, names and paths.

use uuid::Uuid;

use crate::request::Request;

/// The description of a connection: who answers for it, why it exists, and the mark by which it is found again.
#[must_use]
pub fn description(request: &Request, key: &str) -> String {
    format!("{}; {}; {MARK}{key}", owner_of(request), reason_of(request))
}

/// What stands before the key in a description.
pub const MARK: &str = "made by wif: ";

/// Whether a description says this, and not something that only begins so.
#[must_use]
pub fn has_part(description: &str, part: &str) -> bool {
    description.match_indices(part).any(|(at, _)| {
        let rest = description.get(at + part.len()..).unwrap_or_default();
        rest.is_empty() || rest.starts_with([';', '\n', '\r'])
    })
}

/// Whether a description says who answers for a connection, and why it exists.
#[must_use]
pub fn is_described(description: &str, request: &Request) -> bool {
    has_part(description, &owner_of(request)) && has_part(description, &reason_of(request))
}

/// What a description says of who answers for a connection.
#[must_use]
pub fn owner_of(request: &Request) -> String {
    format!("Owner: {}", request.owner.trim())
}

/// What a description says of why a connection exists.
#[must_use]
pub fn reason_of(request: &Request) -> String {
    format!("Reason: {}", request.reason.trim())
}

/// The name by which the application of a request is known in Entra.
#[must_use]
pub fn unique_name(application: &str) -> String {
    format!("wif-{application}")
}

/// The path of a managed identity.
#[must_use]
pub fn resource_of(subscription: Uuid, resource_group: &str, name: &str) -> String {
    format!(
        "/subscriptions/{subscription}/resourceGroups/{resource_group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    )
}

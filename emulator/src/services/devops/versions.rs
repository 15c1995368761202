//! Versions of the REST API.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

use crate::services::request::value_in_any_case;

/// Which versions a resource has: whether 7.0 and 7.1 are released, and the revisions of its previews.
pub(super) struct Versions {
    pub(super) released: bool,
    pub(super) revisions: &'static [u32],
}

/// Service connections.
pub(super) const CONNECTIONS: Versions = Versions { released: true, revisions: &[1, 2, 3, 4] };
/// Uses and types of service connections.
pub(super) const HISTORY: Versions = Versions { released: true, revisions: &[1] };
/// Projects.
pub(super) const PROJECTS: Versions = Versions { released: true, revisions: &[1, 2, 3, 4] };
/// Permissions of pipelines, checks, roles.
pub(super) const PREVIEWS: Versions = Versions { released: false, revisions: &[1] };
/// Definitions of pipelines.
pub(super) const DEFINITIONS: Versions = Versions { released: true, revisions: &[1, 2, 3, 4, 5, 6, 7] };

impl Versions {
    /// Whether a resource has the version that a request names; a request without one gets the newest.
    pub(super) fn has(&self, query: &[(String, String)], headers: &HeaderMap) -> Result<(), String> {
        let version = value_in_any_case(query, "api-version")
            .map(str::to_owned)
            .or_else(|| version_in_accept(headers))
            .unwrap_or_else(|| "7.1-preview.1".to_owned());
        let (number, revision) = match version.split_once("-preview") {
            None => (version.as_str(), None),
            Some((number, rest)) => (number, Some(rest.strip_prefix('.').unwrap_or("1"))),
        };
        // azure-devops-node-api asks for roles by the oldest.
        let is_known = ["3.2", "5.0", "5.1", "6.0", "7.0", "7.1", "7.2"].contains(&number);
        let is_there = match revision {
            None => is_known && self.released && number != "7.2",
            Some(revision) => {
                is_known && revision.parse().is_ok_and(|revision| self.revisions.contains(&revision))
            }
        };
        if is_there { Ok(()) } else { Err(version) }
    }
}

/// The version in a header like `Accept: application/json;api-version=7.1`.
pub(super) fn version_in_accept(headers: &HeaderMap) -> Option<String> {
    let mut parameters = headers.get(ACCEPT)?.to_str().ok()?.split(';');
    parameters.find_map(|parameter| parameter.trim().strip_prefix("api-version=")).map(str::to_owned)
}

//! Docker and what reads its configuration: a private configuration whose credential helper is this program.
//!
//! Source: docker/cli, `cli/config`; docker/docker-credential-helpers, `credentials`; containers/image, `pkg/docker/config`.

use super::{
    broker_endpoint::BrokerEndpoint,
    conflict::{Conflict, LIVE, Remedy, Values},
    definition::{Definition, LeadsTo, Marker, Need, VARIABLES_ONLY},
    variable::{Facts, Variable},
};

/// What the family is.
pub(super) const FAMILY: Definition = Definition {
    name: "docker",
    summary: "docker, buildx, compose, helm, oras, skopeo, podman and buildah, for the registries that are named",
    asked_by: Some("registries"),
    needs_live: &[Need::CredentialFile],
    live,
    snapshot: Err("no broker would give its credentials"),
    conflicts: &[Conflict {
        variables: &["REGISTRY_AUTH_FILE"],
        values: Values::Any,
        sessions: LIVE,
        from_machine: Remedy::Warn,
        effect: "skopeo, podman and buildah read the credentials in that file before the session's configuration.",
    }],
    markers: &[Marker { variable: "DOCKER_CONFIG", leads_to: LeadsTo::Folder, sessions: LIVE }],
    programs: &["docker"],
    ..VARIABLES_ONLY
};

fn live(facts: &Facts, _: &BrokerEndpoint) -> Vec<Variable> {
    let folder = facts.targets.docker_folder.as_ref();
    folder.map(|folder| Variable::plain("DOCKER_CONFIG", folder.to_string_lossy())).into_iter().collect()
}

//! AKS clusters: the kubeconfig of a cluster's users.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::services::arm::answer::answered;
use crate::services::arm::checks;
use crate::services::arm::refusal::Refusal;
use crate::world::World;

/// `POST …/managedClusters/NAME/listClusterUserCredential`
pub(super) async fn user_credential(
    State(world): State<Arc<World>>,
    Path((subscription, _, group, name)): Path<(String, String, String, String)>,
    request: Request,
) -> Response {
    let answer = checks::authenticate(&world, request).and_then(|caller| {
        let directory = world.directory();
        let action = "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action";
        checks::authorize(&directory, &caller, &subscription, action)?;
        let cluster = directory.clusters.iter().find(|one| one.name.eq_ignore_ascii_case(&name));
        let cluster = cluster.ok_or_else(|| {
            let message = format!(
                "The Resource 'Microsoft.ContainerService/managedClusters/{name}' under resource group '{group}' was not found."
            );
            Refusal::new(404, "ResourceNotFound", message)
        })?;
        let (server, authority, name) = (&cluster.server, &cluster.certificate_authority, &cluster.name);
        // As AKS writes it, with kubelogin for a user of Entra.
        let user = if cluster.takes_entra_tokens {
            "    exec:\n      apiVersion: client.authentication.k8s.io/v1beta1\n      command: kubelogin\n"
        } else {
            "    client-certificate-data: QQ==\n    client-key-data: QQ==\n"
        };
        let text = format!(
            "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {authority}\n    server: {server}\n  name: {name}\n\
             contexts:\n- context:\n    cluster: {name}\n    user: clusterUser_{group}_{name}\n  name: {name}\n\
             current-context: {name}\nkind: Config\npreferences: {{}}\nusers:\n- name: clusterUser_{group}_{name}\n  user:\n{user}"
        );
        Ok(json!({"kubeconfigs": [{"name": "clusterUser", "value": STANDARD.encode(text)}]}))
    });
    answered(&world, answer)
}

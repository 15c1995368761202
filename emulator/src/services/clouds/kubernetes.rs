//! The API server of an AKS cluster that is integrated with Entra: it says who the caller is.
//!
//! Source: the Kubernetes API, `authentication.k8s.io/v1` (`SelfSubjectReview`); AKS' documentation, "Use Entra ID".

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::json;

use crate::services::answer::json_answer;
use crate::services::bearer;
use crate::world::World;

/// The application of all AKS API servers.
const AUDIENCE: &str = "6dae42f8-4368-4678-94ff-3960e28e3630";

/// Whatever is asked for below `/kubernetes`.
pub(super) async fn answer(State(world): State<Arc<World>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    match bearer::caller(&world, &parts.headers, |audience| audience == AUDIENCE) {
        Ok(caller) => json_answer(
            200,
            &json!({
                "kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1",
                "status": {"userInfo": {"username": caller.object, "groups": ["system:authenticated"]}},
            }),
        ),
        Err(_) => json_answer(
            401,
            &json!({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "Unauthorized",
                "reason": "Unauthorized", "code": 401,
            }),
        ),
    }
}

//! Google Cloud's metadata server, in plain HTTP as the real one.
//!
//! Source: googleapis/google-auth-library-python, `compute_engine/_metadata.py`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;

use super::{Shared, id_token, lifetime};
use crate::services::answer::{answer_of_type, set_header};
use crate::services::request;
use crate::world::World;
use crate::world::directory::sources::SourceIssuer;

pub(crate) fn router(world: Arc<World>) -> Router {
    let path = "/computeMetadata/v1/instance/service-accounts/default/identity";
    Router::new().route(path, get(identity)).with_state(world)
}

async fn identity(State(world): Shared, request: Request) -> Response {
    let flavor = |mut answer: Response| {
        set_header(answer.headers_mut(), "metadata-flavor", "Google");
        answer
    };
    if request.headers().get("metadata-flavor").is_none_or(|value| value != "Google") {
        return flavor(answer_of_type(403, "text/html", "<p>Your client does not have permission</p>"));
    }
    let query = request::query(request.uri());
    let Some(audience) = request::value(&query, "audience") else {
        return flavor(answer_of_type(400, "text/plain", "non-empty audience parameter required"));
    };
    if !world.directory().sources.is_permitted {
        return flavor(answer_of_type(404, "text/html", "<p>No service account</p>"));
    }
    let token = id_token(&world, SourceIssuer::Google, audience, lifetime(&world));
    flavor(answer_of_type(200, "text/html", token))
}

//! Other clouds that take an id token: AWS' security token service, Google's, and a Vault. Each checks signature, times,
//! issuer, audience and subject as the real one does, and says so in its own words.

pub(super) mod aws;
mod ecr;
mod feeds;
mod google;
mod kubernetes;
mod registry;
mod registry_behind;
mod vault;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{any, post};
use serde_json::Value;

use crate::world::World;
use crate::world::directory::sources::SourceIssuer;
use crate::world::keys;

pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/", post(aws_service))
        .route("/v1/token", post(google::token))
        .route("/v1/projects/-/serviceAccounts/{account}", post(google::impersonate))
        .route("/oauth2/exchange", post(registry::exchange))
        .route("/oauth2/token", any(registry::token))
        .route("/v2/", any(registry::content))
        .route("/v2/{*path}", any(registry::content))
        .route("/{organization}/_packaging/{feed}/pypi/{*path}", any(feeds::answer))
        .route("/kubernetes/{*path}", any(kubernetes::answer))
        .route("/v1/{*path}", any(vault::answer))
        .with_state(world)
}

/// The root of AWS' services: the header tells which one is meant.
async fn aws_service(State(world): State<Arc<World>>, request: Request) -> Response {
    if !request.headers().contains_key("x-amz-target") {
        return aws::sts(State(world), request).await;
    }
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 * 1024).await.unwrap_or_default();
    ecr::login(State(world), &parts, &body)
}

/// Why an id token is not genuine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    Malformed,
    Signature,
    Ended,
    TooEarly,
}

/// The claims that the clouds compare.
struct Presented {
    issuer: String,
    subject: String,
    audience: String,
    authorized_party: Option<String>,
}

/// The claims of a genuine id token that is valid now.
fn genuine(world: &World, token: &str) -> Result<Presented, Flaw> {
    let claims = keys::unverified_claims(token).ok_or(Flaw::Malformed)?;
    let text = |name: &str| claims[name].as_str().map(str::to_owned);
    let presented = Presented {
        issuer: text("iss").ok_or(Flaw::Malformed)?,
        subject: text("sub").ok_or(Flaw::Malformed)?,
        audience: text("aud").ok_or(Flaw::Malformed)?,
        authorized_party: text("azp"),
    };
    let issuer = &presented.issuer;
    let key = if issuer.starts_with("https://vstoken.dev.azure.com/") {
        keys::devops()
    } else if SourceIssuer::ALL.iter().any(|source| source.issuer() == issuer) {
        keys::sources()
    } else {
        keys::entra()
    };
    key.verify(token).ok_or(Flaw::Signature)?;
    let now = world.clock.epoch();
    let moment = |value: &Value| value.as_i64();
    if moment(&claims["exp"]).is_none_or(|end| end <= now) {
        return Err(Flaw::Ended);
    }
    if moment(&claims["nbf"]).is_some_and(|begin| begin > now) {
        return Err(Flaw::TooEarly);
    }
    Ok(presented)
}

//! What signs id tokens for jobs, pods and machines outside of Azure Pipelines: GitHub's and Buildkite's endpoints, a
//! cluster's API, Google's metadata server, AWS' security token service. All sign by one key, which Entra knows.

mod aws;
mod aws_role;
mod google;
mod jobs;
mod kubernetes;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::json;

use crate::services::answer::json_answer;
use crate::world::World;
use crate::world::directory::sources::SourceIssuer;
use crate::world::issued::IssuedKind;
use crate::world::keys;

type Shared = State<Arc<World>>;

pub(crate) use self::aws_role::router as aws_role_router;
pub(crate) use self::google::router as google_router;

pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/github/idtoken", get(jobs::github))
        .route("/buildkite/v3/jobs/{job}/oidc/tokens", post(jobs::buildkite))
        .route(
            "/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token",
            post(kubernetes::token_request),
        )
        .route("/", post(aws::sts))
        .route("/{source}/.well-known/openid-configuration", get(configuration))
        .route("/{source}/jwks", get(jwks))
        .with_state(world)
}

/// The variables of a job, a pod or a machine.
pub(crate) fn variables(world: &World, url: &str, source: SourceIssuer) -> Vec<(String, String)> {
    let (credential, aws_key) = {
        let directory = world.directory();
        (directory.sources.credential.clone(), directory.sources.aws_key.clone())
    };
    world.record_issued(IssuedKind::SourceCredential, &credential);
    let [_, aws_secret, aws_session] = &aws_key;
    for secret in [aws_secret, aws_session] {
        world.record_issued(IssuedKind::SourceCredential, secret);
    }
    let host = url.trim_start_matches("https://");
    let machine = world.urls.machine.trim_start_matches("http://");
    let (name, port) = host.rsplit_once(':').unwrap_or((host, "443"));
    let [id, secret, session] = aws_key;
    let pairs: Vec<(&str, String)> = match source {
        SourceIssuer::GitHub => vec![
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{url}/github/idtoken?api-version=2.0")),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", credential),
        ],
        SourceIssuer::GitLab => vec![("GITLAB_CI", "true".to_owned())],
        SourceIssuer::Buildkite => vec![
            ("BUILDKITE_JOB_ID", jobs::BUILDKITE_JOB.to_owned()),
            ("BUILDKITE_AGENT_ENDPOINT", format!("{url}/buildkite/v3")),
            ("BUILDKITE_AGENT_ACCESS_TOKEN", credential),
        ],
        SourceIssuer::Kubernetes => {
            vec![("KUBERNETES_SERVICE_HOST", name.to_owned()), ("KUBERNETES_SERVICE_PORT", port.to_owned())]
        }
        SourceIssuer::Google => vec![("GCE_METADATA_HOST", machine.to_owned())],
        SourceIssuer::Aws => vec![
            ("AWS_REGION", aws::REGION.to_owned()),
            ("AWS_ENDPOINT_URL_STS", url.to_owned()),
            ("AWS_ACCESS_KEY_ID", id),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_SESSION_TOKEN", session),
        ],
        SourceIssuer::Spiffe => vec![],
    };
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A token that the issuer signs.
pub(crate) fn id_token(world: &World, source: SourceIssuer, audience: &str, lifetime: i64) -> String {
    let now = world.clock.epoch();
    let subject = world.directory().sources.subject(source);
    let claims = json!({
        "iss": source.issuer(), "sub": subject, "aud": audience,
        "iat": now, "nbf": now - 5, "exp": now + lifetime, "jti": uuid::Uuid::new_v4(),
    });
    let token = keys::sources().sign(&claims);
    world.record_issued(IssuedKind::IdToken, &token);
    token
}

fn lifetime(world: &World) -> i64 {
    world.directory().sources.lifetime
}

async fn configuration(State(_world): Shared, Path(source): Path<String>) -> Response {
    let Some(issuer) = named(&source) else { return json_answer(404, &json!({})) };
    json_answer(
        200,
        &json!({
            "issuer": issuer.issuer(),
            "jwks_uri": format!("{}/jwks", issuer.issuer().trim_end_matches('/')),
            "id_token_signing_alg_values_supported": ["RS256"],
            "subject_types_supported": ["public"],
            "response_types_supported": ["id_token"],
        }),
    )
}

async fn jwks(State(_world): Shared, Path(source): Path<String>) -> Response {
    let Some(issuer) = named(&source) else { return json_answer(404, &json!({})) };
    json_answer(200, &json!({ "keys": [keys::sources().published(issuer.issuer())] }))
}

fn named(text: &str) -> Option<SourceIssuer> {
    SourceIssuer::ALL.into_iter().find(|source| format!("{source:?}").eq_ignore_ascii_case(text))
}

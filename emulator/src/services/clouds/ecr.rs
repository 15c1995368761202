//! AWS' registries of container images: a login for the credentials of a role.
//!
//! Source: botocore, the model of ECR (`GetAuthorizationToken`).

use std::sync::Arc;

use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::services::answer::json_answer;
use crate::services::aws_signature::check;
use crate::world::World;
use crate::world::issued::IssuedKind;
use crate::world::keys::random_text;

const OPERATION: &str = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
const TYPE: &str = "application/x-amz-json-1.1";
/// The region of the account's registries.
const REGION: &str = "eu-central-1";
const LIFE_SECONDS: i64 = 12 * 3600;

/// `GetAuthorizationToken`
pub(super) fn login(State(world): State<Arc<World>>, parts: &Parts, body: &[u8]) -> Response {
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let refused =
        |kind: &str, message: &str| json_answer(400, &json!({ "__type": kind, "message": message }));
    if header("x-amz-target") != Some(OPERATION) || header("content-type") != Some(TYPE) {
        return refused("UnknownOperationException", "");
    }
    let now = world.clock.epoch();
    let mut directory = world.directory();
    let account = &mut directory.clouds.aws;
    let token = header("x-amz-security-token").unwrap_or_default();
    let session = account.sessions.iter().find(|session| session.key[2] == token);
    let Some(session) = session.filter(|session| session.expires > now) else {
        return refused(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        );
    };
    if let Err(reason) = check(parts, body, &session.key, (REGION, "ecr"), now) {
        return refused("InvalidSignatureException", &reason);
    }
    if account.denies_registries {
        let message = format!(
            "User: {} is not authorized to perform: ecr:GetAuthorizationToken on resource: * because no identity-based policy allows the ecr:GetAuthorizationToken action",
            session.role
        );
        return refused("AccessDeniedException", &message);
    }
    let password = random_text(200);
    account.registry_passwords.push(password.clone());
    drop(directory);
    let token = STANDARD.encode(format!("AWS:{password}"));
    for secret in [&password, &token] {
        world.record_issued(IssuedKind::CloudCredential, secret);
    }
    let end = f64::from(u32::try_from(now + LIFE_SECONDS).expect("a moment before 2106"));
    let one = json!({
        "authorizationToken": token, "expiresAt": end,
        "proxyEndpoint": "https://123456789012.dkr.ecr.eu-central-1.amazonaws.com",
    });
    json_answer(200, &json!({ "authorizationData": [one] }))
}

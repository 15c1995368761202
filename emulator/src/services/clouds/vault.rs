//! A Vault: login by the JWT auth method, and tokens that are renewed and revoked by themselves.
//!
//! Source: Vault's documentation, "JWT/OIDC auth method (API)" and "Token auth method (API)"; hashicorp/vault-plugin-auth-jwt,
//! `path_login.go`, and hashicorp/cap, `jwt`, for the words of refusals.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::{Flaw, genuine};
use crate::services::answer::json_answer;
use crate::world::World;
use crate::world::directory::clouds::VaultToken;
use crate::world::issued::IssuedKind;
use crate::world::keys::random_text;

pub(super) async fn answer(
    State(world): State<Arc<World>>,
    Path(path): Path<String>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 * 1024).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let result = if world.directory().clouds.vault.sealed {
        Err((503, "Vault is sealed".to_owned()))
    } else if parts.method != "POST" && parts.method != "PUT" {
        Err((405, "unsupported operation".to_owned()))
    } else if let Some(mount) = path.strip_prefix("auth/").and_then(|rest| rest.strip_suffix("/login")) {
        log_in(&world, header("x-vault-namespace"), mount, &body)
    } else {
        with_token(&world, &path, header("x-vault-token"))
    };
    match result {
        Ok(Some(auth)) => json_answer(200, &json!({"request_id": "c6104cbe", "auth": auth})),
        Ok(None) => json_answer(204, &Value::Null),
        Err((status, text)) => json_answer(status, &json!({"errors": [text]})),
    }
}

type Answer = Result<Option<Value>, (u16, String)>;

fn log_in(world: &World, namespace: &str, mount: &str, body: &Value) -> Answer {
    let bad = |text: &str| (400, text.to_owned());
    let now = world.clock.epoch();
    let mut directory = world.directory();
    let server = &mut directory.clouds.vault;
    let found = server
        .mounts
        .iter()
        .find(|one| one.path == mount && one.namespace.trim_matches('/') == namespace.trim_matches('/'));
    // A path that nothing is mounted at needs a token, which a login has not.
    let found = found.ok_or_else(|| (403, "permission denied".to_owned()))?;
    let name = body["role"].as_str().ok_or_else(|| bad("missing role"))?;
    let role = found.roles.iter().find(|role| role.name == name);
    let role = role.ok_or_else(|| bad(&format!("role \"{name}\" could not be found")))?;
    let presented = genuine(world, body["jwt"].as_str().unwrap_or_default()).map_err(|flaw| {
        bad(match flaw {
            Flaw::Malformed => "error validating token: error parsing token",
            Flaw::Signature => {
                "error validating token: error verifying token signature: no known key successfully validated the token signature"
            }
            Flaw::Ended => "error validating token: invalid expiration time (exp) claim: token is expired",
            Flaw::TooEarly => "error validating token: invalid not before (nbf) claim: token not yet valid",
        })
    })?;
    if presented.issuer != found.issuer {
        return Err(bad("error validating token: invalid issuer (iss) claim"));
    }
    if presented.subject != role.subject {
        return Err(bad("error validating claims: sub claim does not match bound subject"));
    }
    if !role.audiences.contains(&presented.audience) {
        return Err(bad(
            "error validating token: invalid audience (aud) claim: audience claim does not match any bound audience",
        ));
    }
    let text = format!("hvs.{}", random_text(80));
    let token = VaultToken {
        text: text.clone(),
        expires: now + role.seconds,
        max_expires: now + role.max_seconds,
        seconds: role.seconds,
        renewals: 0,
        revoked: false,
    };
    let auth = auth(&token, now);
    server.tokens.push(token);
    drop(directory);
    world.record_issued(IssuedKind::VaultToken, &text);
    Ok(Some(auth))
}

fn with_token(world: &World, path: &str, text: &str) -> Answer {
    let now = world.clock.epoch();
    let mut directory = world.directory();
    let refuses_renewals = directory.clouds.vault.refuses_renewals;
    let token = directory.clouds.vault.tokens.iter_mut().find(|token| token.text == text);
    let token = token.filter(|token| !token.revoked && now < token.expires);
    let token = token.ok_or_else(|| (403, "permission denied".to_owned()))?;
    match path {
        // The operator's own: every token may do it here.
        "sys/seal" => {
            directory.clouds.vault.sealed = true;
            Ok(None)
        }
        "auth/token/renew-self" if refuses_renewals => Err((403, "permission denied".to_owned())),
        "auth/token/renew-self" => {
            token.expires = (now + token.seconds).min(token.max_expires);
            token.renewals += 1;
            Ok(Some(auth(token, now)))
        }
        "auth/token/revoke-self" => {
            token.revoked = true;
            Ok(None)
        }
        _ => Err((404, format!("no handler for route \"{path}\". route entry not found."))),
    }
}

fn auth(token: &VaultToken, now: i64) -> Value {
    json!({
        "client_token": token.text, "accessor": "a", "policies": ["default", "deploy"],
        "token_policies": ["default", "deploy"], "metadata": {"role": "deploy"},
        "lease_duration": token.expires - now, "renewable": true, "entity_id": "e",
        "token_type": "service", "orphan": true, "num_uses": 0,
    })
}

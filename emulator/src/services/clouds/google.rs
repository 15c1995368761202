//! Google Cloud's security token service, and service accounts that are impersonated.
//!
//! Source: Google Cloud's documentation, "Security Token Service API" and "Troubleshoot Workload Identity Federation"; the texts
//! of refusals as users quote them in the issues of google-github-actions/auth.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Flaw, genuine};
use crate::services::answer::json_answer;
use crate::services::request;
use crate::world::World;
use crate::world::issued::IssuedKind;
use crate::world::keys::random_text;

const MAX_SUBJECT_BYTES: usize = 127;

pub(super) async fn token(State(world): State<Arc<World>>, request: Request) -> Response {
    let (_, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 * 1024).await.unwrap_or_default();
    match exchange(&world, &request::decode_pairs(&body)) {
        Ok(granted) => json_answer(200, &granted),
        Err((status, error, text)) => {
            json_answer(status, &json!({"error": error, "error_description": text}))
        }
    }
}

fn exchange(world: &World, form: &[(String, String)]) -> Result<Value, (u16, &'static str, String)> {
    let value = |name: &str| request::value(form, name).unwrap_or_default();
    let wanted = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
    ];
    if let Some((name, _)) = wanted.iter().find(|(name, expected)| value(name) != *expected) {
        return Err((400, "invalid_request", format!("Invalid value for {name}.")));
    }
    if value("scope").is_empty() {
        return Err((400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.".to_owned()));
    }
    let mut directory = world.directory();
    let life = directory.clouds.life(3599);
    let pools = &mut directory.clouds.google;
    let provider = pools.providers.iter().find(|one| one.name == value("audience") && !one.disabled);
    let Some(provider) = provider else {
        return Err((
            400,
            "invalid_target",
            "The target service indicated by the \"audience\" parameters is invalid. This might either be because the pool or \
             provider is disabled or deleted or because it doesn't exist."
                .to_owned(),
        ));
    };
    let grant = |text: String| (400, "invalid_grant", text);
    let presented = genuine(world, value("subject_token")).map_err(|flaw| {
        grant(match flaw {
            Flaw::Malformed => "Unable to parse the ID Token.".to_owned(),
            Flaw::Signature => "Error connecting to the given credential's issuer.".to_owned(),
            Flaw::Ended => "ID Token issued at 1 is stale to sign-in.".to_owned(),
            Flaw::TooEarly => "ID Token issued at 1 is in the future.".to_owned(),
        })
    })?;
    if presented.issuer != provider.issuer {
        return Err(grant(format!(
            "The issuer in ID Token {} does not match the expected ones: {}.",
            presented.issuer, provider.issuer
        )));
    }
    let own_name = [provider.name.clone(), format!("https:{}", provider.name)];
    let allowed: &[String] = if provider.audiences.is_empty() { &own_name } else { &provider.audiences };
    if !allowed.contains(&presented.audience) {
        return Err(grant(format!(
            "The audience in ID Token [{}] does not match the expected audience.",
            presented.audience
        )));
    }
    if provider.condition.as_ref().is_some_and(|subject| *subject != presented.subject) {
        return Err((
            403,
            "unauthorized_client",
            "The given credential is rejected by the attribute condition.".to_owned(),
        ));
    }
    let subject = match presented.subject.split("/sc/").nth(1) {
        Some(part) if provider.maps_part => part.to_owned(),
        _ => presented.subject.clone(),
    };
    if subject.len() > MAX_SUBJECT_BYTES {
        return Err(grant(format!(
            "The size of mapped attribute google.subject exceeds the {MAX_SUBJECT_BYTES} bytes limit. Either modify your attribute \
             mapping or the incoming assertion to produce a mapped attribute that is less than {MAX_SUBJECT_BYTES} bytes."
        )));
    }
    let token = format!("ya29.d.{}", random_text(120));
    pools.federated.push((token.clone(), subject));
    drop(directory);
    world.record_issued(IssuedKind::CloudCredential, &token);
    Ok(json!({
        "access_token": token,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "Bearer",
        "expires_in": life,
    }))
}

pub(super) async fn impersonate(
    State(world): State<Arc<World>>,
    Path(account): Path<String>,
    request: Request,
) -> Response {
    let bearer = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default().to_owned();
    let refuse = |status: u16, name: &str, text: &str| {
        json_answer(status, &json!({"error": {"code": status, "status": name, "message": text}}))
    };
    let Some(account) = account.strip_suffix(":generateAccessToken") else {
        return refuse(404, "NOT_FOUND", "Method not found.");
    };
    let life = world.directory().clouds.life(3600);
    let may = {
        let directory = world.directory();
        let pools = &directory.clouds.google;
        let subject = pools.federated.iter().find(|(token, _)| *token == bearer).map(|(_, subject)| subject);
        let Some(subject) = subject else {
            return refuse(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.");
        };
        pools.accounts.iter().any(|(mail, member)| mail == account && member == subject)
    };
    if !may {
        return refuse(
            403,
            "PERMISSION_DENIED",
            "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
        );
    }
    let token = format!("ya29.c.{}", random_text(120));
    world.record_issued(IssuedKind::CloudCredential, &token);
    let end = OffsetDateTime::from_unix_timestamp(world.clock.epoch() + life).expect("a moment");
    json_answer(
        200,
        &json!({"accessToken": token, "expireTime": end.format(&Rfc3339).expect("a moment has a form")}),
    )
}

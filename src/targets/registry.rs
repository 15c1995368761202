//! Registries of container images: user name and password for one, made of the cloud's own credential.
//!
//! Source: Azure/acr, `docs/AAD-OAuth.md` ("POST /oauth2/exchange"); Google Cloud's documentation, "Configure authentication to
//! Artifact Registry for Docker" ("access token").

use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;
use url::Url;
use wif_broker::cache::CachedToken;
use wif_core::{
    foreign_text::service_message,
    secret::Secret,
    token::{claims::Unverified, lifetime::Lifetime},
};
use wif_io::{
    clock::Deadline,
    http::{Http, Request},
};

use super::{ask::Question, error::TargetError};
use crate::agent::docker_registries::{AZURE_USER, GOOGLE_USER};

const SERVICE: &str = "the registry";
/// For how long a refresh token is taken to live that does not say it. Three hours have been seen.
const USUAL_LIFE: Duration = Duration::hours(1);

/// Exchanges an access token of Entra for one of the registry.
pub(crate) async fn azure(
    http: &Http,
    deadline: Deadline,
    server: &str,
    tenant: &str,
    access_token: &Secret,
) -> Result<CachedToken, TargetError> {
    let url = Url::parse(&format!("https://{server}/oauth2/exchange"));
    let url = url.map_err(|_error| TargetError::Variable {
        variable: "registries",
        reason: "it names no host".to_owned(),
    })?; // checked before
    let form = [
        ("grant_type", "access_token"),
        ("service", server),
        ("tenant", tenant),
        ("access_token", access_token.expose()),
    ];
    let question = Question {
        service: SERVICE,
        presented: "access token",
        request: Request::new(Method::POST, url).form(&form),
        refusal: |answer| {
            let json: Value = answer.json().unwrap_or_default();
            let said = json.pointer("/errors/0/message").and_then(Value::as_str);
            (None, said.and_then(service_message))
        },
    };
    let from = http.clock().now();
    let answer = question.ask(http, deadline).await?;
    let json: Value = answer.json().unwrap_or_default();
    let token = json.get("refresh_token").and_then(Value::as_str).filter(|token| !token.is_empty());
    let token = Secret::new(token.ok_or_else(|| question.unusable(&answer))?.to_owned());
    let until = Unverified::read(&token).map_or(from + USUAL_LIFE, |claims| claims.expires);
    Ok(CachedToken::new(login(AZURE_USER, &token), Lifetime { from, until }))
}

/// Google's registries take an access token as it is.
pub(crate) fn google(granted: &CachedToken) -> CachedToken {
    CachedToken::new(login(GOOGLE_USER, &granted.token), granted.lifetime)
}

/// What a registry's client is given.
pub(super) fn login(user: &str, password: &Secret) -> Secret {
    Secret::new(json!({"Username": user, "Secret": password.expose()}).to_string())
}

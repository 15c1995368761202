//! Checks the access token of a request, in the same way for every service that trusts Entra.

use axum::http::HeaderMap;
use uuid::Uuid;

use crate::world::World;
use crate::world::identity::sts_issuer;
use crate::world::keys;

/// The owner of an access token.
pub(crate) struct Caller {
    pub(crate) tenant: Uuid,
    pub(crate) client: Uuid,
    pub(crate) object: Uuid,
}

/// Why an access token is not accepted. Each service words the refusal itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// The request has no token.
    Missing,
    /// Entra did not sign the token.
    Signature,
    /// The token has expired.
    Expired,
    /// The token is for another resource, which has this audience.
    Audience(String),
    /// The tenant, the client or the object id is missing.
    Claims,
    /// The issuer is not that of the token's tenant.
    Issuer,
}

/// The owner of the access token, if Entra's key signed it, it is valid now, and `is_meant` takes its audience.
pub(crate) fn caller(
    world: &World,
    headers: &HeaderMap,
    is_meant: impl Fn(&str) -> bool,
) -> Result<Caller, TokenError> {
    let token = token(headers).ok_or(TokenError::Missing)?;
    let claims = keys::entra().verify(token).ok_or(TokenError::Signature)?;
    let now = world.clock.epoch();
    if claims["exp"].as_i64().is_none_or(|end| end <= now) {
        return Err(TokenError::Expired);
    }
    let audience = claims["aud"].as_str().unwrap_or_default();
    if !is_meant(audience) {
        return Err(TokenError::Audience(audience.to_owned()));
    }
    let id = |name: &str| claims[name].as_str().and_then(|text| Uuid::try_parse(text).ok());
    let (Some(tenant), Some(client), Some(object)) = (id("tid"), id("appid"), id("oid")) else {
        return Err(TokenError::Claims);
    };
    if claims["iss"].as_str() != Some(&sts_issuer(tenant)) {
        return Err(TokenError::Issuer);
    }
    Ok(Caller { tenant, client, object })
}

/// The token of an `Authorization: Bearer …` header.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get("authorization")?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

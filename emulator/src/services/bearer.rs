//! Whose access token a request carries: what every resource that trusts Entra finds out alike.

use axum::http::HeaderMap;
use uuid::Uuid;

use crate::world::World;
use crate::world::identity::sts_issuer;
use crate::world::keys;

/// Who asks.
pub(crate) struct Caller {
    pub(crate) tenant: Uuid,
    pub(crate) client: Uuid,
    pub(crate) object: Uuid,
}

/// Why nobody knows who asks. Each resource has its own words for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// There is no token.
    Missing,
    /// Entra did not sign it.
    Signature,
    /// It is too late for it.
    Expired,
    /// It is for another resource: this one.
    Audience(String),
    /// It does not say who it is about.
    Claims,
    /// It is not of the tenant's issuer.
    Issuer,
}

/// The owner of the access token, if the token is ours, in time, and meant for the resource.
pub(crate) fn caller(
    world: &World,
    headers: &HeaderMap,
    is_meant: impl Fn(&str) -> bool,
) -> Result<Caller, Unfit> {
    let token = token(headers).ok_or(Unfit::Missing)?;
    let claims = keys::entra().verify(token).ok_or(Unfit::Signature)?;
    let now = world.clock.epoch();
    if claims["exp"].as_i64().is_none_or(|end| end <= now) {
        return Err(Unfit::Expired);
    }
    let audience = claims["aud"].as_str().unwrap_or_default();
    if !is_meant(audience) {
        return Err(Unfit::Audience(audience.to_owned()));
    }
    let id = |name: &str| claims[name].as_str().and_then(|text| Uuid::try_parse(text).ok());
    let (Some(tenant), Some(client), Some(object)) = (id("tid"), id("appid"), id("oid")) else {
        return Err(Unfit::Claims);
    };
    if claims["iss"].as_str() != Some(&sts_issuer(tenant)) {
        return Err(Unfit::Issuer);
    }
    Ok(Caller { tenant, client, object })
}

/// The token of an `Authorization: Bearer …` header.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get("authorization")?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

//! Finds the account of a request, and checks that the caller may use it.

use axum::http::request::Parts;

use crate::services::bearer::{self, TokenError};
use crate::services::blob::refusal::Refusal;
use crate::services::request::authority;
use crate::world::World;
use crate::world::storage::{Account, Storage};

/// The account that the request names, if the caller may read and write in it.
pub(super) fn authorize<'a>(
    world: &World,
    storage: &'a mut Storage,
    parts: &Parts,
) -> Result<&'a mut Account, Refusal> {
    let host = host(parts);
    let name = host.split('.').next().unwrap_or_default();
    let account =
        storage.accounts.iter_mut().find(|account| account.name == name).ok_or(Refusal::NoSuchAccount)?;
    let caller = bearer::caller(world, &parts.headers, is_storage).map_err(|error| match error {
        TokenError::Missing => Refusal::NoAuthenticationInformation,
        TokenError::Signature => Refusal::InvalidAuthenticationInfo("Signature validation failed."),
        TokenError::Expired => {
            Refusal::InvalidAuthenticationInfo("Lifetime validation failed. The token is expired.")
        }
        TokenError::Audience(_) => {
            Refusal::InvalidAuthenticationInfo("Audience validation failed. Audience did not match.")
        }
        TokenError::Claims | TokenError::Issuer => Refusal::InvalidAuthenticationInfo(WRONG_ISSUER),
    })?;
    // Versions are dates like 2017-11-09, so their order as text is their order in time.
    let version = parts.headers.get("x-ms-version").and_then(|value| value.to_str().ok());
    if version.is_none_or(|version| version < FIRST_WITH_BEARER) {
        return Err(Refusal::AuthenticationFailed);
    }
    if caller.tenant != account.tenant {
        return Err(Refusal::InvalidAuthenticationInfo(WRONG_ISSUER));
    }
    if !account.contributors.contains(&caller.client) {
        return Err(Refusal::AuthorizationPermissionMismatch);
    }
    Ok(account)
}

/// The host without a port.
pub(super) fn host(parts: &Parts) -> String {
    let host = authority(parts).to_lowercase();
    host.rsplit_once(':').map_or(host.clone(), |(name, _port)| name.to_owned())
}

fn is_storage(audience: &str) -> bool {
    audience.strip_suffix('/').unwrap_or(audience) == "https://storage.azure.com"
}

const WRONG_ISSUER: &str = "Issuer validation failed. Issuer did not match.";

/// The first version that takes access tokens of Entra ("Versioning for Azure Storage").
const FIRST_WITH_BEARER: &str = "2017-11-09";

//! What Entra checks of every request: its tenant, its client, a client secret, the validity of an assertion.

use uuid::Uuid;

use crate::services::entra::errors::Refusal;
use crate::world::World;
use crate::world::clock::{entra_time, entra_validity_time};
use crate::world::directory::Directory;
use crate::world::directory::entra::{App, Tenant};

/// The tenant in a request path: an id or a domain.
pub(super) fn find_tenant<'a>(directory: &'a Directory, sent: &str) -> Result<&'a Tenant, Refusal> {
    let id = Uuid::try_parse(sent).ok();
    let is_meant = |tenant: &&Tenant| Some(tenant.id) == id || tenant.domain.eq_ignore_ascii_case(sent);
    if id.is_none() && !sent.contains('.') && !["common", "organizations", "consumers"].contains(&sent) {
        return Err(Refusal::new(
            900_023,
            format!(
                "Specified tenant identifier '{sent}' is neither a valid DNS name, nor a valid external domain."
            ),
        ));
    }
    directory.tenants.iter().find(is_meant).ok_or_else(|| {
        Refusal::new(
            90_002,
            format!(
                "Tenant '{sent}' not found. Check to make sure you have the correct tenant ID and are signing into \
                 the correct cloud."
            ),
        )
    })
}

/// The application with this client id in a tenant.
pub(super) fn find_client<'a>(tenant: &'a Tenant, sent: &str) -> Result<&'a App, Refusal> {
    let id = Uuid::try_parse(sent).ok();
    let app = tenant.apps.iter().find(|app| Some(app.client_id) == id).ok_or_else(|| {
        Refusal::new(
            700_016,
            format!(
                "Application with identifier '{sent}' was not found in the directory '{}'. This can happen if the \
                 application has not been installed by the administrator of the tenant or consented to by any user \
                 in the tenant. You may have sent your authentication request to the wrong tenant.",
                tenant.domain
            ),
        )
    })?;
    if app.disabled {
        return Err(Refusal::new(7_000_112, format!("Application '{sent}' is disabled.")));
    }
    Ok(app)
}

/// Refuses a client secret that the application does not have, or that has expired.
pub(super) fn check_secret(world: &World, app: &App, sent: &str) -> Result<(), Refusal> {
    let known = app.secrets.iter().find(|secret| secret.value == sent).ok_or_else(|| {
        Refusal::new(
            7_000_215,
            format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
                 value, not the client secret ID, for a secret added to app '{}'.",
                app.client_id
            ),
        )
    })?;
    if known.expires.is_some_and(|end| world.clock.now() >= end) {
        return Err(Refusal::new(
            7_000_222,
            format!("The provided client secret keys for app '{}' are expired.", app.client_id),
        ));
    }
    Ok(())
}

/// Refuses an assertion that is not valid now.
pub(super) fn check_validity(world: &World, not_before: i64, expires: i64) -> Result<(), Refusal> {
    let now = world.clock.epoch();
    if not_before > now + CLOCK_LEEWAY_SECONDS || expires <= now {
        return Err(Refusal::new(
            700_024,
            format!(
                "Client assertion is not within its valid time range. Current time: {}, assertion valid from {}, \
                 expiry time of assertion {}. Review the documentation at \
                 https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
                entra_time(world.clock.now()),
                entra_validity_time(not_before),
                entra_validity_time(expires),
            ),
        ));
    }
    Ok(())
}

/// How far ahead the issuer's clock may be; an expired assertion gets no leeway.
const CLOCK_LEEWAY_SECONDS: i64 = 300;

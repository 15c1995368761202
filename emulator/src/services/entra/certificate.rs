//! An assertion that the application signs with the key of a registered certificate.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use uuid::Uuid;

use crate::services::entra::checks;
use crate::services::entra::errors::Refusal;
use crate::world::World;
use crate::world::clock::entra_validity_time;
use crate::world::directory::entra::{App, Certificate, Tenant};
use crate::world::issued::IssuedKind;
use crate::world::keys;

/// Authorities whose token endpoints are accepted as an audience, beside this emulator's own address.
const AUTHORITIES: [&str; 3] = [
    "https://login.microsoftonline.com",
    "https://login.microsoftonline.us",
    "https://login.chinacloudapi.cn",
];

/// Whether the issuer of an assertion is the application itself.
pub(super) fn is_by_client(app: &App, sent: &str) -> bool {
    let issuer =
        keys::unverified_claims(sent).and_then(|claims| Uuid::try_parse(claims["iss"].as_str()?).ok());
    issuer == Some(app.client_id)
}

/// Refuses an assertion that is not by a registered certificate, not for this token endpoint, or not valid now.
pub(super) fn check(world: &World, tenant: &Tenant, app: &App, sent: &str) -> Result<(), Refusal> {
    world.record_issued(IssuedKind::ClientAssertion, sent);
    let header = jwt_header(sent).unwrap_or_default();
    let certificate = app.certificates.iter().find(|one| is_named(one, &header)).ok_or_else(|| {
        Refusal::new(
            700_027,
            format!(
                "The certificate with identifier used to sign the client assertion is not registered on application. \
                 [Reason - The key was not found., Please visit the Azure Portal, Graph Explorer or directly use MS \
                 Graph to see configured keys for app Id '{}'.]",
                app.client_id
            ),
        )
    })?;
    let now = world.clock.now();
    if now < certificate.not_before || now >= certificate.not_after {
        return Err(Refusal::new(
            700_027,
            format!(
                "Client assertion failed signature validation. [Reason - The key used is expired., Found key \
                 'Start={}, End={}'.]",
                entra_validity_time(certificate.not_before.unix_timestamp()),
                entra_validity_time(certificate.not_after.unix_timestamp()),
            ),
        ));
    }
    let claims = keys::verify_with(&certificate.modulus, &certificate.exponent, sent).ok_or_else(|| {
        Refusal::new(
            700_027,
            "Client assertion failed signature validation. [Reason - The signature is wrong.]",
        )
    })?;
    let text = |name: &str| claims[name].as_str().unwrap_or_default();
    if Uuid::try_parse(text("sub")).ok() != Some(app.client_id) {
        return Err(Refusal::new(
            700_021,
            "Client assertion application identifier doesn't match 'client_id' parameter.",
        ));
    }
    if !is_token_endpoint(world, tenant, text("aud")) {
        return Err(Refusal::of_code(700_023));
    }
    let Some(expires) = claims["exp"].as_i64() else {
        return Err(Refusal::new(50_027, "JWT token is invalid or malformed. The claim 'exp' is missing."));
    };
    checks::check_validity(world, claims["nbf"].as_i64().unwrap_or(expires), expires)
}

fn jwt_header(token: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?).ok()
}

/// Whether a header names the certificate, by either thumbprint.
fn is_named(certificate: &Certificate, header: &Value) -> bool {
    header["x5t#S256"] == certificate.sha256.as_str() || header["x5t"] == certificate.sha1.as_str()
}

fn is_token_endpoint(world: &World, tenant: &Tenant, audience: &str) -> bool {
    AUTHORITIES.into_iter().chain([&*world.urls.entra]).any(|authority| {
        let names = [tenant.id.to_string(), tenant.domain.clone()];
        names.iter().any(|name| audience == format!("{authority}/{name}/oauth2/v2.0/token"))
    })
}

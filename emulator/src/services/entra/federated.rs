//! An assertion of another issuer, and whether the application trusts it by a federated credential.

use serde_json::Value;
use uuid::Uuid;

use crate::services::entra::checks;
use crate::services::entra::errors::Refusal;
use crate::world::World;
use crate::world::directory::entra::{App, FederatedCredential, Tenant};
use crate::world::directory::sources::SourceIssuer;
use crate::world::identity::{EXCHANGE_AUDIENCE, EXCHANGE_AUDIENCE_ID, entra_issuer};
use crate::world::keys::{self, Key};

/// Refuses an assertion that is not genuine, not valid now, or not trusted by the application.
pub(super) fn check(world: &World, tenant: &Tenant, app: &App, sent: &str) -> Result<(), Refusal> {
    let claims = keys::unverified_claims(sent).ok_or_else(|| {
        Refusal::new(
            50_027,
            "JWT token is invalid or malformed. It must have three base64url parts with JSON.",
        )
    })?;
    let presented = Presented::new(&claims)?;
    let key = presented.key(world, tenant);
    if let Some(key) = key
        && key.verify(sent).is_none()
    {
        return Err(Refusal::new(
            50_013,
            "Assertion failed signature validation. [Reason - The key was not found or the signature is wrong.]",
        ));
    }
    presented.check_time(world)?;
    if app.federated_credentials.is_empty() {
        return Err(Refusal::new(
            70_025,
            format!("The client '{}' has no configured federated identity credentials.", app.client_id),
        ));
    }
    if app.multi_tenant && presented.is_by_entra() {
        return Err(Refusal::of_code(70_052));
    }
    let is_late =
        |name: &str| app.record.fresh.iter().any(|fresh| fresh.name == name && fresh.exchanges.take());
    let known = app.federated_credentials.iter().filter(|one| one.issuer == presented.issuer);
    let late: Vec<_> = known.filter(|one| is_late(&one.name)).map(|one| one.name.clone()).collect();
    let everywhere = app.federated_credentials.iter().filter(|one| !late.contains(&one.name));
    presented.check_trust(&everywhere.cloned().collect::<Vec<_>>())?;
    if key.is_none() {
        let issuer = presented.issuer;
        return Err(Refusal::new(
            501_661,
            format!("Unable to fetch the OpenID Connect metadata of the assertion's issuer '{issuer}'."),
        ));
    }
    Ok(())
}

/// The claims of an assertion that are compared.
struct Presented<'a> {
    issuer: &'a str,
    subject: &'a str,
    audience: &'a str,
    not_before: i64,
    expires: i64,
}

impl<'a> Presented<'a> {
    fn new(claims: &'a Value) -> Result<Self, Refusal> {
        let text = |name: &str| {
            claims[name].as_str().ok_or_else(|| {
                Refusal::new(
                    50_027,
                    format!("JWT token is invalid or malformed. The claim '{name}' is missing."),
                )
            })
        };
        let expires = claims["exp"].as_i64().ok_or_else(|| {
            Refusal::new(50_027, "JWT token is invalid or malformed. The claim 'exp' is missing.")
        })?;
        Ok(Self {
            issuer: text("iss")?,
            subject: text("sub")?,
            audience: text("aud")?,
            not_before: claims["nbf"].as_i64().or_else(|| claims["iat"].as_i64()).unwrap_or(expires),
            expires,
        })
    }

    /// The key that the issuer publishes; none for an issuer outside of this emulator.
    fn key(&self, world: &World, tenant: &Tenant) -> Option<&'static Key> {
        if self.is_by_devops() {
            Some(keys::devops())
        } else if self.issuer == entra_issuer(tenant.id)
            || world.directory().tenants.iter().any(|one| entra_issuer(one.id) == self.issuer)
        {
            Some(keys::entra())
        } else if SourceIssuer::ALL.iter().any(|source| source.issuer() == self.issuer) {
            Some(keys::sources())
        } else {
            None
        }
    }

    fn is_by_devops(&self) -> bool {
        self.issuer
            .strip_prefix("https://vstoken.dev.azure.com/")
            .is_some_and(|organization| Uuid::try_parse(organization).is_ok())
    }

    fn is_by_entra(&self) -> bool {
        self.issuer.starts_with("https://login.microsoftonline.com/") && self.issuer.ends_with("/v2.0")
    }

    fn check_time(&self, world: &World) -> Result<(), Refusal> {
        if self.expires - self.not_before > MAX_LIFETIME_SECONDS {
            return Err(Refusal::new(
                70_023,
                "The provided federated assertion has an invalid lifetime. It must be less than or equal to \
                 1.01:00:00.",
            ));
        }
        checks::check_validity(world, self.not_before, self.expires)
    }

    /// Refuses by the first of issuer, subject and audience that no credential matches.
    fn check_trust(&self, credentials: &[FederatedCredential]) -> Result<(), Refusal> {
        let unmatched = |code: u32, what: &str, value: &str| {
            Refusal::new(
                code,
                format!(
                    "No matching federated identity record found for presented assertion {what} '{value}'. Check \
                     your federated identity credential Subject, Audience and Issuer against the presented \
                     assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
                ),
            )
        };
        let by_issuer: Vec<_> = credentials.iter().filter(|one| one.issuer == self.issuer).collect();
        if by_issuer.is_empty() {
            return Err(unmatched(700_211, "issuer", self.issuer));
        }
        let by_subject: Vec<_> = by_issuer.iter().filter(|one| one.subject == self.subject).collect();
        if by_subject.is_empty() {
            let but_for_case = by_issuer.iter().any(|one| one.subject.eq_ignore_ascii_case(self.subject));
            let code = if but_for_case { 7_002_138 } else { 700_213 };
            return Err(unmatched(code, "subject", self.subject));
        }
        if by_subject.iter().any(|one| one.audience == self.audience_as_registered()) {
            return Ok(());
        }
        if by_subject.iter().any(|one| Uuid::try_parse(&one.audience).is_ok()) {
            return Err(Refusal::new(
                700_214,
                format!("The audience of the federated identity credential must be '{EXCHANGE_AUDIENCE}'."),
            ));
        }
        Err(unmatched(700_212, "audience", self.audience))
    }

    /// The audience as credentials spell it: an assertion of Entra has an id where a credential has a URI.
    fn audience_as_registered(&self) -> &str {
        let is_id = Uuid::try_parse(self.audience).is_ok_and(|id| id == EXCHANGE_AUDIENCE_ID);
        if is_id && self.is_by_entra() { EXCHANGE_AUDIENCE } else { self.audience }
    }
}

/// The longest lifetime of an assertion that Entra accepts: 25 hours.
const MAX_LIFETIME_SECONDS: i64 = 25 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    fn code(presented: &Presented<'_>, credential: FederatedCredential) -> Option<u16> {
        presented.check_trust(&[credential]).err().map(|refusal| refusal.status())
    }

    fn by_entra(audience: &str) -> Presented<'_> {
        Presented {
            issuer: "https://login.microsoftonline.com/t/v2.0",
            subject: "s",
            audience,
            not_before: 0,
            expires: 1,
        }
    }

    fn credential(audience: &str) -> FederatedCredential {
        FederatedCredential {
            name: "one".to_owned(),
            issuer: "https://login.microsoftonline.com/t/v2.0".to_owned(),
            subject: "s".to_owned(),
            audience: audience.to_owned(),
        }
    }

    #[test]
    fn the_id_matches_the_uri_and_nothing_else() {
        let id = EXCHANGE_AUDIENCE_ID.to_string();
        assert_eq!(code(&by_entra(&id), credential(EXCHANGE_AUDIENCE)), None);
        assert_eq!(code(&by_entra(&id), credential(&id)), Some(401));
        assert_eq!(code(&by_entra("api://other"), credential(EXCHANGE_AUDIENCE)), Some(401));
    }
}

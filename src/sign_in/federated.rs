//! Signing in with an id token: the one that came along, or a fresh one of the source.

use uuid::Uuid;
use wif_azure::{
    entra::token::Proof,
    identity::{AzureIdentity, Credential},
};
use wif_core::{
    azure::resource::Resource,
    token::claims::{Unverified, Validity},
    trust::{presented::Presented, subject::Issuer},
};
use wif_io::clock::Deadline;

use super::{IdToken, OnIdToken, SignIn, SignInError, SignedIn};

/// An id token with less life than this may end before Entra reads it.
const MIN_LIFETIME: time::Duration = time::Duration::seconds(30);

impl SignIn<'_> {
    pub(super) async fn with_id_token(
        &self,
        client: Uuid,
        resources: &[Resource],
        deadline: Deadline,
        on_id_token: &mut OnIdToken<'_>,
    ) -> Result<SignedIn, SignInError> {
        let identity = self.entra_identity(client);
        let brought = self.at_hand();
        let warm = tokio::spawn(self.warm(&identity, resources.len(), brought.is_some()));
        let mut id_token = match brought {
            Some(brought) => {
                on_id_token(&brought.token)?;
                brought
            }
            None => self.request_id_token(deadline, on_id_token).await?,
        };
        // A failure to connect shows in the exchange itself.
        let _ = warm.await;
        self.check_clock()?;
        let mut renewed = false;
        loop {
            match self.access_tokens(&identity, Proof::IdToken(&id_token.token), resources, deadline).await {
                Ok(access_tokens) => {
                    return Ok(SignedIn { id_token: Some(id_token), client: Some(client), access_tokens });
                }
                Err((error, ..)) if error.wants_fresh_assertion() && !renewed => {
                    self.check_clock()?;
                    renewed = true;
                    id_token = self.request_id_token(deadline, on_id_token).await?;
                }
                Err(failed) => {
                    let registered = self.identity.credential.registered();
                    let claims = Box::new(id_token.claims);
                    return Err(self.exchange_error(failed, Presented::IdToken { claims, registered }));
                }
            }
        }
    }

    /// The id token that came along, where it can still be used.
    fn at_hand(&self) -> Option<IdToken> {
        let token = self.source.at_hand()?.clone();
        let now = self.http.clock().now();
        let claims = Unverified::read(&token).ok().filter(|claims| {
            claims.validity(now) == Validity::Now
                && claims.expires > now + MIN_LIFETIME
                && self.check_tenant(claims).is_ok()
        });
        if claims.is_none() {
            tracing::debug!("the id token that came along cannot be used; asking for another");
        }
        Some(IdToken { token, claims: claims? })
    }

    /// A fresh id token that can be used.
    pub(crate) async fn request_id_token(
        &self,
        deadline: Deadline,
        on_id_token: &mut OnIdToken<'_>,
    ) -> Result<IdToken, SignInError> {
        let audience = self.identity.audiences.cloud.token_exchange_audience();
        let token = self.source.fetch(&self.http, deadline, audience).await.map_err(|failure| {
            // A refusal of the job token is no fault of this clock, but the user must know of both.
            SignInError::Source(Box::new(failure.with_details(self.clock_warning())))
        })?;
        // Text that is not a token is never printed. It is not masked: it could be any word.
        let signer = self.source.signer();
        let malformed = |source| SignInError::Malformed { signer, properties: token.properties(), source };
        let claims = Unverified::read(&token).map_err(malformed)?;
        on_id_token(&token)?;
        self.check_clock()?;
        match claims.validity(self.http.clock().now()) {
            Validity::Now => {}
            Validity::Ended(ago) => return Err(SignInError::Expired { signer, ago }),
            Validity::NotYet(ahead) => return Err(SignInError::NotYet { signer, ahead }),
        }
        self.check_tenant(&claims)?;
        Ok(IdToken { token, claims })
    }

    /// A token of Entra is for the connection's tenant, unless the connection is registered with that very issuer.
    fn check_tenant(&self, claims: &Unverified) -> Result<(), SignInError> {
        let AzureIdentity { tenant, credential, .. } = self.identity;
        let registered = matches!(credential, Credential::Federated { issuer: Some(issuer), .. } if issuer == claims.issuer.raw());
        match Issuer::parse(claims.issuer.raw()).tenant() {
            Some(issued) if issued != *tenant && !registered => {
                Err(SignInError::OtherTenant { issued, tenant: *tenant })
            }
            _ => Ok(()),
        }
    }
}

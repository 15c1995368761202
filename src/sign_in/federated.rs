//! Signing in with an id token of the job: the one that the agent brought along, or one of Azure DevOps.

use uuid::Uuid;
use wif_azure::{devops::oidc, entra::token::Proof};
use wif_core::{
    azure::resource::Resource,
    secret::Secret,
    token::claims::{Unverified, Validity},
    trust::{presented::Presented, subject::Issuer},
};
use wif_io::clock::Deadline;

use super::{IdToken, Seen, SignIn, SignInError, SignedIn};
use crate::agent::{
    connection::{Connection, Credential},
    job::Job,
};

/// An id token with less life than this may end before Entra reads it.
const MARGIN: time::Duration = time::Duration::seconds(30);

impl SignIn<'_> {
    pub(super) async fn federated(
        &self,
        client: Uuid,
        id_token: Option<&Secret>,
        resources: &[Resource],
        deadline: Deadline,
        seen: &mut Seen<'_>,
    ) -> Result<SignedIn, SignInError> {
        let identity = self.identity(client);
        let brought = self.brought_along(id_token);
        let warm = tokio::spawn(self.warm(&identity, resources.len(), brought.is_some()));
        let mut id_token = match brought {
            Some(brought) => {
                seen(&brought.token)?;
                brought
            }
            None => self.requested(deadline, seen).await?,
        };
        // A failure to connect shows in the exchange itself.
        let _ = warm.await;
        self.check_clock()?;
        let mut renewed = false;
        loop {
            match self.exchanged(&identity, Proof::IdToken(&id_token.token), resources, deadline).await {
                Ok(access_tokens) => {
                    return Ok(SignedIn { id_token: Some(id_token), client: Some(client), access_tokens });
                }
                Err((error, ..)) if error.wants_fresh_assertion() && !renewed => {
                    self.check_clock()?;
                    renewed = true;
                    id_token = self.requested(deadline, seen).await?;
                }
                Err(failed) => {
                    let registered = self.connection.credential.registered();
                    let claims = Box::new(id_token.claims);
                    return Err(self.refused(failed, Presented::IdToken { claims, registered }));
                }
            }
        }
    }

    /// The id token that the agent brought along, where it can still be used.
    fn brought_along(&self, token: Option<&Secret>) -> Option<IdToken> {
        let token = token?.clone();
        let now = self.http.clock().now();
        let claims = Unverified::read(&token).ok().filter(|claims| {
            claims.validity(now) == Validity::Now
                && claims.expires > now + MARGIN
                && self.check_tenant(claims).is_ok()
        });
        if claims.is_none() {
            tracing::debug!("the connection's own id token cannot be used; asking for another");
        }
        Some(IdToken { token, claims: claims? })
    }

    /// An id token of Azure DevOps that can be used.
    pub(crate) async fn requested(
        &self,
        deadline: Deadline,
        seen: &mut Seen<'_>,
    ) -> Result<IdToken, SignInError> {
        let job = Job::read(self.env, self.allowed_hosts)?;
        let url = job.id_token_url(self.connection.id);
        let token = oidc::id_token(&self.http, deadline, &url, &job.token).await.map_err(|mut refusal| {
            // A refusal of the job token is no fault of this clock, but who repairs one must know of the other.
            refusal.ids.extend(self.clock_warning());
            refusal
        })?;
        // What is no token is neither masked, since it could be any word, nor ever printed.
        let malformed = |source| SignInError::Malformed { properties: token.properties(), source };
        let claims = Unverified::read(&token).map_err(malformed)?;
        seen(&token)?;
        self.check_clock()?;
        match claims.validity(self.http.clock().now()) {
            Validity::Now => {}
            Validity::Ended(ago) => return Err(SignInError::Expired { ago }),
            Validity::NotYet(ahead) => return Err(SignInError::NotYet { ahead }),
        }
        self.check_tenant(&claims)?;
        Ok(IdToken { token, claims })
    }

    /// A token of Entra is for the connection's tenant, unless the connection is registered with that very issuer.
    fn check_tenant(&self, claims: &Unverified) -> Result<(), SignInError> {
        let Connection { tenant, credential, .. } = self.connection;
        let registered = matches!(credential, Credential::Federated { issuer: Some(issuer), .. } if issuer == claims.issuer.raw());
        match Issuer::parse(claims.issuer.raw()).tenant() {
            Some(issued) if issued != *tenant && !registered => {
                Err(SignInError::Foreign { issued, tenant: *tenant })
            }
            _ => Ok(()),
        }
    }
}

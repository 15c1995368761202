//! Signing in: what the connection proves itself with, then an access token for each resource.

mod failure;
mod federated;
pub(crate) mod subscriptions;

use std::{future::Future, io, sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use uuid::Uuid;
use wif_azure::{
    entra::{
        certificate::{Certificate, CertificateError},
        token::{AccessToken, Identity, Proof, TokenError},
    },
    identity::{AzureIdentity, Credential},
    managed_identity::{ManagedIdentity, ManagedIdentityError},
};
use wif_core::{
    azure::resource::Resource,
    failure::Failure,
    human_time::{format_duration, format_skew},
    secret::Secret,
    token::claims::{ClaimsError, Unverified},
    trust::presented::Presented,
};
use wif_io::{
    clock::Deadline,
    env::Env,
    http::{Http, SetupError},
    random,
};

use self::subscriptions::Listing;
use crate::sources::IdTokenSource;

/// How long a sign-in may take in all.
pub(crate) const SIGN_IN_TIMEOUT: Duration = Duration::from_secs(60);
/// Entra and Azure tolerate clocks that differ by this much.
pub(crate) const MAX_SKEW: time::Duration = time::Duration::minutes(5);
/// Gets every id token before it is used. One type for all callers keeps one copy of the sign-in in the program.
pub(crate) type OnIdToken<'a> = dyn FnMut(&Secret) -> io::Result<()> + Send + 'a;
/// An id token and what it says of itself.
#[derive(Clone, Debug)]
pub(crate) struct IdToken {
    pub(crate) token: Secret,
    pub(crate) claims: Unverified,
}

/// A sign-in that worked.
#[derive(Debug)]
pub(crate) struct SignedIn {
    /// Of a federated connection only.
    pub(crate) id_token: Option<IdToken>,
    /// The application or managed identity, where it is known by now.
    pub(crate) client: Option<Uuid>,
    /// One for each resource, in their order. Without resources there may be one that proved the sign-in.
    pub(crate) access_tokens: Vec<AccessToken>,
}

/// A sign-in that did not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignInError {
    #[error("{0}")]
    Source(Box<Failure>),
    #[error("what {signer} sent is not a JWT ({properties})")]
    Malformed { signer: &'static str, properties: String, source: ClaimsError },
    #[error("the id token from {signer} ended {} ago", format_duration(*.ago))]
    Expired { signer: &'static str, ago: time::Duration },
    #[error("the id token from {signer} is not valid for another {}", format_duration(*.ahead))]
    NotYet { signer: &'static str, ahead: time::Duration },
    #[error("the id token was issued in the tenant {issued}, but the connection's tenant is {tenant}")]
    OtherTenant { issued: Uuid, tenant: Uuid },
    #[error("this machine's clock is {} {} that of the services", format_skew(*skew), if skew.is_negative() { "ahead of" } else { "behind" })]
    Clock { skew: time::Duration },
    #[error(transparent)]
    Output(#[from] io::Error),
    #[error("the connection's certificate (parameter servicePrincipalCertificate) cannot be used")]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("{source}")]
    ManagedIdentity { source: ManagedIdentityError, resource: Option<Resource> },
    #[error("{source}")]
    Entra { source: TokenError, resource: Resource, request_id: Uuid, presented: Box<Presented> },
}

/// Why one exchange failed: the error, for which resource, under which id.
pub(crate) type FailedExchange = (TokenError, Resource, Uuid);

/// A sign-in: the identity, and the ways to its tokens.
pub(crate) struct SignIn<'a> {
    pub(crate) http: Arc<Http>,
    pub(crate) env: &'a Env,
    pub(crate) identity: &'a AzureIdentity,
    /// Where id tokens come from.
    pub(crate) source: &'a dyn IdTokenSource,
    /// What begins as soon as the resource manager's access token is there.
    pub(crate) listing: Option<&'a Listing>,
}

impl SignIn<'_> {
    /// Signs in for each of `resources`, in parallel over one connection. `on_id_token` gets every id token before it is
    /// used.
    pub(crate) async fn run(
        &self,
        resources: &[Resource],
        on_id_token: &mut OnIdToken<'_>,
    ) -> Result<SignedIn, SignInError> {
        let deadline = Deadline::after(self.http.clock(), SIGN_IN_TIMEOUT);
        self.http.forget_skew();
        // Without an id token, only an access token proves anything.
        let proof = [self.identity.audiences.resource_manager()];
        let asked = if resources.is_empty() { &proof } else { resources };
        match &self.identity.credential {
            Credential::Federated { client, .. } => {
                self.with_id_token(*client, resources, deadline, on_id_token).await
            }
            Credential::ClientSecret { client, secret } => {
                let presented = Presented::ClientSecret { properties: secret.properties() };
                self.with_stored_credential(*client, Proof::ClientSecret(secret), presented, asked, deadline)
                    .await
            }
            Credential::Certificate { client, pem } => {
                let certificate = Certificate::read(pem)?;
                let presented = Presented::Certificate { thumbprint: certificate.thumbprint().to_owned() };
                self.with_stored_credential(
                    *client,
                    Proof::Certificate(&certificate),
                    presented,
                    asked,
                    deadline,
                )
                .await
            }
            Credential::ManagedIdentity { client } => {
                self.with_managed_identity(*client, asked, deadline).await
            }
        }
    }

    /// Signs in with the credential that the connection stores.
    async fn with_stored_credential(
        &self,
        client: Uuid,
        proof: Proof<'_>,
        presented: Presented,
        resources: &[Resource],
        deadline: Deadline,
    ) -> Result<SignedIn, SignInError> {
        let identity = self.entra_identity(client);
        self.warm(&identity, resources.len(), true).await;
        self.check_clock()?;
        let result = self.access_tokens(&identity, proof, resources, deadline).await;
        let access_tokens = result.map_err(|failed| self.exchange_error(failed, presented))?;
        Ok(SignedIn { id_token: None, client: Some(client), access_tokens })
    }

    /// Signs in as the identity of the machine: neither Azure DevOps nor Entra is asked.
    async fn with_managed_identity(
        &self,
        client: Option<Uuid>,
        resources: &[Resource],
        deadline: Deadline,
    ) -> Result<SignedIn, SignInError> {
        let failed = |source, resource| SignInError::ManagedIdentity { source, resource };
        let machine = ManagedIdentity::find(self.env).map_err(|error| failed(error, None))?;
        let http = Http::plain(machine.endpoint().clone(), self.http.shared_clock())?;
        let (http, machine) = (&http, &machine);
        let exchange = |resource| async move {
            let result = machine.access_token(http, deadline, client, resource).await;
            self.offer(resource, result.as_ref().ok().map(|(access, _)| access));
            result.map_err(|error| failed(error, Some(resource.clone())))
        };
        let wanted = try_join_all(resources.iter().map(exchange));
        let additional = |resource: Resource, deadline| async move {
            machine.access_token(http, deadline, client, &resource).await.ok().map(|(access, _)| access)
        };
        let granted = Listing::run_beside(self.listing, resources, wanted, additional).await?;
        let (access_tokens, clients): (_, Vec<_>) = granted.into_iter().unzip();
        Ok(SignedIn {
            id_token: None,
            client: client.or(clients.into_iter().flatten().next()),
            access_tokens,
        })
    }

    pub(super) async fn access_tokens(
        &self,
        identity: &Identity,
        proof: Proof<'_>,
        resources: &[Resource],
        deadline: Deadline,
    ) -> Result<Vec<AccessToken>, FailedExchange> {
        let exchange = |resource: &Resource| {
            let (resource, request_id) = (resource.clone(), random::id());
            async move {
                let result = identity.access_token(&self.http, deadline, proof, &resource, request_id).await;
                self.offer(&resource, result.as_ref().ok());
                result.map_err(|error| (error, resource, request_id))
            }
        };
        let wanted = try_join_all(resources.iter().map(exchange));
        let additional = |resource: Resource, deadline| async move {
            let id = random::id();
            identity.access_token(&self.http, deadline, proof, &resource, id).await.ok()
        };
        Listing::run_beside(self.listing, resources, wanted, additional).await
    }

    /// Lets the list of subscriptions begin, where it waits for this token.
    fn offer(&self, resource: &Resource, access: Option<&AccessToken>) {
        if let (Some(listing), Some(access)) = (self.listing, access) {
            listing.offer(resource, access);
        }
    }

    /// Why the exchange failed: a wrong clock before anything that it may have caused.
    pub(crate) fn exchange_error(
        &self,
        (source, resource, request_id): FailedExchange,
        presented: Presented,
    ) -> SignInError {
        match self.check_clock() {
            Err(clock) => clock,
            Ok(()) => SignInError::Entra { source, resource, request_id, presented: Box::new(presented) },
        }
    }

    pub(crate) fn entra_identity(&self, client: Uuid) -> Identity {
        let AzureIdentity { authority, tenant, .. } = self.identity;
        Identity { authority: authority.clone(), tenant: *tenant, client }
    }

    /// Connects to Entra while the id token is on its way, so that all exchanges find one connection ready. With
    /// the id token at hand, and one exchange, there is nothing to gain.
    pub(super) fn warm(
        &self,
        identity: &Identity,
        resources: usize,
        at_hand: bool,
    ) -> impl Future<Output = ()> + Send + 'static {
        let useful = if at_hand { resources > 1 } else { resources > 0 };
        let (http, url) = (Arc::clone(&self.http), identity.discovery_url());
        async move {
            if useful {
                http.warm(url).await;
            }
        }
    }

    /// Whether this machine's clock is so wrong that tokens are judged wrongly.
    pub(super) fn check_clock(&self) -> Result<(), SignInError> {
        self.http
            .skew()
            .filter(|skew| skew.abs() >= MAX_SKEW)
            .map_or(Ok(()), |skew| Err(SignInError::Clock { skew }))
    }

    /// What to tell the user of this machine's clock after a sign-in that worked all the same.
    pub(crate) fn clock_warning(&self) -> Option<String> {
        self.check_clock().err().map(|error| format!("{error}; tools judge tokens by it"))
    }
}

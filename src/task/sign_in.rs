//! Signing in: an id token from Azure DevOps, then an access token for each resource from Entra.

use std::{future::Future, io, sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    agent::{
        connection::Connection,
        job::{Job, JobError},
    },
    clock::Deadline,
    devops::oidc,
    entra::token::{AccessToken, Identity, TokenError},
    env::Env,
    http::Http,
    identity::{
        claims::{ClaimsError, Unverified, Validity},
        resource::Resource,
        subject::Issuer,
    },
    secret::Secret,
};

/// How long a sign-in may take in all.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// Entra and Azure tolerate clocks that differ by this much.
const SKEW: time::Duration = time::Duration::minutes(5);
/// An id token with less life than this may end before Entra reads it.
const MARGIN: time::Duration = time::Duration::seconds(30);

/// An id token and what it says of itself.
#[derive(Clone, Debug)]
pub(crate) struct IdToken {
    pub(crate) token: Secret,
    pub(crate) claims: Unverified,
}

/// A sign-in that worked.
#[derive(Debug)]
pub(crate) struct SignedIn {
    pub(crate) id_token: IdToken,
    /// One for each resource, in their order.
    pub(crate) access_tokens: Vec<AccessToken>,
}

/// A sign-in that did not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignInError {
    #[error(transparent)]
    Job(#[from] JobError),
    #[error(transparent)]
    Oidc(#[from] oidc::Refusal),
    #[error("what Azure DevOps sent as id token is none ({properties})")]
    Malformed { properties: String, source: ClaimsError },
    #[error("the id token from Azure DevOps ended {} ago", words(*.ago))]
    Expired { ago: time::Duration },
    #[error("the id token from Azure DevOps begins in {} only", words(*.ahead))]
    NotYet { ahead: time::Duration },
    #[error("the id token was issued in the tenant {issued}, but the connection's tenant is {tenant}")]
    Foreign { issued: Uuid, tenant: Uuid },
    #[error("this machine's clock is {} {} that of the services", about(*skew), if skew.is_negative() { "ahead of" } else { "behind" })]
    Clock { skew: time::Duration },
    #[error(transparent)]
    Output(#[from] io::Error),
    #[error("{source}")]
    Entra { source: TokenError, resource: Resource, request_id: Uuid, claims: Box<Unverified> },
}

/// Who signs in, and by which ways.
pub(crate) struct SignIn<'a> {
    pub(crate) http: Arc<Http>,
    pub(crate) env: &'a Env,
    pub(crate) connection: &'a Connection,
}

impl SignIn<'_> {
    /// Signs in for each of `resources`, in parallel over one connection. `seen` gets every id token before it is
    /// used.
    pub(crate) async fn run<'a>(
        &self,
        resources: &'a [Resource],
        mut seen: impl FnMut(&Secret) -> io::Result<()>,
    ) -> Result<SignedIn, SignInError> {
        let deadline = Deadline::after(self.http.clock(), DEADLINE);
        let identity = self.identity();
        let brought = self.brought_along();
        let warm = tokio::spawn(self.warm(&identity, resources.len(), brought.is_some()));
        let mut id_token = match brought {
            Some(brought) => {
                seen(&brought.token)?;
                brought
            }
            None => self.requested(deadline, &mut seen).await?,
        };
        // A failure to connect shows in the exchange itself.
        let _ = warm.await;
        self.check_clock()?;
        let mut renewed = false;
        loop {
            let (identity, assertion) = (&identity, &id_token.token);
            let exchange = |resource: &'a Resource| async move {
                let request_id = Uuid::new_v4();
                let result =
                    identity.access_token(&self.http, deadline, assertion, resource, request_id).await;
                result.map_err(|error| (error, resource, request_id))
            };
            match try_join_all(resources.iter().map(exchange)).await {
                Ok(access_tokens) => return Ok(SignedIn { id_token, access_tokens }),
                Err((error, ..)) if error.wants_fresh_assertion() && !renewed => {
                    self.check_clock()?;
                    renewed = true;
                    id_token = self.requested(deadline, &mut seen).await?;
                }
                Err((source, resource, request_id)) => {
                    self.check_clock()?;
                    let (resource, claims) = (resource.clone(), Box::new(id_token.claims));
                    return Err(SignInError::Entra { source, resource, request_id, claims });
                }
            }
        }
    }

    fn identity(&self) -> Identity {
        let Connection { authority, tenant, client, .. } = self.connection;
        Identity { authority: authority.clone(), tenant: *tenant, client: *client }
    }

    /// Connects to Entra while the id token is on its way, so that all exchanges find one connection ready. With
    /// the id token at hand, and one exchange, there is nothing to gain.
    fn warm(
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

    /// The id token that the agent brought along, where it can still be used.
    fn brought_along(&self) -> Option<IdToken> {
        let token = self.connection.id_token.clone()?;
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

    async fn requested(
        &self,
        deadline: Deadline,
        seen: &mut impl FnMut(&Secret) -> io::Result<()>,
    ) -> Result<IdToken, SignInError> {
        let job = Job::read(self.env)?;
        let url = job.id_token_url(self.connection.id);
        let token = oidc::id_token(&self.http, deadline, &url, &job.token).await?;
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
        let Connection { tenant, issuer, .. } = self.connection;
        match Issuer::parse(&claims.issuer).tenant() {
            Some(issued) if issued != *tenant && issuer.as_deref() != Some(&claims.issuer) => {
                Err(SignInError::Foreign { issued, tenant: *tenant })
            }
            _ => Ok(()),
        }
    }

    /// Whether this machine's clock is so wrong that tokens are judged wrongly.
    fn check_clock(&self) -> Result<(), SignInError> {
        self.http
            .skew()
            .filter(|skew| skew.abs() >= SKEW)
            .map_or(Ok(()), |skew| Err(SignInError::Clock { skew }))
    }

    /// What to tell the user of this machine's clock after a sign-in that worked all the same.
    pub(crate) fn clock_warning(&self) -> Option<String> {
        self.check_clock().err().map(|error| format!("{error}; tools judge tokens by it"))
    }
}

/// A duration as a person says it.
pub(crate) fn words(duration: time::Duration) -> String {
    let (minutes, seconds) = (duration.whole_minutes(), duration.whole_seconds() % 60);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) if seconds == 0 => format!("{minutes} min"),
        (0, minutes) => format!("{minutes} min {seconds} s"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// A skew, to ten seconds: dates in headers have no fractions, and an answer takes its time.
fn about(skew: time::Duration) -> String {
    words(time::Duration::seconds((skew.abs().whole_seconds() + 5) / 10 * 10))
}

/// A moment and how far off it is, as a person says it.
pub(crate) fn until(moment: OffsetDateTime, now: OffsetDateTime) -> String {
    format!("{} ({})", crate::exports::rfc3339(moment), words(moment - now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_in_two_units_at_most() {
        for (seconds, text) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (299, "4 min 59 s"), (86_700, "24 h 5 min")]
        {
            assert_eq!(words(time::Duration::seconds(seconds)), text);
        }
    }
}

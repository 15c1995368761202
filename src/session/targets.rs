//! How a broker keeps the credentials of other clouds fresh.

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
    atomic::{AtomicBool, Ordering},
};

use uuid::Uuid;
use wif_broker::{
    cache::{CachedToken, Fetch, TokenSlot},
    session::Session,
    target::{Dialect, End, Target as ServedTarget},
    tokens::FetchAccess,
};
use wif_core::{
    azure::resource::{Audiences, Resource},
    code::Code,
    exports::Family,
    failure::Failure,
    retry::RetryClass,
    token::{claims::Unverified, lifetime::Lifetime},
};
use wif_io::{clock::Deadline, http::Http};

use crate::{
    sign_in::SIGN_IN_TIMEOUT,
    sources::IdTokenSource,
    targets::{
        Target,
        ecr::Ecr,
        exchange,
        registries::{RegistryTarget, RegistryWay},
        registry, revoke,
    },
};

/// The ways by which the credentials are renewed.
pub(super) struct Ways<'a> {
    pub(super) http: Arc<Http>,
    pub(super) source: Arc<dyn IdTokenSource>,
    /// The session's own id token, which serves where the source lets no audience be chosen.
    pub(super) id_token: Arc<TokenSlot>,
    /// Whether clients may have the id token.
    pub(super) gives_id_token: bool,
    /// Makes the fetch of an access token.
    pub(super) access: &'a FetchAccess,
    /// The application whose access token is presented in place of the id token.
    pub(super) assertion: Option<&'a Resource>,
}

/// The registries of container images that a session serves.
pub(super) struct Registries<'a> {
    pub(super) all: &'a [RegistryTarget],
    /// The tenant of the identity.
    pub(super) tenant: Uuid,
    /// Where aliases lead.
    pub(super) audiences: &'a Audiences,
    pub(super) http: &'a Arc<Http>,
    /// Makes the fetch of an access token.
    pub(super) access: &'a FetchAccess,
}

impl Registries<'_> {
    /// What the broker serves for each registry. `targets` are those of the other clouds, and `ways` lead to their credentials.
    pub(super) fn served(&self, targets: &[Arc<dyn Target>], ways: Option<&Ways<'_>>) -> Vec<ServedTarget> {
        let of_cloud = |cloud: Family| targets.iter().find(|target| target.family() == cloud);
        let of = |registry: &RegistryTarget| {
            let fetch = match &registry.way {
                RegistryWay::Azure => self.azure(registry)?,
                RegistryWay::Google => self.google(of_cloud(Family::Google)?, ways?),
                RegistryWay::Aws(ecr) => self.aws(ecr, of_cloud(Family::Aws)?, ways?),
            };
            let slot = TokenSlot::new(self.http.shared_clock(), fetch, None);
            let name = registry.server.clone();
            Some(ServedTarget { name, dialect: Dialect::Registry, slot, end: None })
        };
        self.all.iter().filter_map(of).collect()
    }

    fn azure(&self, registry: &RegistryTarget) -> Option<Fetch> {
        let access = (self.access)(&Resource::parse("acr", self.audiences).ok()?);
        let (http, server) = (Arc::clone(self.http), registry.server.clone());
        let tenant = self.tenant.to_string();
        let fetch: Fetch = Arc::new(move || {
            let (http, server, tenant) = (Arc::clone(&http), server.clone(), tenant.clone());
            let access = access();
            Box::pin(async move {
                let access = access.await?;
                let deadline = Deadline::after(http.clock(), SIGN_IN_TIMEOUT);
                Ok(registry::azure(&http, deadline, &server, &tenant, &access.token).await?)
            })
        });
        Some(fetch)
    }

    /// With a credential of its own, since that of the session may not be there: Google's clients make theirs themselves.
    fn google(&self, target: &Arc<dyn Target>, ways: &Ways<'_>) -> Fetch {
        let assertion = ways.assertion(target);
        let (target, http) = (Arc::clone(target), Arc::clone(self.http));
        Arc::new(move || {
            let (target, http, assertion) = (Arc::clone(&target), Arc::clone(&http), Arc::clone(&assertion));
            Box::pin(async move { Ok(registry::google(&fresh(&*target, &http, &assertion, None).await?)) })
        })
    }

    /// With a credential of its own, since only this one is signed with.
    fn aws(&self, ecr: &Arc<Ecr>, target: &Arc<dyn Target>, ways: &Ways<'_>) -> Fetch {
        let assertion = ways.assertion(target);
        let (ecr, target, http) = (Arc::clone(ecr), Arc::clone(target), Arc::clone(self.http));
        Arc::new(move || {
            let (ecr, target, http) = (Arc::clone(&ecr), Arc::clone(&target), Arc::clone(&http));
            let assertion = Arc::clone(&assertion);
            Box::pin(async move {
                let role = fresh(&*target, &http, &assertion, None).await?;
                let deadline = Deadline::after(http.clock(), SIGN_IN_TIMEOUT);
                Ok(ecr.login(&http, deadline, &role).await?)
            })
        })
    }
}

impl Ways<'_> {
    /// What the broker serves for each target, with no credential yet.
    pub(super) fn served(&self, targets: &[Arc<dyn Target>]) -> Vec<ServedTarget> {
        targets.iter().map(|target| self.serve(Arc::clone(target))).collect()
    }

    fn serve(&self, target: Arc<dyn Target>) -> ServedTarget {
        let name = target.family().as_str().to_owned();
        let assertion = self.assertion(&target);
        if target.family() == Family::Google && self.gives_id_token {
            return ServedTarget { name, dialect: Dialect::IdToken, slot: assertion, end: None };
        }
        let dialect = target.dialect();
        let (http, held) = (Arc::clone(&self.http), Arc::<Held>::default());
        let to_end = (Arc::clone(&target), Arc::clone(&http), Arc::clone(&held));
        let this = Arc::clone(&held);
        let fetch: Fetch = Arc::new(move || {
            let (target, http, assertion) = (Arc::clone(&target), Arc::clone(&http), Arc::clone(&assertion));
            let held = Arc::clone(&this);
            // The slot is locked while it makes this, and not while it waits for it.
            Box::pin(async move { fresh(&*target, &http, &assertion, Some(&held)).await })
        });
        let slot = TokenSlot::new(self.http.shared_clock(), fetch, None);
        // Set here for the first time.
        let _ = held.slot.set(Arc::downgrade(&slot));
        let end: End = Box::new(move || {
            let (target, http, held) = (Arc::clone(&to_end.0), Arc::clone(&to_end.1), Arc::clone(&to_end.2));
            Box::pin(async move { held.end(&*target, &http).await })
        });
        let end = (dialect == Dialect::Kept).then_some(end);
        ServedTarget { name, dialect, slot, end }
    }

    /// The id token for a target.
    fn assertion(&self, target: &Arc<dyn Target>) -> Arc<TokenSlot> {
        if let Some(resource) = self.assertion {
            return TokenSlot::new(self.http.shared_clock(), (self.access)(resource), None);
        }
        if !self.source.takes_audience() {
            return Arc::clone(&self.id_token);
        }
        let (target, http, source) = (Arc::clone(target), Arc::clone(&self.http), Arc::clone(&self.source));
        let fetch: Fetch = Arc::new(move || {
            let (target, http, source) = (Arc::clone(&target), Arc::clone(&http), Arc::clone(&source));
            Box::pin(async move { id_token(&*source, &http, target.audience()).await })
        });
        TokenSlot::new(self.http.shared_clock(), fetch, None)
    }
}

/// The credentials of a cloud that a session has.
#[derive(Default)]
struct Held {
    slot: OnceLock<Weak<TokenSlot>>,
    /// Those before the present one that the cloud would not renew: later steps may use them still.
    replaced: Mutex<Vec<CachedToken>>,
    /// Whether all have been ended.
    has_ended: AtomicBool,
}

impl Held {
    fn current(&self) -> Option<CachedToken> {
        self.slot.get()?.upgrade()?.current()
    }

    fn replaced(&self) -> MutexGuard<'_, Vec<CachedToken>> {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all that live. Where that was done before, nothing is left to do.
    async fn end(&self, target: &dyn Target, http: &Http) -> Result<(), String> {
        if self.has_ended.load(Ordering::Acquire) {
            return Ok(());
        }
        let now = http.clock().now();
        let mut all = self.replaced().clone();
        all.extend(self.current());
        all.retain(|one| now < one.lifetime.until);
        let mut result = Ok(());
        for credential in &all {
            let ended = revoke(target, http, credential).await;
            result = result.and(ended);
        }
        self.has_ended.store(result.is_ok(), Ordering::Release);
        result
    }
}

/// The credential that is held, renewed; or another one, where that cannot be.
async fn fresh(
    target: &dyn Target,
    http: &Http,
    assertion: &Arc<TokenSlot>,
    held: Option<&Held>,
) -> Result<CachedToken, Failure> {
    let deadline = Deadline::after(http.clock(), SIGN_IN_TIMEOUT);
    let current = held.and_then(Held::current);
    if let Some(renewal) = current.as_ref().and_then(|one| target.renew(http, deadline, &one.token)) {
        match renewal.await.map_err(Failure::from) {
            Ok(renewed) => return Ok(renewed),
            Err(failure) if failure.retry_class != RetryClass::Refused => return Err(failure),
            // It has lived as long as it may.
            Err(_) => {}
        }
    }
    let id_token = assertion.get_for_exchange().await.map_err(|failure| failure.duplicate())?;
    let other = exchange(target, http, deadline, &id_token.token).await?;
    if let (Some(held), Some(current)) = (held, current) {
        let now = http.clock().now();
        let mut replaced = held.replaced();
        replaced.retain(|one| now < one.lifetime.until);
        replaced.push(current);
    }
    Ok(other)
}

/// An id token for an audience.
pub(crate) async fn id_token(
    source: &dyn IdTokenSource,
    http: &Http,
    audience: &str,
) -> Result<CachedToken, Failure> {
    let deadline = Deadline::after(http.clock(), SIGN_IN_TIMEOUT);
    let from = http.clock().now();
    let token = source.fetch(http, deadline, audience).await.map_err(|failure| *failure)?;
    let claims = Unverified::read(&token).map_err(|error| {
        let text = format!("what {} sent is not a JWT ({}): {error}", source.signer(), token.properties());
        Failure::new(
            Code::IdTokenMalformed,
            text,
            "run the job again; if it lasts, look at the source of id tokens",
        )
    })?;
    Ok(CachedToken::new(token, Lifetime { from, until: claims.expires }))
}

/// Begins with what the step has got, and keeps it fresh for those who do not ask in time.
pub(super) fn fill(session: &Session, mut granted: impl FnMut(&str) -> Option<CachedToken>) {
    for target in session.tokens.targets() {
        if matches!(target.dialect, Dialect::IdToken | Dialect::Registry) {
            continue;
        }
        if let Some(credential) = granted(&target.name) {
            target.slot.put(credential);
        }
        // AWS' clients want 20 minutes of life whenever they ask, and Vault's never ask.
        if target.dialect != Dialect::TokenExchange {
            target.slot.keep_fresh();
        }
    }
}

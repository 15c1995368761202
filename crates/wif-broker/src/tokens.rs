//! Every token of a session: the id token, and an access token for each resource that was asked for.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use time::OffsetDateTime;
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;
use wif_core::{
    azure::{
        allowed::Allowed,
        resource::{Audiences, Resource},
    },
    code::Code,
    failure::Failure,
    foreign_text::one_line,
    retry::RetryClass,
};
use wif_io::clock::Clock;

use super::{
    cache::{CachedToken, Counts, Fetch, FetchResult, TokenSlot},
    target::{Dialect, Target},
};

/// Makes the fetch of one resource's access token.
pub type FetchAccess = Box<dyn Fn(&Resource) -> Fetch + Send + Sync>;

/// What a broker is made of.
pub struct Tokens {
    clock: Arc<dyn Clock>,
    /// The application or managed identity.
    pub client: Option<Uuid>,
    /// The tenant.
    pub tenant: Uuid,
    /// Where aliases lead.
    pub audiences: Audiences,
    /// The only resources that are served.
    pub allowed: Allowed<Resource>,
    id_token: Option<Arc<TokenSlot>>,
    targets: Vec<Target>,
    fetch_access: FetchAccess,
    /// The access tokens that may be on their way at once.
    fetching: Arc<Semaphore>,
    access: Mutex<BTreeMap<Resource, Arc<TokenSlot>>>,
    refused: AtomicU64,
    /// When this cache was made.
    began: OffsetDateTime,
    changed: Arc<Notify>,
}

/// A line of `wif status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenStatus {
    /// `id token`, or the resource.
    pub what: String,
    /// When the token that is there ends.
    pub until: Option<OffsetDateTime>,
    /// What was asked.
    pub counts: Counts,
    /// Whether another is on its way.
    pub renewing: bool,
}

/// More resources than nearly any job needs: a bound for what callers can make the broker keep.
const MAX_RESOURCES: usize = 200;
/// Access tokens that are asked for at once; what is asked for beside them waits.
const MAX_FETCHES: usize = 16;
/// How long a fetch waits for its turn: as long as a sign-in may take.
const TURN_TIMEOUT: Duration = Duration::from_secs(60);

/// The services take too long for what callers want.
#[derive(Debug, thiserror::Error)]
enum Crowded {
    #[error(
        "{MAX_FETCHES} access tokens are being asked for, and none of them came within {} s",
        TURN_TIMEOUT.as_secs()
    )]
    NoTurn,
    #[error("{MAX_RESOURCES} access tokens for different resources are being asked for already")]
    TooMany,
}

impl From<Crowded> for Failure {
    fn from(error: Crowded) -> Self {
        let hint = "ask again later, and for fewer resources at once";
        Self::new(Code::ServiceUnavailable, error, hint)
            .with_retry_class(RetryClass::Busy { retry_after: None })
    }
}

/// The longest name of a resource in the status, in characters.
const MAX_NAME: usize = 200;

/// How soon to try again what could not be dealt with.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

impl Tokens {
    /// An empty cache, or one that begins with an id token.
    #[must_use]
    pub fn new(
        clock: Arc<dyn Clock>,
        identity: (Uuid, Option<Uuid>),
        audiences: Audiences,
        allowed: Allowed<Resource>,
        id_token: Option<Arc<TokenSlot>>,
        fetch_access: FetchAccess,
    ) -> Self {
        let (tenant, client) = identity;
        let changed = Arc::new(Notify::new());
        if let Some(slot) = &id_token {
            slot.notify_on_change(Arc::clone(&changed));
        }
        Self {
            began: clock.now(),
            clock,
            client,
            tenant,
            audiences,
            allowed,
            id_token,
            targets: Vec::new(),
            fetch_access,
            fetching: Arc::new(Semaphore::new(MAX_FETCHES)),
            access: Mutex::default(),
            refused: AtomicU64::new(0),
            changed,
        }
    }

    /// Adds credentials of other services.
    #[must_use]
    pub fn with_targets(self, targets: Vec<Target>) -> Self {
        for target in &targets {
            target.slot.notify_on_change(Arc::clone(&self.changed));
        }
        Self { targets, ..self }
    }

    /// The credentials of other services.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// The credential that is served in this dialect.
    #[must_use]
    pub fn target(&self, dialect: Dialect) -> Option<&Arc<TokenSlot>> {
        self.targets.iter().find(|target| target.dialect == dialect).map(|target| &target.slot)
    }

    /// The credential for a registry of container images, by its login server.
    #[must_use]
    pub fn registry(&self, server: &str) -> Option<&Arc<TokenSlot>> {
        let is_it = |target: &&Target| target.dialect == Dialect::Registry && target.name == server;
        self.targets.iter().find(is_it).map(|target| &target.slot)
    }

    /// Puts an access token in that came by other ways.
    pub fn put(&self, resource: &Resource, fresh: CachedToken) {
        self.slots().insert(resource.clone(), self.slot(resource, Some(fresh)));
    }

    /// The id token's slot, for a federated connection.
    #[must_use]
    pub fn id_token(&self) -> Option<&Arc<TokenSlot>> {
        self.id_token.as_ref()
    }

    /// Whether the session serves this resource.
    #[must_use]
    pub fn is_allowed(&self, resource: &Resource) -> bool {
        self.allowed.allows(|allowed| allowed.covers(resource, self.audiences.cloud))
    }

    /// The access token for a resource.
    ///
    /// # Errors
    ///
    /// As [`TokenSlot::get`].
    pub async fn access_token(&self, resource: &Resource) -> FetchResult {
        self.access_slot(resource)?.get().await
    }

    /// Where the access token for a resource is kept; a place of its own from now on, if it was not asked for yet.
    ///
    /// # Errors
    ///
    /// Tokens for too many other resources are being fetched.
    pub(crate) fn access_slot(&self, resource: &Resource) -> Result<Arc<TokenSlot>, Arc<Failure>> {
        let mut slots = self.slots();
        if let Some(slot) = slots.get(resource) {
            return Ok(Arc::clone(slot));
        }
        if slots.len() >= MAX_RESOURCES {
            // The one that ends first, or never had a token, is missed the least; one that is being fetched would go on
            // unseen.
            let first = slots
                .iter()
                .filter(|(_, slot)| !slot.is_renewing())
                .min_by_key(|(_, slot)| slot.until())
                .map(|(first, _)| first.clone())
                .ok_or_else(|| Arc::new(Failure::from(Crowded::TooMany)))?;
            slots.remove(&first);
        }
        let slot = self.slot(resource, None);
        slots.insert(resource.clone(), Arc::clone(&slot));
        Ok(slot)
    }

    /// Since when there is this session.
    #[must_use]
    pub fn began(&self) -> OffsetDateTime {
        self.began
    }

    /// The time that lifetimes are counted by.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// The clock that the broker goes by.
    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Counts a caller that was turned away.
    pub(crate) fn count_refusal(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// How many callers were turned away.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// What is there, never a token.
    #[must_use]
    pub fn statuses(&self) -> Vec<TokenStatus> {
        let status = |what: String, slot: &TokenSlot| TokenStatus {
            what,
            until: slot.until(),
            counts: slot.counts(),
            renewing: slot.is_renewing(),
        };
        let id_token = self.id_token.iter().map(|slot| status("id token".to_owned(), slot));
        let targets = self.targets.iter().map(|target| status(target.name.clone(), &target.slot));
        id_token
            .chain(targets)
            .chain(
                self.slots()
                    .iter()
                    .map(|(resource, slot)| status(one_line(&resource.to_string(), MAX_NAME), slot)),
            )
            .collect()
    }

    /// Renews every token that is wanted, ahead of its end, for ever. `changed` hears of every change, and again a moment
    /// later while it says that it could not deal with it.
    pub async fn keep(&self, mut changed: impl FnMut() -> bool) {
        let mut behind = false;
        loop {
            let targets = self.targets.iter().map(|target| &target.slot).cloned();
            let slots: Vec<_> =
                self.id_token.iter().cloned().chain(targets).chain(self.slots().values().cloned()).collect();
            let next = slots.iter().filter_map(|slot| slot.next()).min();
            let wait = next.map(|next| (next - self.clock.now()).max(time::Duration::ZERO));
            tokio::select! {
                () = self.changed.notified() => behind = !changed(),
                () = sleep(&*self.clock, wait) => slots.iter().for_each(TokenSlot::renew),
                () = self.clock.sleep(RETRY_INTERVAL), if behind => behind = !changed(),
            }
        }
    }

    fn slot(&self, resource: &Resource, fresh: Option<CachedToken>) -> Arc<TokenSlot> {
        let fetch = self.in_turn((self.fetch_access)(resource));
        let slot = TokenSlot::new(Arc::clone(&self.clock), fetch, fresh);
        slot.notify_on_change(Arc::clone(&self.changed));
        slot
    }

    /// The same fetch, which waits while too many others are under way. The id token's, which these wait for, does not.
    fn in_turn(&self, fetch: Fetch) -> Fetch {
        let (fetching, clock) = (Arc::clone(&self.fetching), Arc::clone(&self.clock));
        Arc::new(move || {
            let (fetching, clock, fetch) = (Arc::clone(&fetching), Arc::clone(&clock), Arc::clone(&fetch));
            Box::pin(async move {
                let _turn = if let Ok(turn) = fetching.try_acquire() {
                    turn
                } else {
                    tokio::select! {
                        // It is never closed.
                        turn = fetching.acquire() => turn.map_err(|_closed| Crowded::NoTurn)?,
                        () = clock.sleep(TURN_TIMEOUT) => return Err(Crowded::NoTurn.into()),
                    }
                };
                fetch().await
            })
        })
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, BTreeMap<Resource, Arc<TokenSlot>>> {
        // Nothing that holds it can leave a half-made map.
        self.access.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits so long, or for ever.
async fn sleep(clock: &dyn Clock, wait: Option<time::Duration>) {
    match wait {
        Some(wait) => clock.sleep(wait.unsigned_abs()).await,
        None => std::future::pending().await,
    }
}

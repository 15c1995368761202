//! Lists the subscriptions that the identity sees, for `az`: beside the rest of a sign-in, and no condition of it.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use futures_util::future::try_join;
use tokio::task::JoinHandle;
use wif_azure::{
    entra::token::AccessToken,
    resource_manager::{ListEnd, ListedSubscription, MAX_SUBSCRIPTIONS, ResourceManager},
};
use wif_core::{
    azure::{
        allowed::Allowed,
        resource::{Audiences, Resource},
    },
    exports::AzureCliSubscription,
    foreign_text::one_line,
};
use wif_io::{
    clock::{Deadline, Limit},
    endpoint::Endpoint,
    http::Http,
};

/// How long the list may take, with an access token of its own and all pages.
const LIST_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest name that is shown or kept, in characters; Azure allows 64.
const MAX_NAME_LENGTH: usize = 200;
/// The longest state that is kept, in characters; Azure has none of more than 8.
const MAX_STATE_LENGTH: usize = 40;

/// A list that waits for the resource manager's access token, or is under way.
pub(crate) struct Listing {
    http: Arc<Http>,
    base: Endpoint,
    resource: Resource,
    /// Whether the connection names a subscription.
    has_own: bool,
    /// Begins with the list, or with the access token that only the list needs.
    deadline: OnceLock<Deadline>,
    /// Opens the connection while the sign-in is still under way.
    warm: Mutex<Option<JoinHandle<()>>>,
    running: Mutex<Option<JoinHandle<Found>>>,
}

/// What was found, and why it is not everything.
type Found = (Vec<ListedSubscription>, Option<ListEnd>);

/// What the profile of `az` gets, and what the log says of it.
#[derive(Default)]
pub(crate) struct Listed {
    pub(crate) subscriptions: Vec<AzureCliSubscription>,
    pub(crate) note: Option<String>,
}

/// Whether `allowedResources` lets a session use the resource manager, by any of its names.
pub(crate) fn allows_resource_manager(allowed: &Allowed<Resource>, audiences: &Audiences) -> bool {
    let resource_manager = audiences.resource_manager();
    allowed.allows(|entry| entry.covers(&resource_manager, audiences.cloud))
}

impl Listing {
    /// Prepares a list. The error is the reason, for the user, why the token may not be sent.
    ///
    /// `base` is the resource manager, where tokens may be sent there, and `resource` what its access token is for.
    pub(crate) fn prepare(
        http: &Arc<Http>,
        resource: Resource,
        base: Option<Endpoint>,
        has_own: bool,
        is_allowed: bool,
    ) -> Result<Self, String> {
        if !is_allowed {
            return Err(only_own(has_own, "the input allowedResources leaves out Azure Resource Manager"));
        }
        let Some(base) = base else {
            return Err(only_own(
                has_own,
                "the connection's URL is not a known Azure Resource Manager, so no token is sent there",
            ));
        };
        let mut url = base.join(["metadata", "endpoints"]);
        url.query_pairs_mut().append_pair("api-version", "2015-01-01");
        let warm = Arc::clone(http);
        let warm = tokio::spawn(async move { warm.warm(url).await });
        Ok(Self {
            http: Arc::clone(http),
            base,
            resource,
            has_own,
            deadline: OnceLock::new(),
            warm: Mutex::new(Some(warm)),
            running: Mutex::default(),
        })
    }

    /// Begins the list, if this is the access token that it waits for and none is under way.
    pub(crate) fn offer(&self, resource: &Resource, access: &AccessToken) {
        let mut running = lock(&self.running);
        if *resource != self.resource || running.is_some() {
            return;
        }
        let (http, base, token) = (Arc::clone(&self.http), self.base.clone(), access.token.clone());
        let (deadline, warm) = (self.deadline(), lock(&self.warm).take());
        *running = Some(tokio::spawn(async move {
            if let Some(warm) = warm {
                let limit = http.clock().limit(Limit::Request, deadline.remaining(http.clock()));
                tokio::select! {
                    // Whether it connected is found out by the list.
                    _ = warm => {}
                    () = limit => {}
                }
            }
            let resource_manager = ResourceManager { http: &http, deadline, base: &base, token: &token };
            resource_manager.subscriptions().await
        }));
    }

    /// Runs what a sign-in wants, and beside it, where the resource manager's token is not among it, an additional
    /// exchange for that one. The additional one may fail, and never outlives the list's own time.
    pub(crate) async fn run_beside<T, E, F: Future<Output = Option<AccessToken>>>(
        listing: Option<&Self>,
        resources: &[Resource],
        wanted: impl Future<Output = Result<T, E>>,
        additional: impl FnOnce(Resource, Deadline) -> F,
    ) -> Result<T, E> {
        let Some(listing) = listing.filter(|listing| !resources.contains(&listing.resource)) else {
            return wanted.await;
        };
        let exchange = additional(listing.resource.clone(), listing.deadline());
        let exchange = async {
            if let Some(access) = exchange.await {
                listing.offer(&listing.resource, &access);
            }
            Ok(())
        };
        try_join(wanted, exchange).await.map(|(wanted, ())| wanted)
    }

    /// Waits for the end of the list.
    pub(crate) async fn finish(&self) -> Listed {
        let host = self.base.host().to_owned();
        let running = lock(&self.running).take();
        let Some(Ok((found, end))) = (match running {
            Some(running) => Some(running.await),
            None => None,
        }) else {
            let reason = format!(
                "Azure Resource Manager ({host}) did not list the others: there is no access token for it"
            );
            return Listed { note: Some(only_own(self.has_own, &reason)), ..Listed::default() };
        };
        let reason = |end: &ListEnd| match end {
            ListEnd::Slow => format!("it took longer than {} s", LIST_TIMEOUT.as_secs()),
            end => end.to_string(),
        };
        let note = end.map(|end| match end {
            ListEnd::TooMany => {
                format!("The identity sees more subscriptions than az is told of: the first {MAX_SUBSCRIPTIONS}")
            }
            end if found.is_empty() => {
                only_own(self.has_own, &format!("Azure Resource Manager ({host}) did not list the others: {}", reason(&end)))
            }
            end => format!(
                "az knows the first {} subscriptions that the identity sees: Azure Resource Manager ({host}) did not list the others: {}",
                found.len(),
                reason(&end)
            ),
        });
        Listed { subscriptions: found.into_iter().map(for_azure_cli).collect(), note }
    }

    fn deadline(&self) -> Deadline {
        *self.deadline.get_or_init(|| Deadline::after(self.http.clock(), LIST_TIMEOUT))
    }
}

fn only_own(has_own: bool, reason: &str) -> String {
    let known =
        if has_own { "the connection's own subscription only" } else { "no subscription, only the tenant" };
    format!("az knows {known}: {reason}")
}

fn for_azure_cli(listed: ListedSubscription) -> AzureCliSubscription {
    let ListedSubscription { subscription_id, display_name, state, tenant_id, managed_by_tenants } = listed;
    let state = state.filter(|state| !state.is_empty());
    AzureCliSubscription {
        id: subscription_id,
        name: display_name.map(|name| one_line(&name, MAX_NAME_LENGTH)),
        state: state.map_or_else(|| "Enabled".to_owned(), |state| one_line(&state, MAX_STATE_LENGTH)),
        home_tenant: tenant_id.unwrap_or_default(),
        managed_by: managed_by_tenants.into_iter().flatten().map(|tenant| tenant.tenant_id).collect(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

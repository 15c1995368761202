//! A session that this process serves itself, and that ends with it: for a command or a script that it waits for.

use std::{collections::BTreeMap, sync::Arc};

use tokio::task::JoinHandle;
use wif_azure::identity::AzureIdentity;
use wif_broker::{server, session::Session};
use wif_core::{
    azure::{allowed::Allowed, resource::Resource},
    exports::BrokerEndpoint,
    failure::Failure,
};
use wif_io::{env::Env, http::Http};

use super::{
    serve::{self, Served, Upstream},
    start::{self, NewSession},
};
use crate::{sources::IdTokenSource, targets::TargetSet};

/// A broker in this process. Dropped, it ends.
pub(crate) struct LocalBroker {
    /// Where the child finds it.
    pub(crate) endpoint: BrokerEndpoint,
    serving: JoinHandle<()>,
    session: Arc<Session>,
}

/// The ways by which the session's tokens are renewed.
pub(crate) struct Renewal<'a> {
    /// Where a managed identity is found.
    pub(crate) env: &'a Env,
    pub(crate) identity: &'a AzureIdentity,
    /// Where id tokens come from.
    pub(crate) source: Arc<dyn IdTokenSource>,
    /// The client of the identity's exchange: a cluster may have a proxy for that.
    pub(crate) http: &'a Arc<Http>,
    /// The client of everything else.
    pub(crate) direct: &'a Arc<Http>,
    /// The only resources that are served.
    pub(crate) allowed: &'a Allowed<Resource>,
    /// Other clouds.
    pub(crate) targets: &'a TargetSet,
}

/// Listens on 127.0.0.1 and serves, on the runtime that this is called on, for as long as that runs. The key is not masked:
/// that is the caller's to do.
///
/// # Errors
///
/// The system gives no random numbers or no port, or the file of the id token is not the one that was written.
pub(crate) async fn start(renewal: Renewal<'_>, session: NewSession<'_>) -> Result<LocalBroker, Failure> {
    let Renewal { env, identity, source, http, direct, allowed, targets } = renewal;
    let gives_id_token = session.gives_id_token;
    let (client, targets) = (session.signed_in.client, targets.clone());
    let (allowed, direct) = (allowed.clone(), Arc::clone(direct));
    let resource_manager = session.resource_manager.map(ToString::to_string);
    let served = Served { client, allowed, gives_id_token, resource_manager, targets, direct };
    let upstream = Upstream { env: env.clone(), identity: identity.clone(), source, http: Arc::clone(http) };
    let key = start::random_key()?;
    let handover = session.handover(BTreeMap::new(), &key, http.clock().now());
    let (listener, session) = serve::listen(upstream, served, key.clone()).await?;
    serve::fill_from(&session, &handover);
    let file = serve::open_id_token_file(&handover)?;
    let endpoint = start::endpoint(session.port, key, gives_id_token);
    let served = Arc::clone(&session);
    let serving = tokio::spawn(async move {
        let mut written = None;
        let keep = session.tokens.keep(|| serve::rewrite(&session, file.as_ref(), &mut written));
        let asked_to_end = Arc::clone(&session);
        let end = async move { asked_to_end.end.notified().await };
        tokio::select! {
            () = keep => {}
            () = server::serve(listener, Arc::clone(&session), end) => {}
        }
    });
    Ok(LocalBroker { endpoint, serving, session: served })
}

impl LocalBroker {
    /// Stops serving, and returns when nothing listens any more.
    pub(crate) async fn stop(&mut self) {
        self.serving.abort();
        if !self.serving.is_finished() {
            // It was canceled, which is what was wanted.
            let _ = (&mut self.serving).await;
        }
    }

    /// Stops serving, and ends the credentials that would outlive it. Returns a sentence for each that may live on.
    pub(crate) async fn end(mut self) -> Vec<String> {
        self.stop().await;
        self.session.end_credentials().await
    }
}

impl Drop for LocalBroker {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

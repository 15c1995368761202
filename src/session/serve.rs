//! The broker's own process: takes over what the step hands to it, and serves until the job ends.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    sync::{Notify, oneshot},
};
use uuid::Uuid;
use wif_azure::identity::{AzureIdentity, Credential};
use wif_broker::{
    cache::{CachedToken, Fetch, TokenSlot},
    server,
    session::Session,
    tokens::{FetchAccess, Tokens},
};
use wif_core::{
    azure::{allowed::Allowed, resource::Resource},
    code::Code,
    failure::Failure,
    secret::Secret,
    token::lifetime::Lifetime,
};
use wif_io::{
    clock::Clock,
    env::Env,
    http::Http,
    private_folder::{FolderError, PrivateFile},
    process,
};

use super::{
    handover::{GO, Handed, Handover, Ready},
    targets::{self as session_targets, Registries, Ways},
};
use crate::{
    agent::{addresses, connection::Connection, inputs::Inputs, network},
    guards,
    sign_in::{IdToken, SignIn, SignedIn},
    sources::{IdTokenSource, WithIdToken, azure_pipelines::AzurePipelines},
    targets::{self, TargetSet},
};

/// Serves until it is ended: by the post-job stage, a signal (the agent's orphan clean-up), or the deadline.
///
/// # Errors
///
/// What was handed over cannot be read, or the step went away before it had told the agent of this broker.
pub async fn serve(clock: Arc<dyn Clock>, signal: impl Future<Output = ()>) -> io::Result<()> {
    process::detach()?;
    process::allow_many_files();
    let handover = read_handover()?;
    let key = Secret::new(handover.key.as_str().to_owned());
    let client = handover.client.as_deref().and_then(|client| Uuid::try_parse(client).ok());
    let (listener, session) = match open_session(handover.env(), client, key, Arc::clone(&clock)).await {
        Ok(opened) => opened,
        Err(failure) => return write_ready(&Ready::Error(failure.to_string())),
    };
    fill_from(&session, &handover);
    let hours = Duration::from_secs(u64::from(handover.hours) * 3600);
    let file = match open_id_token_file(&handover) {
        Ok(file) => file,
        Err(error) => return write_ready(&Ready::Error(error.to_string())),
    };
    drop(handover);
    write_ready(&Ready::Port(session.port))?;
    // Reading blocks, and the tokens can be asked for as soon as the exports are written.
    let (sender, go) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = sender.send(process::read_line().is_ok_and(|line| line.as_bytes() == GO));
    });
    let tokens = Arc::clone(&session);
    let mut written = None;
    let keep = tokens.tokens.keep(|| rewrite(&tokens, file.as_ref(), &mut written));
    let (ending, port, ended) = (Arc::clone(&session), session.port, Arc::clone(&session));
    let end = async move {
        match go.await {
            Ok(true) if write_ready(&Ready::Port(port)).is_ok() => process::close_stdio(),
            // The step ended before a later step could know this broker's address.
            _ => return,
        }
        tokio::select! {
            () = ending.end.notified() => {}
            () = signal => {}
            () = clock.sleep(hours) => {}
        }
    };
    tokio::select! {
        () = keep => {}
        () = server::serve(listener, session, end) => {}
    }
    // Where the post-job stage asked for the end, it was told of what could not be ended.
    let _ = ended.end_credentials().await;
    Ok(())
}

/// The part of a step's environment that a broker of this connection begins with.
#[must_use]
pub fn environment(env: &Env, connection: Uuid) -> Env {
    let picked = Handover::pick(env, connection);
    picked.into_iter().map(|(name, value)| (name, value.as_str().to_owned())).collect()
}

/// A listening session of the connection that a step's environment names, with no token yet; `client` is what the
/// step found to be signed in, where the connection does not say.
///
/// # Errors
///
/// The environment is not that of a step, or there is no port.
pub async fn open_session(
    env: Env,
    client: Option<Uuid>,
    key: Secret,
    clock: Arc<dyn Clock>,
) -> Result<(TcpListener, Arc<Session>), Failure> {
    let inputs = Inputs::read(&env)?;
    let connection = Connection::read(&env, inputs.connection)?;
    guards::place(&inputs, &connection)?;
    let (settings, _remarks) = network::settings(&env)?;
    let http = Arc::new(Http::new(settings, Arc::clone(&clock))?);
    let allowed = inputs.allowed_resources(&connection.identity.audiences)?;
    let gives_id_token = guards::gives_id_token(&inputs, connection.scheme);
    let resource_manager =
        addresses::allowed_resource_manager(&env, &connection, &inputs.allowed_authorities)
            .map(|endpoint| endpoint.to_string());
    let source = Arc::new(AzurePipelines::of(&connection, &env, &inputs.allowed_authorities));
    let assertion = inputs.assertion(&connection.identity.audiences)?;
    let targets = targets::read(&inputs.targets, &env, &inputs.allowed_authorities, assertion)?;
    let direct = Arc::clone(&http);
    let upstream = Upstream { env, identity: connection.identity, source, http };
    let served = Served { client, allowed, gives_id_token, resource_manager, targets, direct };
    listen(upstream, served, key).await
}

/// What a session serves, beside what its identity says.
pub(super) struct Served {
    /// Who is signed in, where the identity does not say.
    pub(super) client: Option<Uuid>,
    /// The only resources.
    pub(super) allowed: Allowed<Resource>,
    /// Whether callers may have the id token.
    pub(super) gives_id_token: bool,
    /// Where Azure Resource Manager is, if it may get the session's tokens.
    pub(super) resource_manager: Option<String>,
    /// Other clouds, and registries.
    pub(super) targets: TargetSet,
    /// The client that asks other clouds and the source: never one behind a proxy of a cluster for Entra's exchange.
    pub(super) direct: Arc<Http>,
}

/// A listening session, with no token yet.
pub(super) async fn listen(
    upstream: Upstream,
    served: Served,
    key: Secret,
) -> Result<(TcpListener, Arc<Session>), Failure> {
    let Served { client, allowed, gives_id_token, resource_manager, targets, direct } = served;
    let clock = upstream.http.shared_clock();
    let AzureIdentity { tenant, audiences, credential, .. } = &upstream.identity;
    let identity = (*tenant, credential.client().or(client));
    let (audiences, is_federated) = (audiences.clone(), matches!(credential, Credential::Federated { .. }));
    let upstream = Arc::new(upstream);
    let id_token = is_federated.then(|| TokenSlot::new(Arc::clone(&clock), upstream.fetch_id_token(), None));
    let fetch_access = upstream.fetch_access(id_token.clone());
    let ways = id_token.clone().map(|id_token| {
        let (http, source) = (Arc::clone(&direct), Arc::clone(&upstream.source));
        Ways {
            http,
            source,
            id_token,
            gives_id_token,
            access: &fetch_access,
            assertion: targets.assertion.as_ref(),
        }
    });
    let registries = Registries {
        all: &targets.registries,
        tenant: identity.0,
        audiences: &audiences,
        http: &direct,
        access: &fetch_access,
    };
    let mut served = ways.as_ref().map(|ways| ways.served(&targets.clouds)).unwrap_or_default();
    served.extend(registries.served(&targets.clouds, ways.as_ref()));
    let tokens = Tokens::new(clock, identity, audiences, allowed, id_token, fetch_access);
    let tokens = tokens.with_targets(served);
    let (listener, port) = server::listen().await.map_err(|error| {
        let hint = "run the job again; the system gave no port on 127.0.0.1";
        Failure::new(Code::BrokerFailed, error, hint)
    })?;
    let session = Session { tokens, key, gives_id_token, resource_manager, port, end: Notify::new() };
    Ok((listener, Arc::new(session)))
}

/// Begins with what the step found out already.
pub(super) fn fill_from(session: &Session, handover: &Handover) {
    let tokens = &session.tokens;
    if let Some(slot) = tokens.id_token() {
        if let Some(fresh) = handover.id_token.as_ref().and_then(Handed::fresh) {
            slot.put(fresh);
        }
        if handover.id_token_file.is_some() {
            slot.keep_fresh();
        }
    }
    session_targets::fill(session, |name| handover.targets.get(name).and_then(Handed::fresh));
    for (scope, handed) in &handover.access_tokens {
        if let (Some(fresh), Ok(resource)) = (handed.fresh(), Resource::parse(scope, &tokens.audiences)) {
            tokens.put(&resource, fresh);
        }
    }
}

/// The ways by which tokens are renewed.
pub(super) struct Upstream {
    /// Where a managed identity is found.
    pub(super) env: Env,
    pub(super) identity: AzureIdentity,
    pub(super) source: Arc<dyn IdTokenSource>,
    pub(super) http: Arc<Http>,
}

impl Upstream {
    fn fetch_id_token(self: &Arc<Self>) -> Fetch {
        let upstream = Arc::clone(self);
        Arc::new(move || {
            let upstream = Arc::clone(&upstream);
            Box::pin(async move { upstream.id_token().await })
        })
    }

    /// Every resource's access token is fetched with the session's one id token.
    fn fetch_access(self: &Arc<Self>, id_token: Option<Arc<TokenSlot>>) -> FetchAccess {
        let upstream = Arc::clone(self);
        Box::new(move |resource| {
            let (upstream, id_token, resource) = (Arc::clone(&upstream), id_token.clone(), resource.clone());
            Arc::new(move || {
                let (upstream, id_token, resource) =
                    (Arc::clone(&upstream), id_token.clone(), resource.clone());
                Box::pin(async move { upstream.access_token(id_token, &resource).await })
            })
        })
    }

    async fn id_token(&self) -> Result<CachedToken, Failure> {
        let from = self.http.clock().now();
        let signed_in = self.sign_in(None, &[]).await?;
        let Some(IdToken { token, claims }) = signed_in.id_token else {
            return Err(Failure::new(Code::Bug, "no id token came", "report this as a bug"));
        };
        Ok(CachedToken::new(token, Lifetime { from, until: claims.expires }))
    }

    async fn access_token(
        &self,
        id_token: Option<Arc<TokenSlot>>,
        resource: &Resource,
    ) -> Result<CachedToken, Failure> {
        let at_hand = match id_token {
            Some(slot) => Some(slot.get_for_exchange().await.map_err(|failure| failure.duplicate())?.token),
            None => None,
        };
        let from = self.http.clock().now();
        let signed_in = self.sign_in(at_hand, std::slice::from_ref(resource)).await?;
        let token = signed_in.access_tokens.into_iter().next();
        let token =
            token.ok_or_else(|| Failure::new(Code::Bug, "no access token came", "report this as a bug"))?;
        Ok(CachedToken::new(token.token, Lifetime { from, until: token.expires }))
    }

    async fn sign_in(&self, at_hand: Option<Secret>, resources: &[Resource]) -> Result<SignedIn, Failure> {
        let Self { env, identity, source, http } = self;
        let http = Arc::clone(http);
        let source = WithIdToken { source: &**source, id_token: at_hand };
        let sign_in = SignIn { http, env, identity, source: &source, listing: None };
        Ok(sign_in.run(resources, &mut |_id_token| Ok(())).await?)
    }
}

/// The id token's file, opened before any later step runs: what takes the place of its folder then is not written to.
pub(super) fn open_id_token_file(handover: &Handover) -> Result<Option<PrivateFile>, FolderError> {
    let written = handover.id_token.as_ref().and_then(Handed::fresh);
    let file = handover.id_token_file.as_deref().zip(written);
    file.map(|(file, written)| PrivateFile::open(file, &written.token)).transpose()
}

/// Keeps the id token's file as fresh as the token; whether it is.
pub(super) fn rewrite(session: &Session, file: Option<&PrivateFile>, written: &mut Option<Secret>) -> bool {
    let fresh = session.tokens.id_token().and_then(|slot| slot.current());
    let (Some(file), Some(CachedToken { token, .. })) = (file, fresh) else { return true };
    if written.as_ref() == Some(&token) {
        return true;
    }
    // A disk that is full, or a reader on Windows that holds the file open: the old one stays for now.
    let done = file.rewrite(&token).is_ok();
    if done {
        *written = Some(token);
    }
    done
}

fn read_handover() -> io::Result<Handover> {
    let line = process::read_line()?;
    serde_json::from_str(&line).map_err(|_error| io::Error::new(io::ErrorKind::InvalidData, "no handover")) // quotes it
}

fn write_ready(ready: &Ready) -> io::Result<()> {
    process::write_line(&serde_json::to_string(ready)?)
}

//! The way to the services, and what is read by it.

use std::sync::Arc;

use wif_core::{azure::cloud::Cloud, failure::Failure};
use wif_io::http::Http;

use super::screen::Host;
use crate::{
    read::{self, ReadOptions, network},
    snapshot::Snapshot,
    tokens::{Needs, Tokens, check_session},
};

/// A client, and the tokens for the services.
pub(super) struct Connected {
    pub(super) http: Arc<Http>,
    pub(super) tokens: Tokens,
}

/// Makes the client, and looks for tokens where the host has none. What is worth a warning and where each token comes from is said.
///
/// # Errors
///
/// A network setting cannot be used, or there is no such session.
pub(super) async fn connect(
    host: &mut Host<'_>,
    cloud: Cloud,
    session: Option<&str>,
    needs: Needs,
) -> Result<Connected, Failure> {
    let Host { env, clock, talk, tokens, .. } = host;
    let (http, warnings) = network::client(env, clock)?;
    for warning in &warnings {
        talk.say(warning);
    }
    session.map_or(Ok(()), |name| check_session(env, name))?;
    let mut say = |line: &str| talk.say(line);
    let tokens = match tokens.take() {
        Some(tokens) => tokens,
        None => Tokens::find(env, clock, cloud, session, needs, &mut say).await,
    };
    Ok(Connected { http, tokens })
}

/// Reads organizations. An interruption ends that, and the host knows of it.
///
/// # Errors
///
/// The organizations cannot be named.
pub(super) async fn read(
    options: &ReadOptions,
    host: &Host<'_>,
    connected: &Connected,
) -> Result<Snapshot, Failure> {
    let stop = async {
        interrupt().await;
        host.is_interrupted.set(true);
    };
    read::read(options, host.env, &connected.http, &connected.tokens, host.talk, stop).await
}

/// Ends when the user, or the agent, asks to stop. Where that cannot be listened for, it never ends.
pub(super) async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

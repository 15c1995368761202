//! The listener: how many, how long, how much.

use std::{convert::Infallible, io, net::Ipv4Addr, pin::pin, sync::Arc, time::Duration};

use hyper::{Response, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
};

use super::{answer::Body, routes, tokens::Tokens};
use crate::secret::Secret;

/// What the routes need.
pub struct Session {
    /// The tokens.
    pub tokens: Tokens,
    /// What callers must have.
    pub key: Secret,
    /// Whether callers may have the id token itself.
    pub gives_id_token: bool,
    /// Where it listens.
    pub port: u16,
    /// Wakes whoever ends the broker.
    pub end: Notify,
}

/// Connections at a time; more wait in the listener's queue.
const CONNECTIONS: usize = 512;
/// How long a caller may take to send the head of a request, the first or the next.
const PATIENCE: Duration = Duration::from_secs(15);
/// The largest head of a request, in bytes; hyper takes no less than 8 KiB, and 100 headers of its own accord.
const HEAD: usize = 16 * 1024;

/// Listens on a port of 127.0.0.1 that the system chooses.
///
/// # Errors
///
/// There is none.
pub async fn listen() -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// Answers until `stop`.
pub async fn serve(listener: TcpListener, session: Arc<Session>, stop: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut stop = pin!(stop);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        tokio::select! {
            () = &mut stop => return,
            (accepted, place) = accepted => match accepted {
                Ok((stream, _peer)) => {
                    let session = Arc::clone(&session);
                    tokio::spawn(async move {
                        connection(stream, session).await;
                        drop(place);
                    });
                }
                // Out of file handles: others will be given back.
                Err(_error) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

async fn connection(stream: TcpStream, session: Arc<Session>) {
    let answer = service_fn(|request| {
        let session = Arc::clone(&session);
        async move { Ok::<Response<Body>, Infallible>(routes::answer(&session, request).await) }
    });
    // An error here is a caller that went away, or one that does not speak HTTP.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

//! The listener, and one task for each connection; limits on number and time are in `connections`.

use std::{convert::Infallible, future, io, net::Ipv4Addr, pin::pin, sync::Arc, time::Duration};

use hyper::{Response, server::conn::http1, service::service_fn};
use tokio::{
    net::{TcpListener, TcpStream},
    task::yield_now,
};
use wif_io::clock::Wait;

use super::{
    answer::Body,
    connections::{Connections, Place},
    routes,
    session::Session,
    stream::Stream,
};

/// How long to wait when the system gives no more open files, and no connection can be dropped for one.
const NO_FILES_PAUSE: Duration = Duration::from_millis(50);
/// The largest head of a request, in bytes; hyper takes no less than 8 KiB, and 100 headers of its own accord.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Listens on a port of 127.0.0.1 that the system chooses.
///
/// # Errors
///
/// No port on 127.0.0.1 could be bound.
pub async fn listen() -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// Drops the connections with the loop that accepts them: each has a task of its own, which would go on answering.
struct Serving(Arc<Connections>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.drop_all();
    }
}

/// Answers until `stop`, or until it is dropped itself; no connection is answered after that.
pub async fn serve(listener: TcpListener, session: Arc<Session>, stop: impl Future<Output = ()>) {
    let clock = session.tokens.clock();
    let connections = Connections::new(Arc::clone(&clock));
    let _serving = Serving(Arc::clone(&connections));
    let mut stop = pin!(stop);
    let mut next_check = None;
    let mut check: Wait = Box::pin(future::pending());
    loop {
        let mut due = next_check;
        tokio::select! {
            () = &mut stop => return,
            () = &mut check => due = connections.drop_overdue(),
            () = connections.freed.notified(), if !connections.has_room() => {}
            accepted = listener.accept(), if connections.has_room() => match accepted {
                Ok((stream, _peer)) => {
                    let session = Arc::clone(&session);
                    let (deadline, dropped) =
                        connections.add(|place| connection(stream, session, Arc::new(place)));
                    due = Some(due.map_or(deadline, |due: Duration| due.min(deadline)));
                    if dropped {
                        // The new connection is read before the next one can take its place.
                        yield_now().await;
                    }
                }
                // Out of open files: a connection without the key gives one back.
                Err(_error) if connections.drop_oldest_keyless() => yield_now().await,
                Err(_error) => clock.sleep(NO_FILES_PAUSE).await,
            }
        }
        if due != next_check {
            next_check = due;
            check = match due {
                Some(due) => clock.sleep(due.saturating_sub(clock.elapsed())),
                None => Box::pin(future::pending()),
            };
        }
    }
}

async fn connection(stream: TcpStream, session: Arc<Session>, place: Arc<Place>) {
    let stream = Stream::new(stream, Arc::clone(&place));
    let answer = service_fn(|request| {
        let (session, place) = (Arc::clone(&session), Arc::clone(&place));
        async move {
            place.begin_answer();
            let response = routes::answer(&session, &place, request).await;
            place.end_answer();
            Ok::<Response<Body>, Infallible>(response)
        }
    });
    // An error here is a caller that went away, or one that does not speak HTTP.
    let _ = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(stream, answer)
        .await;
}

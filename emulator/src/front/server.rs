//! A listener: TCP connections, TLS, HTTP/1.1 and HTTP/2, and the layer that keeps the journal and applies faults.

use std::future::pending;
use std::net::TcpListener as StdListener;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::front::{delivery, record};
use crate::world::World;
use crate::world::fault::Delivery;
use crate::world::journal::Service;

/// One of the services, ready to be served.
#[derive(Clone)]
pub(crate) struct Server {
    service: Service,
    world: Arc<World>,
    router: Router,
    /// Without it the service speaks plain HTTP.
    tls: Option<TlsAcceptor>,
}

impl Server {
    pub(crate) fn new(
        service: Service,
        world: Arc<World>,
        router: Router,
        tls: Option<Arc<ServerConfig>>,
    ) -> Self {
        let layer = middleware::from_fn_with_state((service, Arc::clone(&world)), handle);
        Self { service, world, router: router.layer(layer), tls: tls.map(TlsAcceptor::from) }
    }

    pub(crate) async fn listen(self, listener: StdListener) {
        let listener = TcpListener::from_std(listener).expect("the listener is non-blocking");
        loop {
            let Ok((stream, _peer)) = listener.accept().await else { continue };
            let number = self.world.count_connection(self.service);
            tokio::spawn(self.clone().connection(stream, number));
        }
    }

    async fn connection(self, stream: TcpStream, number: u64) {
        // Nagle's algorithm would hold a small answer back until the client has acknowledged the one before.
        let _ = stream.set_nodelay(true);
        let Some(stream) = self.apply_connect_fault(stream).await else { return };
        let stream = match &self.tls {
            None => Stream::Plain(stream),
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => Stream::Tls(Box::new(stream)),
                Err(_) => return,
            },
        };
        let connection =
            Arc::new(Connection { number, reset: AtomicBool::new(false), closed: Notify::new() });
        let wire = TokioIo::new(ResettableStream { stream, connection: Arc::clone(&connection) });
        let service = TowerToHyperService::new(self.router.layer(Extension(Arc::clone(&connection))));
        let http = auto::Builder::new(TokioExecutor::new());
        tokio::select! {
            // A client may end its connection in any way, so the error is dropped.
            _ = http.serve_connection(wire, service) => {}
            () = connection.closed.notified() => {}
        }
    }

    async fn apply_connect_fault(&self, mut stream: TcpStream) -> Option<TcpStream> {
        let Some(effect) = self.world.faults.take_for_connect(self.service) else { return Some(stream) };
        match effect.delivery {
            Delivery::Reset => {
                let _ = stream.set_zero_linger();
            }
            Delivery::TlsBroken => {
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
            }
            _ => {
                let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            }
        }
        None
    }
}

/// Handles every request: takes its fault, writes it into the journal, applies the fault, asks the service, and sends the answer.
async fn handle(
    State((service, world)): State<(Service, Arc<World>)>,
    Extension(connection): Extension<Arc<Connection>>,
    request: Request,
    next: Next,
) -> Response {
    // Before the journal tells of the request: a test that sees it there may let its client try again at once, and the
    // second try must not meet the fault of the first.
    let effect = world
        .faults
        .take_for_request(service, request.method().as_str(), request.uri().path())
        .unwrap_or_default();
    let (at, request) = record::request(&world, service, connection.number, request).await;
    if let Some(gate) = &effect.gate {
        gate.pass().await;
    }
    match effect.delivery {
        Delivery::Hang => pending::<()>().await,
        Delivery::Reset => {
            connection.reset();
            pending::<()>().await;
        }
        _ => {}
    }
    let answer = if effect.replaces_the_answer() {
        delivery::answer_of_fault(&world, &effect, request.headers())
    } else {
        next.run(request).await
    };
    if let Some(gate) = &effect.answer_gate {
        gate.pass().await;
    }
    if effect.delivery == Delivery::LoseAnswer {
        world.journal.set_status(at, answer.status().as_u16());
        connection.reset();
        pending::<()>().await;
    }
    let answer = delivery::deliver(&world, effect, answer).await;
    world.journal.set_status(at, answer.status().as_u16());
    answer
}

/// The TCP connection of a request, by which a fault can reset it.
pub(crate) struct Connection {
    number: u64,
    reset: AtomicBool,
    closed: Notify,
}

impl Connection {
    fn reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
        self.closed.notify_one();
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Duplex for S {}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }

    fn pinned(&mut self) -> Pin<&mut dyn Duplex> {
        match self {
            Self::Plain(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(&mut **stream),
        }
    }
}

/// A stream that can be closed by a TCP reset, without the usual end of TLS and TCP.
struct ResettableStream {
    stream: Stream,
    connection: Arc<Connection>,
}

impl Drop for ResettableStream {
    fn drop(&mut self) {
        if self.connection.reset.load(Ordering::Relaxed) {
            let _ = self.stream.tcp().set_zero_linger();
        }
    }
}

impl AsyncRead for ResettableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.stream.pinned().poll_read(context, buffer)
    }
}

impl AsyncWrite for ResettableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.stream.pinned().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.stream.pinned().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.stream.pinned().poll_shutdown(context)
    }
}

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
    /// None: plain http.
    tls: Option<TlsAcceptor>,
}

impl Server {
    pub(crate) fn new(
        service: Service,
        world: Arc<World>,
        router: Router,
        tls: Option<Arc<ServerConfig>>,
    ) -> Self {
        let layer = middleware::from_fn_with_state((service, Arc::clone(&world)), observe);
        Self { service, world, router: router.layer(layer), tls: tls.map(TlsAcceptor::from) }
    }

    pub(crate) async fn listen(self, listener: StdListener) {
        let listener = TcpListener::from_std(listener).expect("the listener is non-blocking");
        loop {
            let Ok((stream, _peer)) = listener.accept().await else { continue };
            let number = self.world.connected(self.service);
            tokio::spawn(self.clone().connection(stream, number));
        }
    }

    async fn connection(self, stream: TcpStream, number: u64) {
        // Small answers must not wait for the acknowledgement of the ones before.
        let _ = stream.set_nodelay(true);
        let Some(stream) = self.before_tls(stream).await else { return };
        let stream = match &self.tls {
            None => Stream::Plain(stream),
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => Stream::Tls(Box::new(stream)),
                Err(_) => return,
            },
        };
        let line = Arc::new(Line { number, abrupt: AtomicBool::new(false), cut: Notify::new() });
        let wire = TokioIo::new(Wire { stream, line: Arc::clone(&line) });
        let service = TowerToHyperService::new(self.router.layer(Extension(Arc::clone(&line))));
        let http = auto::Builder::new(TokioExecutor::new());
        tokio::select! {
            // How a client ends a connection is its own affair.
            _ = http.serve_connection(wire, service) => {}
            () = line.cut.notified() => {}
        }
    }

    async fn before_tls(&self, mut stream: TcpStream) -> Option<TcpStream> {
        let Some(effect) = self.world.faults.on_connect(self.service) else { return Some(stream) };
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

/// Every request passes here: it is written down, a fault may happen to it, its answer gets a date.
async fn observe(
    State((service, world)): State<(Service, Arc<World>)>,
    Extension(line): Extension<Arc<Line>>,
    request: Request,
    next: Next,
) -> Response {
    let (at, request) = record::asked(&world, service, line.number, request).await;
    let effect =
        world.faults.on_request(service, request.method().as_str(), request.uri().path()).unwrap_or_default();
    if let Some(gate) = &effect.gate {
        gate.pass().await;
    }
    match effect.delivery {
        Delivery::Hang => pending::<()>().await,
        Delivery::Reset => {
            line.reset();
            pending::<()>().await;
        }
        _ => {}
    }
    let answer = if effect.replaces_the_answer() {
        delivery::scripted(&world, &effect, request.headers())
    } else {
        next.run(request).await
    };
    let answer = delivery::delivered(&world, effect, answer).await;
    world.journal.answered(at, answer.status().as_u16());
    answer
}

/// The TCP connection that a request came by.
pub(crate) struct Line {
    number: u64,
    abrupt: AtomicBool,
    cut: Notify,
}

impl Line {
    fn reset(&self) {
        self.abrupt.store(true, Ordering::Relaxed);
        self.cut.notify_one();
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

/// A stream that can end without good-bye.
struct Wire {
    stream: Stream,
    line: Arc<Line>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.line.abrupt.load(Ordering::Relaxed) {
            let _ = self.stream.tcp().set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.stream.pinned().poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
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

//! Applies a fault to an answer: another answer, other headers, or a body that is cut off, too long or slow.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{CONTENT_LENGTH, DATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use hyper::body::Frame;
use tokio::sync::mpsc;

use crate::services::answer::{answer_of_type, set_header};
use crate::services::entra;
use crate::world::World;
use crate::world::clock::http_date;
use crate::world::fault::{Delivery, Effect};
use crate::world::issued::IssuedKind;

/// The answer that a fault gives instead of the service.
pub(crate) fn answer_of_fault(world: &World, effect: &Effect, asked: &HeaderMap) -> Response {
    if let Some(token) = &effect.id_token {
        world.record_issued(IssuedKind::IdToken, token);
    }
    let mut answer = match (effect.aadsts, &effect.body) {
        (Some(code), _) => entra::refusal(world, code, asked),
        (None, Some((content_type, bytes))) => answer_of_type(200, content_type, bytes.clone()),
        (None, None) => Response::new(Body::empty()),
    };
    if let Some(status) = effect.status {
        *answer.status_mut() = StatusCode::from_u16(status).expect("a status has three digits");
    }
    answer
}

/// Adds the date and the fault's headers to an answer, and changes its body as the fault says.
pub(crate) async fn deliver(world: &World, effect: Effect, answer: Response) -> Response {
    let (mut head, body) = answer.into_parts();
    set_header(&mut head.headers, DATE.as_str(), &http_date(world.clock.now()));
    let body = match effect.delivery {
        Delivery::Truncate => {
            let bytes = read_whole(body).await;
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len() + 64));
            streamed(move |sender| send_cut_off(sender, bytes))
        }
        Delivery::Huge => {
            head.headers.remove(CONTENT_LENGTH);
            streamed(send_huge)
        }
        Delivery::Drip(interval) => {
            let bytes = read_whole(body).await;
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            streamed(move |sender| send_slowly(sender, bytes, interval))
        }
        _ => body,
    };
    for (name, value) in &effect.headers {
        set_header(&mut head.headers, name, value);
    }
    Response::from_parts(head, body)
}

async fn read_whole(body: Body) -> Bytes {
    to_bytes(body, usize::MAX).await.expect("our own bodies can be read")
}

async fn send_cut_off(sender: Sender, bytes: Bytes) {
    if sender.send(Ok(bytes)).await.is_ok() {
        // hyper must write these bytes before the error makes it drop the connection.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let _ = sender.send(Err(io::ErrorKind::ConnectionAborted.into())).await;
    }
}

async fn send_huge(sender: Sender) {
    let piece = Bytes::from(vec![b' '; 64 * 1024]);
    for _ in 0..=HUGE_PIECES {
        if sender.send(Ok(piece.clone())).await.is_err() {
            return;
        }
    }
}

async fn send_slowly(sender: Sender, bytes: Bytes, interval: Duration) {
    for at in 0..bytes.len() {
        tokio::time::sleep(interval).await;
        if sender.send(Ok(bytes.slice(at..=at))).await.is_err() {
            return;
        }
    }
}

/// A body whose pieces are sent by a task of its own.
fn streamed<F: Future<Output = ()> + Send + 'static>(write: impl FnOnce(Sender) -> F) -> Body {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(write(sender));
    Body::new(Pieces(receiver))
}

struct Pieces(mpsc::Receiver<io::Result<Bytes>>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

type Sender = mpsc::Sender<io::Result<Bytes>>;

/// Pieces of 64 KiB in 10 MiB; the body has one more.
const HUGE_PIECES: usize = 160;

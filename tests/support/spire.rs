//! A SPIFFE Workload API on a Unix socket: HTTP/2, gRPC's frames, and trailers.

use std::{convert::Infallible, path::Path, sync::mpsc};

use bytes::{Buf as _, Bytes};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{Request, Response, body::Frame, header::HeaderMap, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};

/// What a caller asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) security_header: Option<String>,
    pub(crate) audience: String,
}

/// Answers every call with this token, or with this status. What is asked can be received.
pub(crate) fn serve(socket: &Path, answer: Result<String, u32>) -> mpsc::Receiver<Asked> {
    let (sender, asked) = mpsc::channel();
    let listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::UnixListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, answer) = (sender.clone(), answer.clone());
                let service = service_fn(move |request| call(request, sender.clone(), answer.clone()));
                let connection =
                    http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
    });
    asked
}

type Body = StreamBody<futures_util::stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

async fn call(
    request: Request<hyper::body::Incoming>,
    sender: mpsc::Sender<Asked>,
    answer: Result<String, u32>,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let security_header =
        head.headers.get("workload.spiffe.io").map(|value| value.to_str().unwrap().to_owned());
    let mut message = body.collect().await.unwrap().to_bytes();
    // The prefix, the tag of the field, and its length.
    message.advance(7);
    let audience = String::from_utf8(message.to_vec()).unwrap();
    let _ = sender.send(Asked { path: head.uri.path().to_owned(), security_header, audience });
    let mut trailers = HeaderMap::new();
    let mut frames = Vec::new();
    match answer {
        Ok(token) => {
            let svid = [
                length_delimited(1, b"spiffe://contoso.example/ns/shop/sa/orders"),
                length_delimited(2, token.as_bytes()),
            ]
            .concat();
            let message = length_delimited(1, &svid);
            let size = u32::try_from(message.len()).unwrap().to_be_bytes();
            frames.push(Ok(Frame::data(Bytes::from([&[0][..], &size, &message].concat()))));
            trailers.insert("grpc-status", "0".parse().unwrap());
        }
        Err(status) => {
            trailers.insert("grpc-status", status.into());
            trailers.insert("grpc-message", "no identity issued".parse().unwrap());
        }
    }
    frames.push(Ok(Frame::trailers(trailers)));
    let body = StreamBody::new(futures_util::stream::iter(frames));
    Ok(Response::builder().header("content-type", "application/grpc").body(body).unwrap())
}

fn length_delimited(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = content.len();
    while length > 0x7F {
        field.push(u8::try_from(length & 0x7F).unwrap() | 0x80);
        length >>= 7;
    }
    field.push(u8::try_from(length).unwrap());
    [field, content.to_vec()].concat()
}

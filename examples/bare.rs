//! What the broker is measured beside: a server of the same library that gives every caller the same answer, with as many bytes
//! as a token's, and is optimized for speed (the profile `bare`). It prints its URL, and serves until it is killed.

use std::{convert::Infallible, error::Error, net::Ipv4Addr};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, header, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// About as long as the answer with an access token.
const BYTES: usize = 1700;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "a program of its own")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("http://{}/", listener.local_addr()?);
    let body = Bytes::from(vec![b'x'; BYTES]);
    loop {
        let (stream, _peer) = listener.accept().await?;
        let body = body.clone();
        tokio::spawn(async move {
            let answer = service_fn(|_request| {
                let answer = Response::builder()
                    .header(header::CONTENT_TYPE, "application/json")
                    .header(header::CACHE_CONTROL, "no-store")
                    .body(Full::new(body.clone()))
                    .unwrap_or_default();
                async move { Ok::<_, Infallible>(answer) }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

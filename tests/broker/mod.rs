//! The broker in this process: who may ask, what it costs, and that nothing is ever stale.

mod crowd;
mod protocol;
mod renewal;

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use wif::session::serve;
use wif_broker::{server, session::Session};
use wif_core::{azure::resource::Resource, secret::Secret};
use wif_io::clock::Clock;

use crate::support::Case;

pub(crate) const KEY: &str = "0123456789abcdef";

/// A broker in this process, with what a step hands over to its own.
pub(crate) async fn open(case: &Case, clock: Arc<dyn Clock>) -> Arc<Session> {
    let key = Secret::new(KEY.to_owned());
    let env = serve::environment(&case.env(), case.connection);
    let (listener, session) = serve::open_session(env, None, key, clock).await.unwrap();
    tokio::spawn(server::serve(listener, Arc::clone(&session), std::future::pending()));
    session
}

fn arm(session: &Session) -> Resource {
    Resource::parse("arm", &session.tokens.audiences).unwrap()
}

/// Sends bytes as they are, and reads the answer to its end.
pub(crate) async fn raw(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

fn head(line: &str, port: u16, headers: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}\r\n")
}

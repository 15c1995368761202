//! Asking a broker: for `wif token`, `wif status`, and the post-job stage.

use std::{io, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use url::Url;
use zeroize::Zeroizing;

use super::guard::KEY_HEADER;
use crate::{foreign_text::lines, identity::hosts, secret::Secret};

/// Where a broker is, and what it wants to be asked with.
#[derive(Debug)]
pub struct Address {
    url: Url,
    key: Secret,
}

/// A broker that gives no good answer.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The address is none of a broker.
    #[error("WIF_URL is not the address of a broker: accepted is http://127.0.0.1:PORT")]
    Address,
    /// Nobody listens.
    #[error(
        "the broker of this session does not answer: it has ended with its job, or this step runs on another machine or in another container"
    )]
    Gone(#[source] io::Error),
    /// The connection broke, or the answer is none.
    #[error("the broker's answer cannot be read")]
    Answer,
    /// It took too long.
    #[error("the broker gave no answer within {} s", PATIENCE.as_secs())]
    Slow,
    /// It said no.
    #[error("the broker refused ({status}): {}", reason.lines().next().unwrap_or_default())]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its reason, over several lines, of which this error shows the first.
        reason: String,
    },
}

/// The broker itself may wait for a minute.
const PATIENCE: Duration = Duration::from_secs(70);
/// The largest answer, in bytes.
const MOST: usize = 256 * 1024;

impl Address {
    /// Reads the address and the key of a session. Plain http is for this machine's loopback only.
    ///
    /// # Errors
    ///
    /// It is not on the loopback.
    pub fn new(url: &str, key: Secret) -> Result<Self, BrokerError> {
        let url = Url::parse(url).ok().filter(|url| url.scheme() == "http" && hosts::is_loopback(url));
        Ok(Self { url: url.ok_or(BrokerError::Address)?, key })
    }

    /// Asks, and reads the JSON of the answer.
    ///
    /// # Errors
    ///
    /// The broker is gone, slow, or refuses.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Value, BrokerError> {
        tokio::time::timeout(PATIENCE, self.exchange(method, path, query))
            .await
            .unwrap_or(Err(BrokerError::Slow))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Value, BrokerError> {
        let (host, port) = (self.url.host_str().unwrap_or_default(), self.url.port().unwrap_or_default());
        let stream = TcpStream::connect((host, port)).await.map_err(BrokerError::Gone)?;
        let broken = |_error: hyper::Error| BrokerError::Answer; // says no more, in other words
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let mut key =
            header::HeaderValue::from_str(self.key.expose()).map_err(|_error| BrokerError::Address)?; // quotes the key
        key.set_sensitive(true);
        let request = Request::builder()
            .method(method)
            .uri(format!("{path}?{query}"))
            .header(header::HOST, format!("{host}:{port}"))
            .header(header::CONTENT_LENGTH, 0)
            .header(KEY_HEADER, key)
            .body(Full::<Bytes>::default())
            .map_err(|_error| BrokerError::Address)?; // may quote the path
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MOST).collect().await;
        let body = body.map_err(|_error| BrokerError::Answer)?.to_bytes(); // says no more
        let body = Zeroizing::new(Vec::from(body));
        let answer: Value = serde_json::from_slice(&body).map_err(|_error| BrokerError::Answer)?; // quotes it
        if status.is_success() {
            return Ok(answer);
        }
        let reason = answer.get("message").and_then(Value::as_str).unwrap_or("no reason given");
        let reason = lines(reason);
        Err(BrokerError::Refused { status: status.as_u16(), reason })
    }
}

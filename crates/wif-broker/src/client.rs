//! Asking a broker: for `wif token`, `wif status`, and the post-job stage. The key is shown to a broker only that has
//! proven to have it already.

use std::{io, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    header,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use url::Url;
use wif_core::{azure::hosts, foreign_text::lines, secret::Secret};
use wif_io::{
    clock::{Clock, Limit, timeout},
    random,
};
use zeroize::Zeroizing;

use super::{guard::KEY_HEADER, paths, proof::Nonce};

/// Where a broker is, and what it wants to be asked with.
#[derive(Debug)]
pub struct Address {
    url: Url,
    key: Secret,
}

/// A broker that gives no good answer.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The address cannot be a broker's.
    #[error("WIF_URL is not the address of a broker: accepted is http://127.0.0.1:PORT")]
    Address,
    /// No process listens.
    #[error(
        "the broker of this session does not answer: it has ended with its job, or this step runs on another machine or in another container"
    )]
    Gone(#[source] io::Error),
    /// The connection broke before the answer was whole.
    #[error("the connection to the broker broke before its answer was whole")]
    Broken,
    /// The answer is not JSON.
    #[error("the broker's answer is not JSON")]
    Unreadable,
    /// It took too long.
    #[error("the broker gave no answer within {} s", .0.as_secs_f32())]
    Slow(Duration),
    /// Another program has the broker's port.
    #[error(
        "what answers at {address} did not prove that it is the broker of this session: the broker has ended, and another program has taken its port"
    )]
    Unproven {
        /// Where the broker was.
        address: String,
    },
    /// The system gave no random numbers.
    #[error("the system gave no random numbers")]
    NoRandom(#[source] random::Error),
    /// It said no.
    #[error("the broker refused ({status}): {}", reason.lines().next().unwrap_or_default())]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its reason, over several lines, of which this error shows the first.
        reason: String,
    },
}

/// How long an answer may take: the broker itself may wait for a minute.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(70);
/// How long the proof may take. The broker computes it at once.
const PROOF_TIMEOUT: Duration = Duration::from_secs(5);
/// How often to connect: a broker that others crowd may drop a connection that has not shown the key.
const ATTEMPTS: usize = 3;
/// The largest answer, in bytes.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

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
    /// The broker is gone, slow, or refuses; or what answers is not the broker.
    pub async fn ask(
        &self,
        clock: &dyn Clock,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Value, BrokerError> {
        self.ask_within(clock, ANSWER_TIMEOUT, method, path, query).await
    }

    /// The same, with a limit on the time that all of it takes.
    ///
    /// # Errors
    ///
    /// As [`Self::ask`].
    pub async fn ask_within(
        &self,
        clock: &dyn Clock,
        limit: Duration,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Value, BrokerError> {
        let exchange = async {
            let mut broker = with_timeout(clock, PROOF_TIMEOUT, self.find()).await?;
            self.exchange(&mut broker, method, path, query).await
        };
        with_timeout(clock, limit, exchange).await
    }

    /// A connection to the broker, which has proven to be it.
    async fn find(&self) -> Result<SendRequest<Full<Bytes>>, BrokerError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.connect_and_verify().await {
                Err(BrokerError::Broken) if attempts < ATTEMPTS => {}
                result => return result,
            }
        }
    }

    async fn connect_and_verify(&self) -> Result<SendRequest<Full<Bytes>>, BrokerError> {
        let (host, port) = self.host_and_port();
        let stream = TcpStream::connect((host, port)).await.map_err(BrokerError::Gone)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        let nonce = Nonce::random().map_err(BrokerError::NoRandom)?;
        let query = format!("nonce={}", nonce.as_str());
        let request = self.request(Method::GET, paths::PROOF, &query, None)?;
        let unproven = || BrokerError::Unproven { address: format!("{host}:{port}") };
        // A program that does not speak HTTP is not the broker; of a connection that broke, nothing is known.
        let response = sender.send_request(request).await;
        let response =
            response.map_err(|error| if error.is_parse() { unproven() } else { BrokerError::Broken })?;
        let answer = read(response).await.map_err(|error| match error {
            BrokerError::Refused { .. } | BrokerError::Unreadable => unproven(),
            error => error,
        })?;
        let proof = answer.get("proof").and_then(Value::as_str).unwrap_or_default();
        if !nonce.is_proven(&self.key, port, proof) {
            return Err(unproven());
        }
        // The key goes to where the proof came from, and nowhere else.
        sender.ready().await.map_err(broken)?;
        Ok(sender)
    }

    async fn exchange(
        &self,
        broker: &mut SendRequest<Full<Bytes>>,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Value, BrokerError> {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let request = self.request(method, path, &query, Some(&self.key))?;
        read(broker.send_request(request).await.map_err(broken)?).await
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        query: &str,
        key: Option<&Secret>,
    ) -> Result<Request<Full<Bytes>>, BrokerError> {
        let (host, port) = self.host_and_port();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{path}?{query}"))
            .header(header::HOST, format!("{host}:{port}"))
            .header(header::CONTENT_LENGTH, 0);
        if let Some(key) = key {
            let mut key =
                header::HeaderValue::from_str(key.expose()).map_err(|_error| BrokerError::Address)?; // quotes the key
            key.set_sensitive(true);
            request = request.header(KEY_HEADER, key);
        }
        request.body(Full::default()).map_err(|_error| BrokerError::Address) // may quote the path
    }

    fn host_and_port(&self) -> (&str, u16) {
        (self.url.host_str().unwrap_or_default(), self.url.port().unwrap_or_default())
    }
}

async fn with_timeout<T>(
    clock: &dyn Clock,
    limit: Duration,
    asked: impl Future<Output = Result<T, BrokerError>>,
) -> Result<T, BrokerError> {
    timeout(clock, Limit::BrokerAnswer, limit, asked).await.unwrap_or(Err(BrokerError::Slow(limit)))
}

async fn read(response: Response<Incoming>) -> Result<Value, BrokerError> {
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
    let body = body.map_err(|_error| BrokerError::Broken)?.to_bytes(); // says no more
    let body = Zeroizing::new(Vec::from(body));
    let answer: Value = serde_json::from_slice(&body).map_err(|_error| BrokerError::Unreadable)?; // quotes it
    if status.is_success() {
        return Ok(answer);
    }
    let reason = answer.get("message").and_then(Value::as_str).unwrap_or("no reason given");
    Err(BrokerError::Refused { status: status.as_u16(), reason: lines(reason) })
}

fn broken(_error: hyper::Error) -> BrokerError {
    BrokerError::Broken // hyper's error says no more, in other words
}

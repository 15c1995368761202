//! A small server that a test tells what to answer, and a clock that waits in no time.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;
use time::OffsetDateTime;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig, server::TlsStream};
use url::Url;
use wif_io::{
    clock::{Clock, Limit, Wait},
    http::{Http, Settings},
};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// The path with its query.
    pub(crate) target: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// What the server does with a request.
pub(crate) enum Reply {
    /// Status, headers, body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Reads the request, and closes the connection.
    Lost,
}

type Script = dyn Fn(&Seen, usize) -> Reply + Send + Sync;

/// A server on this machine, with TLS.
pub(crate) struct Server {
    pub(crate) url: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// Sleeps are jumps, and are kept. Limits are real, since what they limit is.
pub(crate) struct Jumping {
    begin: Instant,
    sleeps: Mutex<Vec<Duration>>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Reply {
    pub(crate) fn json(body: &Value) -> Self {
        Self::Answer(200, Vec::new(), body.to_string())
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), String::new())
    }

    pub(crate) fn header(self, name: &'static str, value: &impl ToString) -> Self {
        match self {
            Self::Answer(status, mut headers, body) => {
                headers.push((name, value.to_string()));
                Self::Answer(status, headers, body)
            }
            Self::Lost => Self::Lost,
        }
    }
}

impl Server {
    /// Starts a server. `script` gets each request and its number, counted from 0.
    pub(crate) async fn start(script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = certified.signing_key.serialize_der().try_into().unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("https://{}/", listener.local_addr().unwrap())).unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let (kept, script): (_, Arc<Script>) = (Arc::clone(&seen), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, kept, script) = (acceptor.clone(), Arc::clone(&kept), Arc::clone(&script));
                tokio::spawn(async move { serve(acceptor, stream, &kept, &*script).await });
            }
        });
        Self { url, seen }
    }

    /// Every request that came.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    seen: &Mutex<Vec<Seen>>,
    script: &Script,
) -> Option<()> {
    let mut stream = acceptor.accept(stream).await.ok()?;
    let request = read(&mut stream).await?;
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    if let Reply::Answer(status, headers, body) = script(&request, number) {
        let mut head =
            format!("HTTP/1.1 {status} .\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.ok()?;
        stream.shutdown().await.ok()?;
    }
    Some(())
}

async fn read(stream: &mut TlsStream<TcpStream>) -> Option<Seen> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let mut first = lines.next()?.split(' ').map(str::to_owned);
            let headers: Vec<_> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let seen = Seen { method: first.next()?, target: first.next()?, headers, body: body.to_owned() };
            let length = seen.header("content-length").map_or(0, |text| text.parse().unwrap());
            if body.len() >= length {
                return Some(seen);
            }
        }
        let mut part = [0; 4096];
        match stream.read(&mut part).await {
            Ok(count @ 1..) => bytes.extend_from_slice(&part[..count]),
            _ => return None,
        }
    }
}

impl Jumping {
    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { begin: Instant::now(), sleeps: Mutex::default() })
    }

    /// Every wait, in whole seconds, rounded.
    pub(crate) fn sleeps(&self) -> Vec<u64> {
        let sleeps = self.sleeps.lock().unwrap();
        sleeps.iter().map(|sleep| sleep.as_secs_f64().round() as u64).collect()
    }

    fn ahead(&self) -> Duration {
        self.sleeps.lock().unwrap().iter().sum()
    }
}

impl Clock for Jumping {
    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + self.ahead()
    }

    fn elapsed(&self) -> Duration {
        self.begin.elapsed() + self.ahead()
    }

    fn sleep(&self, duration: Duration) -> Wait {
        self.sleeps.lock().unwrap().push(duration);
        Box::pin(tokio::task::yield_now())
    }

    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    fn limit(&self, _what: Limit, duration: Duration) -> Wait {
        Box::pin(tokio::time::sleep(duration))
    }

    fn jitter(&self) -> u8 {
        0
    }
}

/// A client that takes the servers' certificates.
pub(crate) fn http(clock: &Arc<Jumping>) -> Http {
    let settings = Settings { only_roots: true, skip_validation: true, ..Settings::default() };
    Http::new(settings, Arc::clone(clock) as _).unwrap()
}

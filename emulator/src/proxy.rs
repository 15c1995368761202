//! An HTTP CONNECT proxy on loopback that leads public host names to an emulator.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{self, Runtime};

use crate::emulator::{Emulator, listener, port};
use crate::world::journal::Service;
use crate::world::tls::PUBLIC_NAMES;

/// Options of a proxy.
#[derive(Clone, Default)]
pub struct ProxyOptions {
    user: Option<(String, String)>,
    hosts: BTreeMap<String, u16>,
    refuse_first: usize,
    silent: bool,
}

impl ProxyOptions {
    /// Demands this user and password (Basic).
    #[must_use]
    pub fn user(self, name: &str, password: &str) -> Self {
        Self { user: Some((name.to_owned(), password.to_owned())), ..self }
    }

    /// Leads `host:port` to this port of loopback; `*.` stands for one label, as in a certificate.
    #[must_use]
    pub fn lead(mut self, host_and_port: &str, to: u16) -> Self {
        self.hosts.insert(host_and_port.to_lowercase(), to);
        self
    }

    /// Refuses every request with 403.
    #[must_use]
    pub fn refuse_all(self) -> Self {
        self.refuse_first(usize::MAX)
    }

    /// Refuses the first requests, this many, with 403.
    #[must_use]
    pub fn refuse_first(self, count: usize) -> Self {
        Self { refuse_first: count, ..self }
    }

    /// Reads requests and never answers.
    #[must_use]
    pub fn silent(self) -> Self {
        Self { silent: true, ..self }
    }
}

/// A request to the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyEntry {
    /// The method; any but `CONNECT` is refused.
    pub method: String,
    /// `host:port` of a `CONNECT`, as sent.
    pub target: String,
    /// Whether the user and password were right, or are not demanded.
    pub authorized: bool,
    /// The proxy's answer.
    pub status: u16,
}

/// A running proxy; it ends when it is dropped.
pub struct Proxy {
    journal: Arc<Mutex<Vec<ProxyEntry>>>,
    port: u16,
    runtime: Option<Runtime>,
}

impl Proxy {
    /// Options that lead every public name, and the emulator's own addresses, to an emulator.
    #[must_use]
    pub fn leading_to(emulator: &Emulator) -> ProxyOptions {
        // Other clouds listen once they are asked for.
        let is_azure = |name: &&&str| !name.ends_with("amazonaws.com") && !name.ends_with("googleapis.com");
        let names = PUBLIC_NAMES.iter().filter(is_azure).map(|name| {
            let service = match name {
                name if name.ends_with("dev.azure.com") => Service::DevOps,
                name if name.starts_with("login.") => Service::Entra,
                name if name.starts_with("graph.") => Service::Graph,
                name if name.starts_with("*.blob.") => Service::Blob,
                _ => Service::Arm,
            };
            (format!("{name}:443"), emulator.port(service))
        });
        let own = [Service::DevOps, Service::Entra, Service::Arm, Service::Blob, Service::Graph];
        let own = own
            .into_iter()
            .map(|service| emulator.port(service))
            .flat_map(|port| [(format!("127.0.0.1:{port}"), port), (format!("localhost:{port}"), port)]);
        ProxyOptions { hosts: names.chain(own).collect(), ..ProxyOptions::default() }
    }

    /// Starts it; it listens when this returns.
    #[must_use]
    pub fn start(options: ProxyOptions) -> Self {
        let listener = listener();
        let port = port(&listener);
        let journal = Arc::<Mutex<Vec<ProxyEntry>>>::default();
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("proxy")
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.spawn(listen(listener, Arc::new(options), Arc::clone(&journal)));
        Self { journal, port, runtime: Some(runtime) }
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Every request so far, in order.
    #[must_use]
    pub fn journal(&self) -> Vec<ProxyEntry> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many tunnels to `host:port` were opened.
    #[must_use]
    pub fn tunnels(&self, target: &str) -> usize {
        self.journal().iter().filter(|entry| entry.status == 200 && entry.target == target).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn listen(listener: StdListener, options: Arc<ProxyOptions>, journal: Arc<Mutex<Vec<ProxyEntry>>>) {
    let listener = TcpListener::from_std(listener).expect("the listener is non-blocking");
    loop {
        let Ok((stream, _peer)) = listener.accept().await else { continue };
        let (options, journal) = (Arc::clone(&options), Arc::clone(&journal));
        tokio::spawn(async move {
            // A client may end its tunnel in any way, so the error is dropped.
            let _ = serve(stream, &options, &journal).await;
        });
    }
}

/// Answers requests until one opens a tunnel; after a 407 the client may try again on the same connection.
async fn serve(
    mut client: TcpStream,
    options: &ProxyOptions,
    journal: &Mutex<Vec<ProxyEntry>>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    while let Some(head) = read_head(&mut client).await? {
        let (status, port) = {
            let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
            let (entry, port) = decide(options, journal.len(), &head);
            let status = entry.status;
            journal.push(entry);
            (status, port)
        };
        if options.silent {
            return std::future::pending().await;
        }
        if let Some(port) = port {
            let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
            server.set_nodelay(true)?;
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
            copy_bidirectional(&mut client, &mut server).await?;
            return Ok(());
        }
        client.write_all(refusal(status).as_bytes()).await?;
        if status != 407 {
            return Ok(());
        }
    }
    Ok(())
}

/// The head of the next request; `None` when the client has closed the connection or the head is too long.
async fn read_head(client: &mut TcpStream) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        // Read byte by byte, because the bytes behind the head belong to the tunnel.
        match client.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        if head.len() > MAX_HEAD_BYTES {
            return Ok(None);
        }
    }
    Ok(Some(String::from_utf8_lossy(&head).into_owned()))
}

/// The journal's entry, and the port to connect to if the request is granted; `before` is the number of earlier requests.
fn decide(options: &ProxyOptions, before: usize, head: &str) -> (ProxyEntry, Option<u16>) {
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default().to_owned();
    let sent = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization"))
        .map(|(_, value)| value.trim());
    let authorized = options.user.as_ref().is_none_or(|(name, password)| {
        let credentials = STANDARD.encode(format!("{name}:{password}"));
        sent.and_then(|sent| sent.split_once(' ')).is_some_and(|(scheme, value)| {
            scheme.eq_ignore_ascii_case("basic") && value.trim() == credentials
        })
    });
    let asked = target.to_lowercase();
    let any = asked.split_once('.').map(|(_label, rest)| format!("*.{rest}"));
    let port = options.hosts.get(&asked).or_else(|| options.hosts.get(&any?)).copied();
    let (status, port) = match port {
        _ if method != "CONNECT" => (405, None),
        _ if !authorized => (407, None),
        Some(port) if before >= options.refuse_first => (200, Some(port)),
        _ => (403, None),
    };
    (ProxyEntry { method, target, authorized, status }, port)
}

fn refusal(status: u16) -> String {
    let (reason, more) = match status {
        405 => ("Method Not Allowed", "Allow: CONNECT\r\nConnection: close\r\n"),
        407 => ("Proxy Authentication Required", "Proxy-Authenticate: Basic realm=\"emulator\"\r\n"),
        _ => ("Forbidden", "Connection: close\r\n"),
    };
    format!("HTTP/1.1 {status} {reason}\r\n{more}Content-Length: 0\r\n\r\n")
}

const MAX_HEAD_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn status(options: &ProxyOptions, head: &str) -> u16 {
        decide(options, 0, head).0.status
    }

    #[test]
    fn only_known_hosts_are_led_anywhere() {
        let options = ProxyOptions::default().lead("dev.azure.com:443", 1);
        assert_eq!(status(&options, "CONNECT example.com:443 HTTP/1.1\r\n\r\n"), 403);
        assert_eq!(status(&options, "GET http://dev.azure.com/ HTTP/1.1\r\n\r\n"), 405);
        assert_eq!(status(&options, "CONNECT dev.azure.com:443 HTTP/1.1\r\n\r\n"), 200);
        assert_eq!(status(&options.refuse_all(), "CONNECT dev.azure.com:443 HTTP/1.1\r\n\r\n"), 403);
    }

    #[test]
    fn a_star_is_one_label() {
        let options = ProxyOptions::default().lead("*.blob.core.windows.net:443", 1);
        assert_eq!(status(&options, "CONNECT one.blob.core.windows.net:443 HTTP/1.1\r\n\r\n"), 200);
        assert_eq!(status(&options, "CONNECT a.b.blob.core.windows.net:443 HTTP/1.1\r\n\r\n"), 403);
        assert_eq!(status(&options, "CONNECT blob.core.windows.net:443 HTTP/1.1\r\n\r\n"), 403);
    }

    #[test]
    fn a_password_is_asked_for_and_compared() {
        let options = ProxyOptions::default().lead("dev.azure.com:443", 1).user("u", "p");
        let with =
            |header: &str| status(&options, &format!("CONNECT dev.azure.com:443 HTTP/1.1\r\n{header}\r\n"));
        assert_eq!(with(""), 407);
        assert_eq!(with("Proxy-Authorization: Basic dTp4\r\n"), 407);
        assert_eq!(with("proxy-authorization: basic dTpw\r\n"), 200);
    }
}

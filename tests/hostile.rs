//! Callers without the key: they get nothing, and hold up no caller with it.

use std::{future::pending, io, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use hyper::Method;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
};
use wif::session::serve;
use wif_broker::{
    client::{Address, BrokerError},
    paths, server,
    session::Session,
};
use wif_core::secret::Secret;
use wif_io::{clock, process};

use crate::{
    broker::{KEY, open},
    support::{Case, REAL_LIMIT, Virtual, idle, run, timeout},
};

const HOSTILE: usize = 512;

fn address(port: u16) -> Address {
    Address::new(&format!("http://127.0.0.1:{port}"), Secret::new(KEY.to_owned())).unwrap()
}

async fn status(port: u16) -> Result<Value, BrokerError> {
    address(port).ask(&clock::System::new(), Method::GET, paths::STATUS, &[]).await
}

async fn connect(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

async fn send(port: u16, bytes: &str) -> TcpStream {
    let mut stream = connect(port).await;
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream
}

/// Whether the broker has closed the connection, once all that can be read is read.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    timeout(REAL_LIMIT, stream.read_to_end(&mut rest)).await.is_ok()
}

/// Lets all that can go on go on, until the connection is closed or nothing has happened for a while.
async fn closes_soon(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    timeout(Duration::from_millis(300), stream.read_to_end(&mut rest)).await.is_ok()
}

fn keyed(port: u16) -> String {
    format!("GET /status HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-IDENTITY-HEADER: {KEY}\r\n\r\n")
}

fn proof(port: u16) -> String {
    format!("GET /proof?nonce={} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n", "00".repeat(32))
}

/// Reads the head and the body of one answer.
async fn one_answer(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    let mut buffer = [0; 4096];
    while !answer.ends_with('}') {
        let read = timeout(REAL_LIMIT, stream.read(&mut buffer)).await.unwrap().unwrap();
        assert_ne!(read, 0, "closed after {answer:?}");
        answer.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    answer
}

#[test]
fn a_refusal_before_the_key_closes_the_connection() {
    let case = Case::new();
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        let port = session.port;
        let own = format!("Host: 127.0.0.1:{port}\r\n");
        let key = format!("X-IDENTITY-HEADER: {KEY}\r\n");
        for (status, request) in [
            (403, "GET /status HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
            (403, format!("GET /status HTTP/1.1\r\nHost: x\r\n{key}\r\n")),
            (403, format!("GET /status HTTP/1.1\r\n{own}{key}Origin: null\r\n\r\n")),
            (403, format!("GET http://evil.example/status HTTP/1.1\r\n{own}{key}\r\n")),
            (401, format!("GET /status HTTP/1.1\r\n{own}\r\n")),
            (401, format!("GET /status HTTP/1.1\r\n{own}X-IDENTITY-HEADER: wrong\r\n\r\n")),
            (401, format!("POST /azd/token HTTP/1.1\r\n{own}Content-Length: 100000000\r\n\r\n")),
            (400, format!("GET /proof?nonce=1 HTTP/1.1\r\n{own}\r\n")),
            (405, format!("POST /proof HTTP/1.1\r\n{own}Content-Length: 0\r\n\r\n")),
            (400, "NONSENSE\r\n\r\n".to_owned()),
            (400, format!("GET /status HTTP/1.1\r\n{own}No colon\r\n\r\n")),
            (431, format!("GET /status HTTP/1.1\r\n{own}X: {}\r\n\r\n", "x".repeat(20_000))),
        ] {
            let mut stream = send(port, &request).await;
            let mut answer = Vec::new();
            let closed = timeout(REAL_LIMIT, stream.read_to_end(&mut answer)).await;
            let answer = String::from_utf8_lossy(&answer);
            assert!(closed.is_ok(), "still open: {request}");
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request}\n{answer}");
        }
    });
}

#[test]
fn the_key_in_its_own_header_ends_the_broker_and_shown_elsewhere_it_does_not() {
    let case = Case::new();
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        let port = session.port;
        let host = format!("Host: 127.0.0.1:{port}\r\nContent-Length: 0\r\n");
        for (status, request) in [
            (401, format!("POST /end HTTP/1.1\r\n{host}\r\n")),
            (401, format!("POST /end HTTP/1.1\r\n{host}Authorization: Bearer {KEY}\r\n\r\n")),
            (401, format!("POST /{KEY}/end HTTP/1.1\r\n{host}\r\n")),
            (405, format!("GET /end HTTP/1.1\r\n{host}X-IDENTITY-HEADER: {KEY}\r\n\r\n")),
        ] {
            let answer = one_answer(&mut send(port, &request).await).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request}\n{answer}");
        }
        assert!(session.end.notified().now_or_never().is_none(), "the broker must go on");
        address(port).ask(&clock::System::new(), Method::POST, paths::END, &[]).await.unwrap();
        assert!(session.end.notified().now_or_never().is_some(), "the broker must end");
    });
}

#[test]
fn a_connection_that_has_shown_the_key_gets_nothing_after_the_end_of_the_broker() {
    let case = Case::new();
    run(async {
        let env = serve::environment(&case.env(), case.connection);
        let key = Secret::new(KEY.to_owned());
        let clock = Arc::new(clock::System::new());
        let (listener, session) = serve::open_session(env, None, key, clock).await.unwrap();
        let port = session.port;
        let serving = tokio::spawn(server::serve(listener, session, pending()));
        let mut stream = send(port, &keyed(port)).await;
        assert!(one_answer(&mut stream).await.starts_with("HTTP/1.1 200"));
        serving.abort();
        assert!(serving.await.unwrap_err().is_cancelled());
        // The system may say already here that the other side is closed.
        let _ = stream.write_all(keyed(port).as_bytes()).await;
        let mut rest = Vec::new();
        let end = timeout(REAL_LIMIT, stream.read_to_end(&mut rest)).await;
        assert!(end.is_ok() && rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    });
}

/// A kind of caller that has no key and stays as long as it can.
#[derive(Clone, Copy, Debug)]
enum Hostile {
    Silent,
    HalfAHead,
    NeverReads,
    ForeignHost,
    ComesBack,
    AsksForProof,
}

impl Hostile {
    const ALL: [Self; 6] = [
        Self::Silent,
        Self::HalfAHead,
        Self::NeverReads,
        Self::ForeignHost,
        Self::ComesBack,
        Self::AsksForProof,
    ];

    fn start(self, port: u16) -> JoinHandle<()> {
        let foreign = "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned();
        let proof = proof(port);
        tokio::spawn(async move {
            match self {
                Self::Silent => {
                    let _stream = connect(port).await;
                    pending::<()>().await;
                }
                Self::HalfAHead => {
                    let _stream = send(port, "GET / HTTP/1.1\r\nHos").await;
                    pending::<()>().await;
                }
                Self::NeverReads => {
                    let mut stream = connect(port).await;
                    // Until the buffers are full, or the broker has closed it.
                    while stream.write_all(foreign.repeat(100).as_bytes()).await.is_ok() {}
                    pending::<()>().await;
                }
                Self::ForeignHost => {
                    let mut stream = connect(port).await;
                    let mut answer = [0; 4096];
                    while stream.write_all(foreign.as_bytes()).await.is_ok()
                        && stream.read(&mut answer).await.is_ok_and(|read| read > 0)
                    {}
                    pending::<()>().await;
                }
                Self::ComesBack => loop {
                    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                    let mut rest = Vec::new();
                    let _ = stream.write_all(foreign.as_bytes()).await;
                    let _ = stream.read_to_end(&mut rest).await;
                },
                Self::AsksForProof => {
                    let mut stream = send(port, &proof).await;
                    one_answer(&mut stream).await;
                    pending::<()>().await;
                }
            }
        })
    }
}

#[test]
fn a_caller_with_the_key_is_answered_beside_512_hostile_connections_of_any_kind() {
    process::allow_many_files();
    for kind in Hostile::ALL {
        let case = Case::new();
        run(async {
            // No time passes for the broker, so that no limit of it makes room.
            let session = open(&case, Virtual::new(case.emulator.now()) as _).await;
            let hostile: Vec<_> = (0..HOSTILE).map(|_| kind.start(session.port)).collect();
            for _ in 0..3 {
                // They come in between.
                for _ in 0..50 {
                    tokio::task::yield_now().await;
                }
                let answer = timeout(REAL_LIMIT, status(session.port)).await;
                assert!(answer.is_ok_and(|answer| answer.is_ok()), "{kind:?}");
            }
            hostile.iter().for_each(JoinHandle::abort);
        });
    }
}

#[test]
fn at_the_limit_the_oldest_connection_without_the_key_makes_room_and_none_with_it() {
    process::allow_many_files();
    let case = Case::new();
    run(async {
        let session = open(&case, Virtual::new(case.emulator.now()) as _).await;
        let port = session.port;
        let mut with_key = send(port, &keyed(port)).await;
        one_answer(&mut with_key).await;
        let mut silent = Vec::new();
        for _ in 0..1200 {
            silent.push(connect(port).await);
            tokio::task::yield_now().await;
        }
        assert!(is_closed(&mut silent[0]).await, "the oldest");
        assert!(status(port).await.is_ok());
        assert!(!closes_soon(silent.last_mut().unwrap()).await, "the newest");
        with_key.write_all(keyed(port).as_bytes()).await.unwrap();
        one_answer(&mut with_key).await;
    });
}

async fn at(clock: &Virtual, passed: &mut Duration, seconds: u64) {
    while *passed < Duration::from_secs(seconds) {
        idle().await;
        *passed += clock.pass(Duration::from_secs(seconds).saturating_sub(*passed));
    }
}

#[test]
fn a_connection_without_the_key_lasts_ten_seconds_whatever_it_does() {
    let case = Case::new();
    run(async {
        let clock = Virtual::new(case.emulator.now());
        let session = open(&case, Arc::clone(&clock) as _).await;
        let port = session.port;
        let mut passed = Duration::ZERO;
        let mut silent = connect(port).await;
        let mut drip = send(port, "GET / HTTP/1.1\r\nX: ").await;
        let mut proven = send(port, &proof(port)).await;
        assert!(one_answer(&mut proven).await.contains("proof"));
        for second in 1..10 {
            at(&clock, &mut passed, second).await;
            drip.write_all(b"x").await.unwrap();
        }
        for stream in [&mut silent, &mut drip, &mut proven] {
            assert!(!closes_soon(stream).await, "before its time");
        }
        at(&clock, &mut passed, 11).await;
        for stream in [&mut silent, &mut drip, &mut proven] {
            assert!(is_closed(stream).await);
        }
    });
}

#[test]
fn a_connection_gets_one_proof() {
    let case = Case::new();
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        let port = session.port;
        let mut stream = send(port, &proof(port)).await;
        assert!(one_answer(&mut stream).await.starts_with("HTTP/1.1 200"));
        stream.write_all(proof(port).as_bytes()).await.unwrap();
        assert!(one_answer(&mut stream).await.starts_with("HTTP/1.1 403"));
        assert!(is_closed(&mut stream).await);
    });
}

#[test]
fn a_connection_with_the_key_may_rest_and_wait_but_not_block() {
    let case = Case::new();
    run(async {
        let clock = Virtual::new(case.emulator.now());
        let session = open(&case, Arc::clone(&clock) as _).await;
        let port = session.port;
        let mut passed = Duration::ZERO;
        let mut used = send(port, &keyed(port)).await;
        one_answer(&mut used).await;
        let mut resting = send(port, &keyed(port)).await;
        one_answer(&mut resting).await;
        at(&clock, &mut passed, 14).await;
        used.write_all(keyed(port).as_bytes()).await.unwrap();
        one_answer(&mut used).await;
        at(&clock, &mut passed, 16).await;
        assert!(is_closed(&mut resting).await, "after 15 s without a request");
        assert!(!closes_soon(&mut used).await, "it asked at second 14");
        // This one never reads: answers are made until the buffers between the two are full.
        let mut never_reads = send(port, &keyed(port)).await;
        let many = keyed(port).repeat(100);
        let mut blocked = 0;
        while blocked < 3 {
            idle().await;
            match never_reads.try_write(many.as_bytes()) {
                Ok(_) => blocked = 0,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => blocked += 1,
                Err(error) => panic!("{error}"),
            }
        }
        at(&clock, &mut passed, 60).await;
        // What is in the buffers can still be read; after it the connection is broken.
        assert!(is_closed(&mut never_reads).await);
        assert!(status(port).await.is_ok());
    });
}

/// A program that has taken the port of a broker; what it was sent before a connection without a byte.
async fn other_program(answer: &'static str) -> (u16, JoinHandle<String>) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let mut heard = String::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (before, mut buffer) = (heard.len(), [0; 8192]);
            while let Ok(Ok(read @ 1..)) = timeout(REAL_LIMIT, stream.read(&mut buffer)).await {
                heard.push_str(&String::from_utf8_lossy(&buffer[..read]));
                if stream.write_all(answer.as_bytes()).await.is_err() || answer.is_empty() {
                    break;
                }
            }
            if heard.len() == before {
                return heard;
            }
        }
    });
    (port, task)
}

#[test]
fn a_program_that_took_a_brokers_port_hears_no_key_and_is_not_believed() {
    const TOKEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 29\r\n\r\n{\"access_token\":\"of another\"}";
    const NO_PATH: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}";
    const EMPTY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"proof\":\"\"}";
    const HTML: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>";
    const REDIRECT: &str = "HTTP/1.1 307 Moved\r\nLocation: /proof\r\nContent-Length: 0\r\n\r\n";
    for (answer, unproven) in [
        (TOKEN, true),
        (NO_PATH, true),
        (EMPTY, true),
        (HTML, true),
        (REDIRECT, true),
        ("SSH-2.0-OpenSSH_9\r\n", true),
        ("", false),
    ] {
        run(async {
            let (port, heard) = other_program(answer).await;
            let error = status(port).await.unwrap_err();
            assert_eq!(matches!(error, BrokerError::Unproven { .. }), unproven, "{answer}: {error}");
            assert!(matches!(error, BrokerError::Unproven { .. } | BrokerError::Broken), "{error}");
            // After all that was sent: connections are taken in the order in which they came.
            drop(connect(port).await);
            let heard = heard.await.unwrap();
            assert!(heard.contains("/proof?nonce="), "{heard}");
            assert!(!heard.contains(KEY), "{heard}");
        });
    }
}

#[test]
fn a_proof_that_is_passed_on_from_a_broker_elsewhere_is_not_believed() {
    let case = Case::new();
    run(async {
        let session: Arc<Session> = open(&case, Arc::new(clock::System::new())).await;
        let broker = session.port;
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut caller, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 8192];
            let read = caller.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let request = request.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{broker}"));
            let mut onward = send(broker, &request).await;
            let answer = one_answer(&mut onward).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            caller.write_all(answer.as_bytes()).await.unwrap();
        });
        let error = status(port).await.unwrap_err();
        assert!(matches!(error, BrokerError::Unproven { .. }), "{error}");
        assert!(status(broker).await.is_ok(), "the broker itself is believed");
    });
}

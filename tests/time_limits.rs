//! What takes too long is given up, and told so. No test waits for it.

use std::{path::PathBuf, process::Command, sync::Arc, time::Duration};

use emulator::{Fault, Gate, Service};
use hyper::Method;
use time::OffsetDateTime;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use wif_broker::{
    client::{Address, BrokerError},
    paths,
};
use wif_core::{code::Code, secret::Secret};
use wif_io::clock::{self, Limit};

use crate::{
    broker::{KEY, open},
    support::{Case, REAL_LIMIT, Virtual, run, timeout, wait_for},
};

/// A program that takes what it is handed, and says nothing.
#[cfg(unix)]
fn silent_program(folder: &tempfile::TempDir) -> PathBuf {
    let program = folder.path().join("silent");
    // Written by another process: a program that is open for writing anywhere in this one cannot be started.
    let script = "printf '#!/bin/sh\\nexec sleep 1000\\n' > \"$0\" && chmod +x \"$0\"";
    assert!(Command::new("/bin/sh").args(["-c", script]).arg(&program).status().unwrap().success());
    program
}

#[cfg(unix)]
#[test]
fn a_broker_that_does_not_begin_fails_the_step_after_twenty_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let case =
        Case::new().input("refresh", "true").input("exports", "azure-sdk").program(silent_program(&folder));
    case.clock.runs_out(Limit::BrokerStart);
    let text = case.fails(Code::BrokerFailed);
    assert!(text.contains("the broker did not listen within 20 s"), "{text}");
    assert!(text.contains("set refresh: false"), "{text}");
    assert_eq!(clock::Clock::elapsed(&*case.clock), Duration::from_secs(20));
}

/// Asks what listens at this port for its status, by a clock that only the test moves.
fn ask(port: u16, path: &'static str) -> (Arc<Virtual>, tokio::task::JoinHandle<BrokerError>) {
    let (clock, _wire) = Virtual::watching(OffsetDateTime::UNIX_EPOCH);
    let own = Arc::clone(&clock);
    let address = Address::new(&format!("http://127.0.0.1:{port}"), Secret::new(KEY.to_owned())).unwrap();
    let asked = tokio::spawn(async move {
        let query = [("resource", "https://management.azure.com/")];
        address.ask(&*own, Method::GET, path, &query).await.unwrap_err()
    });
    (clock, asked)
}

async fn ends(asked: tokio::task::JoinHandle<BrokerError>) -> String {
    let error = timeout(REAL_LIMIT, asked).await.unwrap().unwrap();
    assert!(matches!(error, BrokerError::Slow(_)), "{error}");
    error.to_string()
}

#[test]
fn a_program_that_has_a_brokers_port_and_says_nothing_is_given_up_after_five_seconds() {
    run(async {
        let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (clock, asked) = ask(silent.local_addr().unwrap().port(), paths::STATUS);
        wait_for("both limits have begun", String::new, || clock.sleepers() == 2).await;
        clock.pass(Duration::from_millis(4999));
        let _open = timeout(REAL_LIMIT, silent.accept()).await.unwrap().unwrap();
        assert!(!asked.is_finished(), "before its time");
        clock.pass(Duration::from_millis(1));
        assert_eq!(ends(asked).await, "the broker gave no answer within 5 s");
    });
}

#[test]
fn a_broker_that_has_proven_to_be_one_is_given_up_after_seventy_seconds() {
    let case = Case::new();
    let gate = Gate::new();
    case.emulator.fault(Fault::on(Service::DevOps, "POST", "/oidctoken").always().gate(&gate));
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        let (clock, asked) = ask(session.port, paths::IDENTITY);
        timeout(REAL_LIMIT, gate.reached(1)).await.unwrap();
        clock.pass(Duration::from_millis(69_999));
        assert!(!asked.is_finished(), "before its time");
        clock.pass(Duration::from_millis(1));
        assert_eq!(ends(asked).await, "the broker gave no answer within 70 s");
    });
}

#[test]
fn a_body_that_does_not_come_is_refused_after_fifteen_seconds() {
    let case = Case::new();
    run(async {
        let (clock, _wire) = Virtual::watching(case.emulator.now());
        let session = open(&case, Arc::clone(&clock) as _).await;
        let mut caller = TcpStream::connect(("127.0.0.1", session.port)).await.unwrap();
        let head = format!(
            "POST /azd/token HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {KEY}\r\n\
             Content-Type: application/json\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{{",
            session.port
        );
        caller.write_all(head.as_bytes()).await.unwrap();
        // That of the connections, and that of the body.
        wait_for("both limits have begun", || case.emulator.journal_text(), || clock.sleepers() == 2).await;
        let pass = |milliseconds: u64| {
            let mut left = Duration::from_millis(milliseconds);
            while !left.is_zero() {
                left -= clock.pass(left);
            }
        };
        pass(14_999);
        let mut byte = [0];
        assert!(timeout(Duration::from_millis(50), caller.read(&mut byte)).await.is_err(), "before its time");
        pass(1);
        let mut answer = String::new();
        timeout(REAL_LIMIT, caller.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("the body does not come"), "{answer}");
    });
    assert_eq!(case.asked(), (0, 0));
}

//! Faults: what they do to a request, an answer or a connection.

use std::time::Duration;

use emulator::{Emulator, Fault, Gate, Service, USUAL};
use serde_json::json;
use uuid::Uuid;

use super::client::{body, client, sign_in};

#[tokio::test]
async fn entra_throttles_once_and_then_grants() {
    let emulator = Emulator::start();
    let client = client(&emulator);
    emulator.fault(
        Fault::on(Service::Entra, "POST", "/oauth2/v2.0/token").status(429).header("Retry-After", "2"),
    );
    let answer = sign_in(&client, &emulator, USUAL.connection, USUAL.client).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"2".parse().unwrap()));
    let answer = sign_in(&client, &emulator, USUAL.connection, USUAL.client).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(emulator.count(Service::Entra, "POST "), 2);
}

#[tokio::test]
async fn a_scripted_refusal_echoes_the_correlation_id() {
    let emulator = Emulator::start();
    let client = client(&emulator);
    emulator.fault(Fault::on(Service::Arm, "*", "/").aadsts(90_055));
    let id = Uuid::from_u128(7).to_string();
    let answer = client.get(emulator.arm_url()).header("client-request-id", &id).send().await.unwrap();
    assert_eq!(answer.status(), 429);
    assert_eq!(body(answer).await["correlation_id"], id);
}

#[tokio::test]
async fn a_gate_shows_that_requests_overlap() {
    let emulator = Emulator::start();
    let client = client(&emulator);
    let gate = Gate::new();
    emulator.fault(Fault::on(Service::Arm, "GET", "/metadata").always().gate(&gate));
    let url = format!("{}/metadata/endpoints?api-version=2022-09-01", emulator.arm_url());
    let ask = || async { client.get(&url).send().await.unwrap().status() };
    let test = async {
        gate.reached(2).await;
        assert_eq!(emulator.journal().iter().filter(|entry| entry.status.is_none()).count(), 2);
        gate.open();
    };
    let (first, second, ()) = tokio::join!(ask(), ask(), test);
    assert_eq!((first.as_u16(), second.as_u16()), (200, 200));
}

#[tokio::test]
async fn broken_answers_are_broken_over_both_versions_of_http() {
    for http1_only in [true, false] {
        let emulator = Emulator::builder().http1_only(http1_only).start();
        let client = client(&emulator);
        let url = format!("{}/metadata/endpoints?api-version=2022-09-01", emulator.arm_url());
        let on = || Fault::on(Service::Arm, "GET", "/metadata");
        emulator.fault(on().reset());
        assert!(client.get(&url).send().await.is_err(), "reset");
        emulator.fault(on().truncate());
        let answer = client.get(&url).send().await.unwrap();
        assert!(answer.bytes().await.is_err(), "truncated");
        emulator.fault(on().huge());
        let answer = client.get(&url).send().await.unwrap();
        assert!(answer.bytes().await.unwrap().len() > 10 * 1024 * 1024);
        emulator.fault(on().hang());
        let patience = Duration::from_millis(100);
        assert!(client.get(&url).timeout(patience).send().await.unwrap_err().is_timeout());
        emulator.fault(on().json(&json!([1, 2])).drip(Duration::from_millis(1)));
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "[1,2]");
        emulator.fault(on().date("Thu, 01 Jan 1970 00:00:00 GMT"));
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!(answer.headers()["date"], "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(answer.status(), 200);
    }
}

#[tokio::test]
async fn connections_can_be_broken_before_tls() {
    let emulator = Emulator::start();
    let client = client(&emulator);
    let url = format!("{}/metadata/endpoints?api-version=2015-01-01", emulator.arm_url());
    emulator.fault(Fault::connect(Service::Arm).refuse());
    assert!(client.get(&url).send().await.unwrap_err().is_connect());
    emulator.fault(Fault::connect(Service::Arm).tls_broken());
    assert!(client.get(&url).send().await.unwrap_err().is_connect());
    emulator.fault(Fault::connect(Service::Arm).hang());
    let patience = Duration::from_millis(100);
    assert!(client.get(&url).timeout(patience).send().await.unwrap_err().is_timeout());
    assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
    assert_eq!(emulator.journal().len(), 1);
}

//! The ways in: a proxy, and client certificates.

use emulator::{Emulator, Proxy, USUAL};

use super::client::{ARM, body, client, exchange, id_token, trusting};

#[tokio::test]
async fn public_names_are_reached_through_a_proxy_with_a_password() {
    let emulator = Emulator::start();
    emulator.directory().public_names = true;
    let proxy = Proxy::start(Proxy::leading_to(&emulator).user("someone", "s3cret"));
    let through = |password: &str| {
        let to = reqwest::Proxy::all(proxy.url()).unwrap().basic_auth("someone", password);
        trusting(&emulator).proxy(to).build().unwrap()
    };
    let wrong = through("wrong").get("https://dev.azure.com/").send().await;
    assert!(wrong.is_err());
    let client = through("s3cret");
    let assertion = id_token(&client, &emulator, USUAL.entra_connection).await;
    let public = "https://login.microsoftonline.com";
    let answer = exchange(&client, public, USUAL.entra_client, &assertion, ARM).await;
    assert_eq!(answer.status(), 200);
    let elsewhere = client.get("https://example.com/").send().await;
    assert!(elsewhere.is_err());
    let statuses: Vec<_> = proxy.journal().iter().map(|entry| (entry.authorized, entry.status)).collect();
    assert_eq!(statuses, [(false, 407), (true, 200), (true, 200), (true, 403)]);
    assert_eq!(proxy.tunnels("login.microsoftonline.com:443"), 1);
}

#[tokio::test]
async fn a_client_certificate_can_be_required() {
    let emulator = Emulator::builder().require_client_certificate(true).start();
    let url = format!("{}/metadata/endpoints?api-version=2019-05-01", emulator.arm_url());
    assert!(client(&emulator).get(&url).send().await.is_err());
    let (certificate, key) = emulator.client_identity();
    let pem = [std::fs::read(certificate).unwrap(), std::fs::read(key).unwrap()].concat();
    let identity = reqwest::Identity::from_pem(&pem).unwrap();
    let client = trusting(&emulator).identity(identity).build().unwrap();
    let answer = client.get(&url).send().await.unwrap();
    assert!(body(answer).await.is_array());
}

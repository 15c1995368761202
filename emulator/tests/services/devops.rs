//! Azure DevOps: id tokens, and service connections.

use std::sync::Arc;

use emulator::directory::Issuer;
use emulator::job::JobMessage;
use emulator::{Emulator, Service, USUAL};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use uuid::Uuid;

use super::client::{ARM, ask_id_token, body, client, exchange, oidc_url};

#[tokio::test]
async fn an_id_token_is_for_the_job_that_refers_to_the_connection() {
    let emulator = Emulator::start();
    let client = client(&emulator);
    let job = emulator.job(USUAL.connection);
    let answer = ask_id_token(&client, &job, Uuid::from_u128(9)).await;
    assert_eq!(answer.status(), 404);
    assert!(body(answer).await["message"].as_str().unwrap().starts_with("No service connection found"));
    let answer = ask_id_token(&client, &job, USUAL.entra_connection).await;
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("There is no explicit reference to service connection"));
    let other = JobMessage { job_token: emulator.job(USUAL.connection).job_token, ..job.clone() };
    assert_eq!(ask_id_token(&client, &other, USUAL.connection).await.status(), 404);
    let stranger = JobMessage { job_token: "stranger".to_owned(), ..job.clone() };
    assert_eq!(ask_id_token(&client, &stranger, USUAL.connection).await.status(), 401);
    let url = oidc_url(&job, USUAL.connection);
    assert_eq!(client.post(&url).header("content-length", "0").send().await.unwrap().status(), 302);
    let answer = client.get(&url).bearer_auth(&job.job_token).send().await.unwrap();
    assert_eq!(answer.status(), 405);
    assert_eq!(body(answer).await["count"], 1);
    let old = url.replace("7.1", "5.0");
    let answer =
        client.post(old).bearer_auth(&job.job_token).header("content-length", "0").send().await.unwrap();
    assert_eq!(body(answer).await["typeKey"], "VssInvalidPreviewVersionException");
}

#[tokio::test]
async fn the_same_id_token_comes_again_when_the_server_keeps_it() {
    let emulator = Emulator::start();
    let client = client(&emulator);
    let job = emulator.job(USUAL.connection);
    let ask = async || body(ask_id_token(&client, &job, USUAL.connection).await).await;
    assert_ne!(ask().await, ask().await);
    emulator.directory().same_id_token_again = true;
    assert_eq!(ask().await, ask().await);
}

#[test]
fn it_works_without_async_code_and_describes_connections() {
    let emulator = Emulator::start();
    let (plain, entra) = (emulator.endpoint(USUAL.connection), emulator.endpoint(USUAL.entra_connection));
    assert_eq!(plain.scheme, "WorkloadIdentityFederation");
    assert_eq!(plain.parameters["workloadIdentityFederationSubject"], "sc://contoso/Platform/sc-prod");
    assert_eq!(plain.data["activeDirectoryAuthority"], format!("{}/", emulator.entra_url()));
    assert!(!plain.parameters.contains_key("workloadIdentityFederationIssuerType"));
    assert_eq!(entra.parameters["workloadIdentityFederationIssuerType"], "EntraID");
    emulator.directory().connection(USUAL.connection).custom = false;
    assert!(!emulator.endpoint(USUAL.connection).data.contains_key("activeDirectoryAuthority"));
    assert_eq!(emulator.directory().find(USUAL.connection).unwrap().connection.issuer, Issuer::DevOps);
}

#[tokio::test]
async fn a_job_alone_gets_a_token_for_its_pipeline() {
    let emulator = Emulator::start();
    let client = client(&emulator);
    let job = emulator.job(USUAL.entra_connection);
    let url = oidc_url(&job, Uuid::nil());
    let url = url.split('&').next().unwrap();
    let answer =
        client.post(url).bearer_auth(&job.job_token).header("content-length", "0").send().await.unwrap();
    let token = body(answer).await["oidcToken"].as_str().unwrap().to_owned();
    let answer = exchange(&client, &emulator.entra_url(), USUAL.client, &token, ARM).await;
    assert!(answer.text().await.unwrap().contains("'p://contoso/Platform/deploy'"));
}

#[tokio::test]
async fn a_request_without_a_length_is_refused_over_http_1() {
    let emulator = Emulator::builder().http1_only(true).start();
    let job = emulator.job(USUAL.connection);
    let url = oidc_url(&job, USUAL.connection);
    let path = url.strip_prefix(&emulator.devops_url()).unwrap();
    let answer = raw(&emulator, &format!("POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 411 "), "{answer}");
    let answer = raw(&emulator, &format!("POST {path} HTTP/1.1\r\nHost: contoso.example\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

#[tokio::test]
async fn a_job_token_sees_ids_and_names_of_connections_and_a_personal_token_sees_all() {
    let emulator = Emulator::start();
    let client = client(&emulator);
    let job = emulator.job(USUAL.connection);
    emulator.directory().personal_tokens.push("personal".to_owned());
    let url = format!(
        "{}/contoso/Platform/_apis/serviceendpoint/endpoints/{}?api-version=7.1",
        emulator.devops_url(),
        USUAL.connection
    );
    let seen = body(client.get(&url).bearer_auth(&job.job_token).send().await.unwrap()).await;
    assert_eq!((&seen["name"], &seen["authorization"]), (&json!(USUAL.connection_name), &json!(null)));
    let seen = body(client.get(&url).basic_auth("", Some("personal")).send().await.unwrap()).await;
    assert_eq!(seen["authorization"]["scheme"], "WorkloadIdentityFederation");
    let refused = client.get(&url).basic_auth("", Some("other")).header("x-tfs-fedauthredirect", "Suppress");
    assert_eq!(refused.send().await.unwrap().status(), 401);
}

/// The head of Azure DevOps' answer to exactly this text.
async fn raw(emulator: &Emulator, request: &str) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(emulator.ca_file()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", emulator.port(Service::DevOps))).await.unwrap();
    let name = "127.0.0.1".try_into().unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

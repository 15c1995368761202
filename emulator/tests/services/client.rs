//! A client that asks the services over HTTP, as tools do.

use emulator::job::JobMessage;
use emulator::{Emulator, USUAL};
use reqwest::{Certificate, Client, Response};
use serde_json::Value;
use uuid::Uuid;

pub(crate) const ARM: &str = "https://management.azure.com/.default";

pub(crate) fn trusting(emulator: &Emulator) -> reqwest::ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ca = std::fs::read(emulator.ca_file()).unwrap();
    Client::builder().tls_certs_only([Certificate::from_pem(&ca).unwrap()]).no_proxy()
}

pub(crate) fn client(emulator: &Emulator) -> Client {
    trusting(emulator).redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

pub(crate) fn oidc_url(job: &JobMessage, connection: Uuid) -> String {
    let variable = job.variables.iter().find(|one| one.name == "System.OidcRequestUri").unwrap();
    format!("{}?api-version=7.1&serviceConnectionId={connection}", variable.value)
}

pub(crate) async fn ask_id_token(client: &Client, job: &JobMessage, connection: Uuid) -> Response {
    client
        .post(oidc_url(job, connection))
        .bearer_auth(&job.job_token)
        .header("content-length", "0")
        .header("x-tfs-fedauthredirect", "Suppress")
        .send()
        .await
        .unwrap()
}

pub(crate) async fn id_token(client: &Client, emulator: &Emulator, connection: Uuid) -> String {
    let answer = ask_id_token(client, &emulator.job(connection), connection).await;
    assert_eq!(answer.status(), 200, "{}", emulator.journal_text());
    body(answer).await["oidcToken"].as_str().unwrap().to_owned()
}

pub(crate) async fn exchange(
    client: &Client,
    base: &str,
    app: Uuid,
    assertion: &str,
    scope: &str,
) -> Response {
    let tenant = USUAL.tenant;
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", &app.to_string())
        .append_pair("scope", scope)
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        .append_pair("client_assertion", assertion)
        .finish();
    client
        .post(format!("{base}/{tenant}/oauth2/v2.0/token"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .unwrap()
}

pub(crate) async fn sign_in(client: &Client, emulator: &Emulator, connection: Uuid, app: Uuid) -> Response {
    let assertion = id_token(client, emulator, connection).await;
    exchange(client, &emulator.entra_url(), app, &assertion, ARM).await
}

pub(crate) async fn body(answer: Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

pub(crate) async fn refusal(answer: Response) -> (u16, u64) {
    let status = answer.status().as_u16();
    let code = body(answer).await["error_codes"][0].as_u64().unwrap();
    (status, code)
}

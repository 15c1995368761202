//! The services as a client that knows nothing of their insides meets them.

use std::sync::Arc;
use std::time::Duration;

use emulator::directory::{ClientSecret, FederatedCredential, Issuer};
use emulator::identity::EXCHANGE_AUDIENCE_ID;
use emulator::job::JobMessage;
use emulator::{Emulator, Fault, Gate, IssuedKind, Proxy, Service, USUAL, leaks};
use reqwest::{Certificate, Client, Response};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use uuid::Uuid;

const ARM: &str = "https://management.azure.com/.default";

fn trusting(emulator: &Emulator) -> reqwest::ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ca = std::fs::read(emulator.ca_file()).unwrap();
    Client::builder().tls_certs_only([Certificate::from_pem(&ca).unwrap()]).no_proxy()
}

fn client(emulator: &Emulator) -> Client {
    trusting(emulator).redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

fn oidc_url(job: &JobMessage, connection: Uuid) -> String {
    let variable = job.variables.iter().find(|one| one.name == "System.OidcRequestUri").unwrap();
    format!("{}?api-version=7.1&serviceConnectionId={connection}", variable.value)
}

async fn ask_id_token(client: &Client, job: &JobMessage, connection: Uuid) -> Response {
    client
        .post(oidc_url(job, connection))
        .bearer_auth(&job.job_token)
        .header("content-length", "0")
        .header("x-tfs-fedauthredirect", "Suppress")
        .send()
        .await
        .unwrap()
}

async fn id_token(client: &Client, emulator: &Emulator, connection: Uuid) -> String {
    let answer = ask_id_token(client, &emulator.job(connection), connection).await;
    assert_eq!(answer.status(), 200, "{}", emulator.journal_text());
    body(answer).await["oidcToken"].as_str().unwrap().to_owned()
}

async fn exchange(client: &Client, base: &str, app: Uuid, assertion: &str, scope: &str) -> Response {
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

async fn sign_in(client: &Client, emulator: &Emulator, connection: Uuid, app: Uuid) -> Response {
    let assertion = id_token(client, emulator, connection).await;
    exchange(client, &emulator.entra_url(), app, &assertion, ARM).await
}

async fn body(answer: Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

async fn refusal(answer: Response) -> (u16, u64) {
    let status = answer.status().as_u16();
    let code = body(answer).await["error_codes"][0].as_u64().unwrap();
    (status, code)
}

#[tokio::test]
async fn both_issuers_lead_to_the_subscription() {
    let emulator = Emulator::start();
    let client = client(&emulator);
    for (connection, app) in [(USUAL.connection, USUAL.client), (USUAL.entra_connection, USUAL.entra_client)]
    {
        let answer = sign_in(&client, &emulator, connection, app).await;
        assert_eq!(answer.status(), 200);
        let granted = body(answer).await;
        assert_eq!(granted["expires_in"], 3600);
        let token = granted["access_token"].as_str().unwrap();
        assert!(token.len() > 1200);
        let url = format!("{}/subscriptions/{}", emulator.arm_url(), USUAL.subscription);
        let answer =
            client.get(format!("{url}?api-version=2022-12-01")).bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(body(answer).await["displayName"], USUAL.subscription_name);
        let answer = client.get(&url).bearer_auth(token).send().await.unwrap();
        assert_eq!(body(answer).await["error"]["code"], "MissingApiVersionParameter");
    }
    assert_eq!(emulator.count(Service::DevOps, "POST /contoso/"), 2);
    assert_eq!(emulator.connections(Service::Entra), 1);
    let journal = emulator.journal();
    assert_eq!(journal[0].header("authorization"), Some("<bearer job token>"));
    assert!(journal[1].form("client_assertion").unwrap().contains("vstoken.dev.azure.com"));
    assert_eq!(journal[1].http_version, "HTTP/2.0");
    assert_eq!(emulator.issued().len(), 6);
    assert_eq!(leaks(&emulator.issued(), format!("{journal:?}").as_bytes()), Vec::<String>::new());
}

#[tokio::test]
async fn a_credential_with_the_audience_id_is_refused() {
    let emulator = Emulator::start();
    let client = client(&emulator);
    let id = EXCHANGE_AUDIENCE_ID.to_string();
    emulator.directory().app(USUAL.entra_client).federated_credentials[0].audience = id;
    let answer = sign_in(&client, &emulator, USUAL.entra_connection, USUAL.entra_client).await;
    assert_eq!(refusal(answer).await, (401, 700_214));
}

#[tokio::test]
async fn each_difference_has_its_code() {
    let emulator = Emulator::start();
    let client = client(&emulator);
    let attempt = async || refusal(sign_in(&client, &emulator, USUAL.connection, USUAL.client).await).await;
    let change = |change: fn(&mut FederatedCredential)| {
        let mut directory = emulator.directory();
        directory.app(USUAL.client).federated_credentials.clear();
        directory.trust(USUAL.connection);
        change(&mut directory.app(USUAL.client).federated_credentials[0]);
    };
    change(|credential| credential.subject = "sc://contoso/Platform/other".to_owned());
    assert_eq!(attempt().await, (401, 700_213));
    change(|credential| credential.subject = "sc://contoso/platform/sc-prod".to_owned());
    assert_eq!(attempt().await, (401, 7_002_138));
    change(|credential| credential.issuer = "https://elsewhere.example".to_owned());
    assert_eq!(attempt().await, (401, 700_211));
    change(|credential| credential.audience = "api://other".to_owned());
    assert_eq!(attempt().await, (401, 700_212));
    emulator.directory().app(USUAL.client).federated_credentials.clear();
    assert_eq!(attempt().await, (401, 70_025));
    emulator.directory().app(USUAL.client).disabled = true;
    assert_eq!(attempt().await, (401, 7_000_112));
}

#[tokio::test]
async fn a_renamed_project_is_a_stranger_until_it_is_trusted_again() {
    let emulator = Emulator::start();
    let client = client(&emulator);
    emulator.directory().project(USUAL.project_id).name = "Renamed".to_owned();
    let answer = sign_in(&client, &emulator, USUAL.connection, USUAL.client).await;
    assert_eq!(refusal(answer).await, (401, 700_213));
    let answer = sign_in(&client, &emulator, USUAL.entra_connection, USUAL.entra_client).await;
    assert_eq!(answer.status(), 200);
    emulator.directory().trust(USUAL.connection);
    let answer = sign_in(&client, &emulator, USUAL.connection, USUAL.client).await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn an_assertion_must_be_genuine_and_in_time() {
    let emulator = Emulator::start();
    let client = client(&emulator);
    let entra = emulator.entra_url();
    let old = id_token(&client, &emulator, USUAL.connection).await;
    let forged = old.rsplit_once('.').unwrap().0.to_owned() + ".AAAA";
    let answer = exchange(&client, &entra, USUAL.client, &forged, ARM).await;
    assert_eq!(refusal(answer).await, (401, 50_013));
    emulator.shift_clock(301);
    let answer = exchange(&client, &entra, USUAL.client, &old, ARM).await;
    assert_eq!(refusal(answer).await, (401, 700_024));
    emulator.directory().lifetimes.entra_id_token = 26 * 3600;
    let answer = sign_in(&client, &emulator, USUAL.entra_connection, USUAL.entra_client).await;
    assert_eq!(refusal(answer).await, (400, 70_023));
    let answer = exchange(&client, &entra, USUAL.client, "nonsense", ARM).await;
    assert_eq!(refusal(answer).await, (401, 50_027));
}

#[tokio::test]
async fn one_known_resource_can_be_asked_for() {
    let emulator = Emulator::start();
    let client = client(&emulator);
    let assertion = id_token(&client, &emulator, USUAL.connection).await;
    let ask =
        async |scope: &str| exchange(&client, &emulator.entra_url(), USUAL.client, &assertion, scope).await;
    assert_eq!(refusal(ask("https://nowhere.example/.default").await).await, (400, 500_011));
    assert_eq!(refusal(ask("https://vault.azure.net").await).await, (400, 70_011));
    assert_eq!(refusal(ask(&format!("{ARM} https://vault.azure.net/.default")).await).await, (400, 700_022));
    assert_eq!(ask("https://vault.azure.net//.default").await.status(), 200);
    let with_openid = "https://vault.azure.net/.default openid offline_access profile";
    assert_eq!(ask(with_openid).await.status(), 200);
    assert_eq!(refusal(ask("openid profile").await).await, (400, 70_011));
    assert_eq!(ask("499b84ac-1321-427f-aa17-267ca6975798/.default").await.status(), 200);
}

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
    let statuses: Vec<_> = proxy.journal().iter().map(|entry| (entry.authorised, entry.status)).collect();
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

#[tokio::test]
async fn arm_shows_a_subscription_to_those_with_a_role_and_a_token_for_it() {
    let emulator = Emulator::start();
    let client = client(&emulator);
    let assertion = id_token(&client, &emulator, USUAL.connection).await;
    let token = async |scope: &str| {
        let answer = exchange(&client, &emulator.entra_url(), USUAL.client, &assertion, scope).await;
        body(answer).await["access_token"].as_str().unwrap().to_owned()
    };
    let code = async |id: Uuid, token: &str| {
        let url = format!("{}/subscriptions/{id}/resourcegroups?api-version=2022-12-01", emulator.arm_url());
        let answer = client.get(url).bearer_auth(token).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, body(answer).await["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    let vault = token("https://vault.azure.net/.default").await;
    let expected = (401, "InvalidAuthenticationTokenAudience".to_owned());
    assert_eq!(code(USUAL.subscription, &vault).await, expected);
    let arm = token("https://management.core.windows.net//.default").await;
    assert_eq!(code(USUAL.subscription, &arm).await, (200, String::new()));
    assert_eq!(code(Uuid::from_u128(3), &arm).await, (404, "SubscriptionNotFound".to_owned()));
    emulator.directory().subscription(USUAL.subscription).roles.clear();
    assert_eq!(code(USUAL.subscription, &arm).await, (403, "AuthorizationFailed".to_owned()));
    emulator.shift_clock(3601);
    assert_eq!(code(USUAL.subscription, &arm).await, (401, "ExpiredAuthenticationToken".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_made_while_its_caller_polls() {
    let emulator = Emulator::start();
    emulator.directory().deployment_seconds = 10;
    let client = client(&emulator);
    let token = emulator.access_token(USUAL.client, "https://management.azure.com");
    let deployment = format!(
        "{}/subscriptions/{}/resourcegroups/rg-app/providers/Microsoft.Resources/deployments/one",
        emulator.arm_url(),
        USUAL.subscription
    );
    let template = json!({ "properties": { "mode": "Incremental", "template": { "resources": [
        { "type": "Microsoft.Storage/storageAccounts", "name": "contosoapp", "location": "westeurope" },
    ] } } });
    let send = async |method: reqwest::Method, url: &str| {
        let request = client.request(method, url).bearer_auth(&token).body(template.to_string());
        request.send().await.unwrap()
    };
    let version = "?api-version=2022-09-01";
    let what_if = async || {
        let answer = body(send(reqwest::Method::POST, &format!("{deployment}/whatIf{version}")).await).await;
        answer["properties"]["changes"][0]["changeType"].clone()
    };
    assert_eq!(send(reqwest::Method::GET, &format!("{deployment}{version}")).await.status(), 404);
    let validated = send(reqwest::Method::POST, &format!("{deployment}/validate{version}")).await;
    assert_eq!(body(validated).await["properties"]["provisioningState"], "Succeeded");
    assert_eq!(what_if().await, "Create");

    let made = send(reqwest::Method::PUT, &format!("{deployment}{version}")).await;
    assert_eq!(made.status(), 201);
    // az spells the same without quotes.
    let spliced = format!(
        r#"{{"properties": {{"mode": "Incremental", template:{}}}}}"#,
        template["properties"]["template"]
    );
    let url = format!("{deployment}/validate{version}");
    assert_eq!(client.post(url).bearer_auth(&token).body(spliced).send().await.unwrap().status(), 200);
    let operation = made.headers()["azure-asyncoperation"].to_str().unwrap().to_owned();
    assert_eq!(body(send(reqwest::Method::GET, &operation).await).await["status"], "Running");
    emulator.shift_clock(10);
    assert_eq!(body(send(reqwest::Method::GET, &operation).await).await["status"], "Succeeded");
    let made = body(send(reqwest::Method::GET, &format!("{deployment}{version}")).await).await;
    assert_eq!(made["properties"]["provisioningState"], "Succeeded");
    assert_eq!(what_if().await, "NoChange");

    let elsewhere = deployment.replace("rg-app", "rg-none");
    assert_eq!(send(reqwest::Method::PUT, &format!("{elsewhere}{version}")).await.status(), 404);
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
async fn a_client_secret_works_until_it_expires() {
    let emulator = Emulator::start();
    let client = client(&emulator);
    let expires = Some(emulator.now() + time::Duration::hours(1));
    let value = "correct horse battery staple".to_owned();
    emulator.directory().app(USUAL.client).secrets.push(ClientSecret { value, expires });
    let ask = async |secret: &str| {
        let (id, secret) = (USUAL.client, secret.replace(' ', "+"));
        let form = format!("grant_type=client_credentials&client_id={id}&scope={ARM}&client_secret={secret}");
        let url = format!("{}/contoso.onmicrosoft.com/oauth2/v2.0/token", emulator.entra_url());
        let post = client.post(url).header("content-type", "application/x-www-form-urlencoded");
        post.body(form).send().await.unwrap()
    };
    assert_eq!(ask("correct horse battery staple").await.status(), 200);
    assert_eq!(refusal(ask("wrong").await).await, (401, 7_000_215));
    emulator.shift_clock(3601);
    assert_eq!(refusal(ask("correct horse battery staple").await).await, (401, 7_000_222));
    assert!(emulator.issued().iter().any(|issued| issued.kind == IssuedKind::ClientSecret));
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

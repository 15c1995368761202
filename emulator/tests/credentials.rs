//! Client certificates and secrets of connections, and the managed identity service of the machine.

use emulator::directory::{App, Connection, Issuer, Kind};
use emulator::{ClientCertificate, Emulator, IssuedKind, Service, USUAL};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{Certificate, Client, Response};
use rustls::pki_types::PrivatePkcs1KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use uuid::Uuid;

const RESOURCE: &str = "https://management.azure.com";

fn client(emulator: &Emulator) -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ca = std::fs::read(emulator.ca_file()).unwrap();
    Client::builder().tls_certs_only([Certificate::from_pem(&ca).unwrap()]).no_proxy().build().unwrap()
}

async fn body(answer: Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

/// The first AADSTS code of the answer to an assertion; `None` when the answer is a token.
async fn error_code(emulator: &Emulator, assertion: &str) -> Option<u64> {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", &USUAL.client.to_string())
        .append_pair("scope", &format!("{RESOURCE}/.default"))
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        .append_pair("client_assertion", assertion)
        .finish();
    let answer = client(emulator)
        .post(endpoint(emulator))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .unwrap();
    body(answer).await["error_codes"][0].as_u64()
}

fn endpoint(emulator: &Emulator) -> String {
    format!("{}/{}/oauth2/v2.0/token", emulator.entra_url(), USUAL.tenant)
}

fn claims(emulator: &Emulator) -> Value {
    let now = emulator.now().unix_timestamp();
    json!({
        "aud": endpoint(emulator), "iss": USUAL.client, "sub": USUAL.client, "jti": Uuid::new_v4(),
        "nbf": now, "exp": now + 600,
    })
}

fn signed(by: &ClientCertificate, algorithm: Algorithm, claims: &Value) -> String {
    let mut header = Header::new(algorithm);
    header.x5t = Some(by.registered.sha1.clone());
    if algorithm == Algorithm::PS256 {
        (header.x5t, header.x5t_s256) = (None, Some(by.registered.sha256.clone()));
    }
    let der = PrivatePkcs1KeyDer::from_pem_slice(by.older_key.as_bytes()).unwrap();
    let key = EncodingKey::from_rsa_der(der.secret_pkcs1_der());
    jsonwebtoken::encode(&header, claims, &key).unwrap()
}

#[tokio::test]
async fn an_assertion_of_a_registered_certificate_is_really_checked() {
    let emulator = Emulator::start();
    let (usual, another) = (ClientCertificate::usual(), ClientCertificate::another());
    let right = claims(&emulator);
    let with = |name: &str, value: Value| {
        let mut claims = right.clone();
        claims[name] = value;
        signed(usual, Algorithm::PS256, &claims)
    };
    let good = signed(usual, Algorithm::RS256, &right);
    assert_eq!(error_code(&emulator, &good).await, Some(700_027), "not registered yet");
    emulator.directory().app(USUAL.client).certificates.push(usual.registered.clone());
    assert_eq!(error_code(&emulator, &good).await, None);
    assert_eq!(error_code(&emulator, &signed(usual, Algorithm::PS256, &right)).await, None);
    assert_eq!(error_code(&emulator, &signed(another, Algorithm::PS256, &right)).await, Some(700_027));
    let forged = signed(another, Algorithm::PS256, &right);
    let forged = [good.split('.').next().unwrap(), forged.split_once('.').unwrap().1].join(".");
    assert_eq!(error_code(&emulator, &forged).await, Some(700_027), "another key's signature");
    assert_eq!(error_code(&emulator, &with("aud", json!("https://evil.example"))).await, Some(700_023));
    assert_eq!(error_code(&emulator, &with("sub", json!(USUAL.entra_client))).await, Some(700_021));
    let past = right["nbf"].as_i64().unwrap() - 10;
    assert_eq!(error_code(&emulator, &with("exp", json!(past))).await, Some(700_024));
    emulator.directory().app(USUAL.client).certificates[0].not_after = emulator.now();
    assert_eq!(error_code(&emulator, &good).await, Some(700_027), "the certificate has ended");
}

#[test]
fn a_connection_is_sent_with_what_it_stores_and_that_counts_as_issued() {
    let emulator = Emulator::start();
    let plain =
        || Connection::federated("sc-old", Issuer::DevOps, USUAL.tenant, USUAL.client, USUAL.subscription);
    let pem = ClientCertificate::usual().pem();
    let add = |connection| emulator.directory().add_connection(USUAL.project_id, connection);
    let [secret, certificate, machine] =
        [plain().with_secret("hunter2hunter2"), plain().with_certificate(&pem), plain().of_machine()]
            .map(add);
    let sent = |id| emulator.endpoint(id);
    assert_eq!(sent(secret).parameters["serviceprincipalkey"], "hunter2hunter2");
    assert_eq!(sent(certificate).parameters["authenticationType"], "spnCertificate");
    assert_eq!(sent(certificate).parameters["servicePrincipalCertificate"], pem);
    assert_eq!(sent(machine).scheme, "ManagedServiceIdentity");
    assert!(!sent(machine).parameters.contains_key("serviceprincipalid"));
    let issued = emulator.issued();
    let of = |kind| issued.iter().filter(move |issued| issued.kind == kind);
    assert_eq!(of(IssuedKind::ClientSecret).count(), 1);
    assert!(of(IssuedKind::PrivateKey).count() > 20);
    assert_eq!(of(IssuedKind::PrivateKey).filter(|line| !pem.contains(&line.value)).count(), 0);
    assert!(!emulator::leaks(&issued, pem.as_bytes()).is_empty());
    assert!(emulator::leaks(&issued, ClientCertificate::usual().certificate.as_bytes()).is_empty());
}

#[tokio::test]
async fn the_machines_service_demands_its_headers_and_knows_its_identities() {
    let emulator = Emulator::start();
    let identity = Uuid::new_v4();
    let http = client(&emulator);
    let (app_service, header) = emulator.app_service();
    let imds = format!("{}/metadata/identity/oauth2/token", emulator.machine_url());
    let query = format!("api-version=2018-02-01&resource={RESOURCE}");
    let ask =
        async |url: String, name: &str, value: &str| http.get(url).header(name, value).send().await.unwrap();
    let full = || format!("{imds}?{query}");
    assert_eq!(ask(full(), "metadata", "true").await.status(), 400, "no identity");
    {
        let mut directory = emulator.directory();
        directory.tenant(USUAL.tenant).apps.push(App::new(identity, Kind::ManagedIdentity));
        directory.machine.identities.push(identity);
    }
    assert_eq!(ask(full(), "accept", "*/*").await.status(), 400, "no Metadata header");
    assert_eq!(ask(format!("{imds}?resource={RESOURCE}"), "metadata", "true").await.status(), 400);
    assert_eq!(ask(format!("{imds}?api-version=2018-02-01"), "metadata", "true").await.status(), 400);
    let named = |id: Uuid| format!("{imds}?{query}&client_id={id}");
    assert_eq!(ask(named(USUAL.client), "metadata", "true").await.status(), 400, "another's identity");
    let granted = body(ask(named(identity), "metadata", "true").await).await;
    assert_eq!((&granted["client_id"], &granted["expires_in"]), (&json!(identity), &json!("86400")));
    let query = query.replace("2018-02-01", "2019-08-01");
    let app = || format!("{app_service}?{query}");
    assert_eq!(ask(app(), "x-identity-header", "wrong").await.status(), 401);
    let granted = body(ask(app(), "x-identity-header", &header).await).await;
    assert!(granted["expires_on"].is_string() && granted["expires_in"].is_null(), "{granted}");
    assert_eq!(emulator.count(Service::Machine, "GET /"), 8);
    assert!(!emulator.journal_text().contains(&header));
}

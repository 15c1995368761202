//! Sign-in to Entra: what it checks, and what it answers.

use emulator::directory::{ClientSecret, FederatedCredential};
use emulator::identity::EXCHANGE_AUDIENCE_ID;
use emulator::{Emulator, IssuedKind, Service, USUAL, leaks};

use super::client::{ARM, body, client, exchange, id_token, refusal, sign_in};

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
async fn a_renamed_project_is_refused_until_it_is_trusted_again() {
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

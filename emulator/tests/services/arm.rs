//! The resource manager: subscriptions and deployments.

use emulator::{Emulator, USUAL};
use serde_json::json;
use uuid::Uuid;

use super::client::{body, client, exchange, id_token};

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

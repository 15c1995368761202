//! The resource manager: subscriptions, deployments, and resources of types that a test gives.

use emulator::directory::Resource;
use emulator::{Emulator, Service, USUAL};
use serde_json::{Value, json};
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

#[tokio::test(flavor = "multi_thread")]
async fn resources_that_a_test_gives_are_read_listed_made_changed_and_deleted() {
    let emulator = Emulator::start();
    let scope = format!("/subscriptions/{}", USUAL.subscription);
    let sites = format!("{scope}/resourceGroups/web/providers/Microsoft.Web/sites");
    let client = client(&emulator);
    let token = emulator.access_token(USUAL.client, "https://management.azure.com");
    let send = async |method: reqwest::Method, path: &str, body: Value| {
        let url = format!("{}{path}?api-version=2024-11-01", emulator.arm_url());
        let request = client.request(method, url).bearer_auth(&token).body(body.to_string());
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(json!(text)))
    };
    let get = async |path: &str| send(reqwest::Method::GET, path, Value::Null).await;
    let one = format!("{sites}/one");
    assert_eq!(get(&one).await.0, 404);
    let put = send(reqwest::Method::PUT, &one, json!({})).await;
    assert_eq!(put.0, 404, "nothing is kept where a test gives nothing");

    emulator.directory().resources = vec![
        Resource::new(format!("{scope}/resourceGroups/web"), json!({ "location": "westeurope" })),
        Resource {
            path: format!("{sites}/two"),
            answers: ["Queued", "Starting", "Running"]
                .map(|state| json!({ "properties": { "state": state } }))
                .to_vec(),
        },
        Resource::new(format!("{sites}/two/config/list"), json!({ "secret": 1 })),
        Resource::new(format!("{sites}/two/publishxml"), json!("<publishData/>")),
    ];
    assert_eq!(get(&format!("{scope}/resourcegroups/WEB")).await.1["location"], "westeurope");
    assert_eq!(get(&format!("{scope}/resourcegroups/other")).await.0, 404);
    for (group, status) in [("web", 204), ("rg-app", 204), ("other", 404)] {
        let path = format!("{scope}/resourcegroups/{group}");
        assert_eq!(send(reqwest::Method::HEAD, &path, Value::Null).await.0, status, "{group}");
    }
    let put = send(reqwest::Method::PUT, &format!("{sites}/two"), json!({ "properties": {} })).await;
    assert_eq!((put.0, &put.1["properties"]["state"]), (200, &json!("Queued")));
    for state in ["Starting", "Running", "Running"] {
        assert_eq!(get(&format!("{sites}/two")).await.1["properties"]["state"], state);
    }
    let action = send(reqwest::Method::POST, &format!("{sites}/two/config/list"), Value::Null).await;
    assert_eq!(action, (200, json!({ "secret": 1 })));
    let text = send(reqwest::Method::POST, &format!("{sites}/two/publishxml"), Value::Null).await;
    assert_eq!(text, (200, json!("<publishData/>")));
    assert_eq!(send(reqwest::Method::POST, &format!("{sites}/two/start"), Value::Null).await.0, 404);

    let site = json!({ "location": "westeurope", "properties": { "kind": "app" } });
    let (status, made) = send(reqwest::Method::PUT, &one, site.clone()).await;
    assert_eq!((status, &made["id"], &made["name"]), (200, &json!(one), &json!("one")));
    assert_eq!(made["type"], "Microsoft.Web/sites");
    assert_eq!(made["properties"], json!({ "kind": "app", "provisioningState": "Succeeded" }));
    let journal = emulator.journal();
    let asked = journal.iter().rfind(|entry| entry.service == Service::Arm).unwrap();
    assert_eq!(asked.body, site.to_string());
    assert_eq!(send(reqwest::Method::PUT, &one, site).await.0, 200);
    let patch = json!({ "properties": { "kind": "linux" } });
    let (status, changed) = send(reqwest::Method::PATCH, &one, patch).await;
    assert_eq!((status, &changed["location"]), (200, &json!("westeurope")));
    assert_eq!(changed["properties"], json!({ "kind": "linux", "provisioningState": "Succeeded" }));
    for list in [sites.clone(), format!("{scope}/providers/Microsoft.Web/sites")] {
        let names: Vec<_> =
            get(&list).await.1["value"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
        assert_eq!(names, ["two", "one"], "{list}");
    }
    let plans = format!("{scope}/resourceGroups/web/providers/Microsoft.Web/serverfarms");
    assert_eq!(get(&plans).await, (200, json!({ "value": [] })));
    assert_eq!(send(reqwest::Method::DELETE, &one, Value::Null).await.0, 200);
    assert_eq!(get(&one).await.0, 404);
    emulator.directory().subscription(USUAL.subscription).roles.clear();
    assert_eq!(get(&format!("{sites}/two")).await.0, 403);
}

//! Microsoft Graph, as it is asked by a program that keeps applications in code.

use emulator::{Emulator, USUAL};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::client::client;

struct Fixture {
    emulator: Emulator,
    client: Client,
    token: String,
}

impl Fixture {
    fn new() -> Self {
        let emulator = Emulator::start();
        let operator = emulator.add_operator(USUAL.subscription);
        let token = emulator.access_token(operator, "https://graph.microsoft.com");
        Self { client: client(&emulator), token, emulator }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("{}/v1.0{path}", self.emulator.graph_url());
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }
}

#[tokio::test]
async fn an_application_is_made_renamed_read_and_deleted_by_its_object_id() {
    let fixture = Fixture::new();
    let owner = uuid::Uuid::from_u128(4711);
    let bind = format!("{}/v1.0/directoryObjects/{owner}", fixture.emulator.graph_url());
    let sent =
        json!({ "displayName": "app-a", "signInAudience": "AzureADMyOrg", "owners@odata.bind": [bind] });
    let (status, made) = fixture.ask(Method::POST, "/applications", Some(sent)).await;
    assert_eq!(
        (status, &made["displayName"], &made["signInAudience"]),
        (201, &json!("app-a"), &json!("AzureADMyOrg"))
    );
    // What is not set is said to be null: a client tells that from a text that is empty.
    assert_eq!(made.get("groupMembershipClaims"), Some(&Value::Null));
    assert_eq!(made["api"]["oauth2PermissionScopes"], json!([]));
    let own = format!("/applications/{}", made["id"].as_str().unwrap());

    let (_, owners) = fixture.ask(Method::GET, &format!("{own}/owners"), None).await;
    assert_eq!(owners["value"][0]["id"], json!(owner));
    let reference = format!("{own}/owners/{owner}/$ref");
    assert_eq!(fixture.ask(Method::DELETE, &reference, None).await.0, 204);
    assert_eq!(fixture.ask(Method::DELETE, &reference, None).await.0, 404);

    assert_eq!(fixture.ask(Method::PATCH, &own, Some(json!({ "displayName": "app-b" }))).await.0, 204);
    assert_eq!(fixture.ask(Method::GET, &own, None).await.1["displayName"], "app-b");
    assert_eq!(fixture.ask(Method::GET, &format!("/../beta{own}"), None).await.1["displayName"], "app-b");
    assert_eq!(fixture.ask(Method::DELETE, &own, None).await.0, 204);
    for method in [Method::GET, Method::PATCH] {
        assert_eq!(fixture.ask(method, &own, Some(json!({}))).await.0, 404);
    }
    assert_eq!(fixture.ask(Method::POST, "/applications", Some(json!({}))).await.0, 400, "it has no name");
}

#[tokio::test]
async fn a_federated_credential_is_read_and_changed_by_its_id_or_name_and_keeps_its_name() {
    let fixture = Fixture::new();
    let (_, app) = fixture.ask(Method::POST, "/applications", Some(json!({ "displayName": "app-a" }))).await;
    let all = format!("/applications/{}/federatedIdentityCredentials", app["id"].as_str().unwrap());
    let sent = json!({
        "name": "deploy", "issuer": "https://issuer.example", "subject": "sc-a", "audiences": ["api://AzureADTokenExchange"],
    });
    let (status, made) = fixture.ask(Method::POST, &all, Some(sent)).await;
    assert_eq!(status, 201);
    let by_id = format!("{all}/{}", made["id"].as_str().unwrap());
    let (status, read) = fixture.ask(Method::GET, &by_id, None).await;
    assert_eq!((status, &read["name"], &read["subject"]), (200, &json!("deploy"), &json!("sc-a")));
    assert_eq!(fixture.ask(Method::GET, &format!("{all}/deploy"), None).await, (200, read));

    // What is not sent stays.
    assert_eq!(fixture.ask(Method::PATCH, &by_id, Some(json!({ "subject": "sc-b" }))).await.0, 204);
    let (_, read) = fixture.ask(Method::GET, &by_id, None).await;
    assert_eq!((&read["issuer"], &read["subject"]), (&json!("https://issuer.example"), &json!("sc-b")));
    assert_eq!(fixture.ask(Method::PATCH, &by_id, Some(json!({ "name": "other" }))).await.0, 400);

    assert_eq!(fixture.ask(Method::DELETE, &by_id, None).await.0, 204);
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        assert_eq!(fixture.ask(method.clone(), &by_id, Some(json!({}))).await.0, 404, "{method}");
    }
}

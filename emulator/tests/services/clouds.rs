//! Feeds and registries: who may ask them.

use emulator::{Emulator, USUAL};
use serde_json::Value;

use super::client::client;

const DEVOPS: &str = "499b84ac-1321-427f-aa17-267ca6975798";
const REGISTRY: &str = "https://containerregistry.azure.net";

#[tokio::test]
async fn a_feed_takes_a_living_token_for_azure_devops_as_a_password_and_no_other() {
    let emulator = Emulator::start();
    let client = client(&emulator);
    let feed = format!("{}/contoso/_packaging/main/pypi", emulator.clouds_url());
    emulator.directory().clouds.packages.insert("library-1.0.whl".to_owned(), b"content".to_vec());
    let get = async |path: &str, token: Option<&str>| {
        let request = client.get(format!("{feed}/{path}"));
        let request = match token {
            Some(token) => request.basic_auth("anybody", Some(token)),
            None => request,
        };
        let answer = request.send().await.unwrap();
        let asks = answer.headers().contains_key("www-authenticate");
        (answer.status().as_u16(), asks, String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap())
    };
    let refused = (401, true, "No valid credential was given".to_owned());
    assert_eq!(get("simple/library/", None).await, refused);
    let other = emulator.access_token(USUAL.client, "https://management.azure.com");
    assert_eq!(get("simple/library/", Some(&other)).await, refused);
    let token = emulator.access_token(USUAL.client, DEVOPS);
    let (status, _, list) = get("simple/library/", Some(&token)).await;
    assert!(status == 200 && list.contains("/pypi/download/library-1.0.whl\""), "{list}");
    assert_eq!(get("download/library-1.0.whl", Some(&token)).await, (200, false, "content".to_owned()));
    assert_eq!(get("download/other.whl", Some(&token)).await.0, 404);
    assert_eq!(get("simple/other/", Some(&token)).await.2, "");
    emulator.shift_clock(3601);
    assert_eq!(get("simple/library/", Some(&token)).await, refused);
}

#[tokio::test]
async fn a_registrys_token_says_what_it_was_asked_for_and_ends_as_early_as_is_wanted() {
    let emulator = Emulator::start();
    emulator.directory().clouds.longest_life = Some(30);
    let client = client(&emulator);
    let base = emulator.clouds_url();
    let own = base.trim_start_matches("https://");
    let access = emulator.access_token(USUAL.client, REGISTRY);
    let form = format!("grant_type=access_token&service={own}&access_token={access}");
    let exchange = client.post(format!("{base}/oauth2/exchange"));
    let exchange = exchange.header("content-type", "application/x-www-form-urlencoded").body(form);
    let json = async |request: reqwest::RequestBuilder| -> (u16, Value) {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
    };
    let (status, given) = json(exchange).await;
    let refresh = given["refresh_token"].as_str().unwrap();
    assert_eq!(status, 200, "{given}");
    let ask = || {
        let url = format!("{base}/oauth2/token?service={own}&scope=repository:app:pull,push");
        client.get(url).basic_auth("00000000-0000-0000-0000-000000000000", Some(refresh))
    };
    let (status, given) = json(ask()).await;
    assert_eq!((status, &given["expires_in"]), (200, &Value::from(30)), "{given}");
    let payload = given["token"].as_str().unwrap().split('.').nth(1).unwrap();
    let claims = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, payload).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    let expected = serde_json::json!([{"type": "repository", "name": "app", "actions": ["pull", "push"]}]);
    assert_eq!((&claims["access"], &claims["aud"]), (&expected, &Value::from(own)), "{claims}");
    let url = format!("{base}/v2/app/manifests/1");
    let content = client.get(url).bearer_auth(given["token"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(content.status().as_u16(), 200);
    emulator.shift_clock(31);
    assert_eq!(json(ask()).await.0, 401, "the refresh token has ended");
}

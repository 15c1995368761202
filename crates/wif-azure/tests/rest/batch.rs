//! Batches of calls.

use std::time::Duration;

use serde_json::{Value, json};
use wif_azure::{management::ManagementError, rest::BatchCall};

use super::{
    Case,
    support::{Reply, Seen, Server},
};

/// Answers a batch in the reverse order: each call with its address, unless `special` has something else.
fn answer_batch(seen: &Seen, special: impl Fn(&str) -> Option<Value>) -> Reply {
    let body = seen.json();
    let mut answers: Vec<_> = body["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| {
            let url = call["url"].as_str().unwrap();
            let usual = || json!({ "status": 200, "body": { "url": url } });
            let mut answer = special(url).unwrap_or_else(usual);
            answer["id"] = call["id"].clone();
            answer
        })
        .collect();
    answers.reverse();
    Reply::json(&json!({ "responses": answers }))
}

#[tokio::test]
async fn a_batch_is_one_request_and_its_answers_stand_in_the_order_of_the_calls() {
    let server = Server::start(|seen, _| answer_batch(seen, |_| None)).await;
    let case = Case::new();
    let mut calls: Vec<_> = (0..20).map(|number| BatchCall::get(format!("/applications/{number}"))).collect();
    calls[7].headers.insert("ConsistencyLevel", "eventual");
    let rest = case.rest(&server);
    let answers = rest.batch_once::<ManagementError>(&["v1.0", "$batch"], &calls).await.unwrap();
    let seen = server.seen();
    assert_eq!((seen.len(), &*seen[0].method, &*seen[0].target), (1, "POST", "/v1.0/$batch"));
    assert_eq!(
        seen[0].json()["requests"][7],
        json!({ "id": "7", "method": "GET", "url": "/applications/7", "headers": { "ConsistencyLevel": "eventual" } })
    );
    assert!(seen[0].json()["requests"][8].get("headers").is_none());
    assert_eq!(answers.len(), calls.len());
    for (call, answer) in calls.iter().zip(answers) {
        assert_eq!(answer.unwrap().body["url"], call.url);
    }
}

#[tokio::test]
async fn a_call_of_a_batch_that_is_turned_away_says_when_to_come_back_and_is_not_sent_again() {
    let server = Server::start(|seen, _| {
        let turned_away = json!({ "status": 429, "headers": { "retry-after": "3" } });
        answer_batch(seen, |url| (url == "/b").then(|| turned_away.clone()))
    })
    .await;
    let case = Case::new();
    let calls = ["/a", "/b", "/c"].map(|url| BatchCall::get(url.to_owned()));
    let rest = case.rest(&server);
    let answers = rest.batch_once::<ManagementError>(&["$batch"], &calls).await.unwrap();
    let told: Vec<_> = answers.iter().flatten().map(|one| (one.status, one.turned_away())).collect();
    assert_eq!(told, [(200, None), (429, Some(Duration::from_secs(3))), (200, None)]);
    assert!(rest.held_back().is_some_and(|wait| !wait.is_zero()));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn of_two_answers_to_one_call_of_a_batch_the_first_counts() {
    let server = Server::start(|seen, _| {
        let id = seen.json()["requests"][0]["id"].clone();
        let turned_away = json!({ "id": id, "status": 429, "headers": { "Retry-After": "1" } });
        let good = json!({ "id": id, "status": 200, "body": {} });
        let other = json!({ "id": "no call", "status": 500, "body": {} });
        Reply::json(&json!({ "responses": [other, good, turned_away] }))
    })
    .await;
    let case = Case::new();
    let calls = ["/a", "/b"].map(|url| BatchCall::get(url.to_owned()));
    let rest = case.rest(&server);
    let answers = rest.batch_once::<ManagementError>(&["$batch"], &calls).await.unwrap();
    assert_eq!((answers[0].as_ref().map(|one| one.status), answers[1].is_none()), (Some(200), true));
    assert_eq!(rest.held_back(), None);
}

#[tokio::test]
async fn a_batch_without_an_answer_is_sent_once() {
    let server = Server::start(|_, _| Reply::Lost).await;
    let case = Case::new();
    let rest = case.rest(&server);
    let ended = rest.batch_once::<ManagementError>(&["$batch"], &[BatchCall::get("/a".to_owned())]).await;
    assert!(ended.is_err());
    assert_eq!(server.seen().len(), 1);
}

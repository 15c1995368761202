//! Batches of calls.

use reqwest::Method;
use serde_json::{Value, json};
use wif_azure::{
    management::ManagementError,
    rest::{BatchCall, WriteError},
};

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

fn sizes(server: &Server) -> Vec<usize> {
    server.seen().iter().map(|one| one.json()["requests"].as_array().unwrap().len()).collect()
}

#[tokio::test]
async fn a_batch_has_twenty_calls_and_its_answers_stand_in_the_order_of_the_calls() {
    let server = Server::start(|seen, _| answer_batch(seen, |_| None)).await;
    let case = Case::new();
    let calls: Vec<_> = (0..45).map(|number| BatchCall::get(format!("/applications/{number}"))).collect();
    let rest = case.rest(&server);
    let (answers, end) = rest.batch::<ManagementError>(&["v1.0", "$batch"], &calls).await;
    assert!(end.is_none(), "{end:?}");
    assert_eq!(sizes(&server), [20, 20, 5]);
    assert_eq!((&*server.seen()[0].method, &*server.seen()[0].target), ("POST", "/v1.0/$batch"));
    for (call, answer) in calls.iter().zip(answers) {
        assert_eq!(answer.unwrap().body["url"], call.url);
    }
}

#[tokio::test]
async fn a_call_of_a_batch_that_is_turned_away_is_sent_again_alone_after_its_time() {
    let tries = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |seen, _| {
        answer_batch(seen, |url| {
            let is_first = url == "/b" && tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
            is_first.then(|| json!({ "status": 429, "headers": { "Retry-After": "3" } }))
        })
    })
    .await;
    let case = Case::new();
    let calls = ["/a", "/b", "/c"].map(|url| BatchCall::get(url.to_owned()));
    let rest = case.rest(&server);
    let (answers, end) = rest.batch::<ManagementError>(&["$batch"], &calls).await;
    assert!(end.is_none(), "{end:?}");
    assert_eq!((sizes(&server), case.clock.sleeps()), (vec![3, 1], vec![3]));
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().status == 200));
}

#[tokio::test]
async fn a_call_of_a_batch_that_is_always_turned_away_keeps_that_answer() {
    let turned_away = || Some(json!({ "status": 429, "headers": { "retry-after": "1" } }));
    let server = Server::start(move |seen, _| answer_batch(seen, |_| turned_away())).await;
    let case = Case::new();
    let rest = case.rest(&server);
    let (answers, end) = rest.batch::<ManagementError>(&["$batch"], &[BatchCall::get("/a".to_owned())]).await;
    assert!(end.is_none(), "{end:?}");
    assert_eq!((answers[0].as_ref().unwrap().status, server.seen().len()), (429, 5));
}

#[tokio::test]
async fn a_call_of_a_batch_that_is_answered_twice_is_sent_once() {
    let server = Server::start(|seen, _| {
        let id = seen.json()["requests"][0]["id"].clone();
        let turned_away = json!({ "id": id, "status": 429, "headers": { "Retry-After": "1" } });
        let good = json!({ "id": id, "status": 200, "body": {} });
        Reply::json(&json!({ "responses": [good, turned_away, turned_away] }))
    })
    .await;
    let case = Case::new();
    let rest = case.rest(&server);
    let (answers, end) = rest.batch::<ManagementError>(&["$batch"], &[BatchCall::get("/a".to_owned())]).await;
    assert!(end.is_none(), "{end:?}");
    assert_eq!((answers[0].as_ref().unwrap().status, sizes(&server)), (200, vec![1]));
}

#[tokio::test]
async fn a_batch_that_changes_something_is_not_repeated_where_its_answer_was_lost() {
    for method in [Method::GET, Method::PATCH] {
        let server = Server::start(|seen, number| match number {
            0 => answer_batch(seen, |_| None),
            1 => Reply::Lost,
            _ => answer_batch(seen, |_| None),
        })
        .await;
        let case = Case::new();
        let call =
            BatchCall { method: method.clone(), body: Some(json!({})), ..BatchCall::get("/a".to_owned()) };
        let calls = vec![call; 50];
        let rest = case.rest(&server);
        let (answers, end) = rest.batch::<ManagementError>(&["$batch"], &calls).await;
        let answered = answers.iter().flatten().count();
        if method == Method::GET {
            assert!(end.is_none(), "{end:?}");
            assert_eq!((sizes(&server), answered), (vec![20, 20, 20, 10], 50));
        } else {
            assert!(matches!(end, Some(WriteError::Unknown(_))), "{end:?}");
            assert_eq!((sizes(&server), answered), (vec![20, 20], 20));
            let first = &server.seen()[0].json()["requests"][0];
            assert_eq!(first["headers"]["content-type"], "application/json");
        }
    }
}

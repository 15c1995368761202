//! When a change is sent again.

use std::time::Duration;

use serde_json::json;
use wif_azure::{
    management::ManagementError,
    rest::{Change, Rest, Token, WriteError},
};
use wif_core::secret::Secret;
use wif_io::{clock::Deadline, http::HttpError};

use super::{
    Case, TOKEN, read,
    support::{Reply, Seen, Server},
    write,
};

/// A name, the first answer, how often the change is sent, and whether it is done, not done, or unknown.
type Row = (&'static str, fn() -> Reply, usize, &'static str);

#[tokio::test]
async fn a_change_is_sent_again_only_where_the_answer_proves_that_nothing_was_done() {
    let page = || Reply::Answer(200, vec![("content-type", "text/html".to_owned())], "<html>".to_owned());
    let cases: [Row; 14] = [
        ("200", || Reply::json(&json!({})), 1, "done"),
        ("204", || Reply::status(204), 1, "done"),
        ("a page", page, 1, "unknown"),
        ("302", || Reply::status(302).header("location", &"https://portal.example/"), 1, "not done"),
        ("400", || Reply::status(400), 1, "not done"),
        ("401", || Reply::status(401), 1, "not done"),
        ("409", || Reply::status(409).header("Retry-After", &2), 1, "not done"),
        ("408", || Reply::status(408), 1, "unknown"),
        ("429", || Reply::status(429), 1, "not done"),
        ("429, come back", || Reply::status(429).header("Retry-After", &2), 2, "done"),
        ("500", || Reply::status(500).header("Retry-After", &2), 1, "unknown"),
        ("503", || Reply::status(503), 1, "unknown"),
        ("503, come back", || Reply::status(503).header("Retry-After", &2), 2, "done"),
        ("504", || Reply::status(504), 1, "unknown"),
    ];
    for (name, first, requests, expected) in cases {
        let server =
            Server::start(move |_, number| if number == 0 { first() } else { Reply::status(204) }).await;
        let case = Case::new();
        let retry_class = match write(&case.rest(&server)).await {
            Ok(_) => "done",
            Err(WriteError::NotDone(_)) => "not done",
            Err(WriteError::Unknown(_)) => "unknown",
        };
        assert_eq!((retry_class, server.seen().len()), (expected, requests), "{name}");
        let slept = if requests == 2 { vec![2] } else { Vec::new() };
        assert_eq!(case.clock.sleeps(), slept, "{name}");
    }
}

#[tokio::test]
async fn a_change_that_is_turned_away_and_then_lost_is_not_sent_a_third_time() {
    let server = Server::start(|_, number| match number {
        0 => Reply::status(503).header("Retry-After", &1),
        _ => Reply::Lost,
    })
    .await;
    let case = Case::new();
    let error = write(&case.rest(&server)).await.err().unwrap();
    assert!(matches!(error, WriteError::Unknown(_)), "{error:?}");
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_change_that_finds_no_connection_is_tried_again_and_then_known_not_to_be_done() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let case = Case::new();
    let deadline = Deadline::after(&*case.clock, Duration::from_secs(20));
    let rest = Rest::new(&case.http, deadline, url, &Token::Bearer(Secret::new(TOKEN.to_owned())));
    let error = write(&rest).await.err().unwrap();
    let is_not_done = matches!(error, WriteError::NotDone(ManagementError::Http(HttpError::Connect { .. })));
    assert!(is_not_done, "{error:?}");
    assert!(case.clock.sleeps().len() > 2, "{:?}", case.clock.sleeps());
}

#[tokio::test]
async fn reading_is_tried_again_and_changing_is_not_where_the_answer_was_lost() {
    let lost = |_: &Seen, number| if number < 2 { Reply::Lost } else { Reply::json(&json!({})) };
    let case = Case::new();
    let server = Server::start(lost).await;
    read(&case.rest(&server)).await.unwrap();
    assert_eq!(server.seen().len(), 3);

    for method in [Rest::post, Rest::put, Rest::patch, Rest::delete] {
        let server = Server::start(lost).await;
        let rest = case.rest(&server);
        let call: Change<'_> = method(&rest, ["x"]);
        let error = call.send::<ManagementError>().await.err().unwrap();
        assert!(matches!(error, WriteError::Unknown(ManagementError::Http(_))), "{error:?}");
        assert!(error.to_string().contains("unknown whether the change was made"), "{error}");
        assert_eq!(server.seen().len(), 1);
    }
}

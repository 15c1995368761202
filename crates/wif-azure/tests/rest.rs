//! The laws of the REST client, against a small server.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::use_debug,
    clippy::format_push_string,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test stops at the first surprise, and says what it saw"
)]

mod support;

use std::{sync::Arc, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use uuid::Uuid;
use wif_azure::{
    devops::service_connections::ConnectionsError,
    management::ManagementError,
    resource_manager::ResourceManager,
    rest::{BatchCall, Change, ListEnd, LostPage, PageLimits, Rest, Token, WriteError},
};
use wif_core::secret::Secret;
use wif_io::{
    clock::Deadline,
    endpoint::Endpoint,
    http::{Http, HttpError},
};

use support::{Jumping, Reply, Server, http};

const LIMITS: PageLimits = PageLimits { items: 100, pages: 10 };
const TOKEN: &str = "only-for-this-service";

struct Case {
    clock: Arc<Jumping>,
    http: Http,
}

impl Case {
    fn new() -> Self {
        let clock = Jumping::new();
        Self { http: http(&clock), clock }
    }

    /// A client of the server that gives up after a minute.
    fn rest(&self, server: &Server) -> Rest<'_> {
        let deadline = Deadline::after(&*self.clock, Duration::from_secs(60));
        let token = Token::Bearer(Secret::new(TOKEN.to_owned()));
        Rest::new(&self.http, deadline, server.url.clone(), &token)
    }
}

async fn read(rest: &Rest<'_>) -> Result<Value, ManagementError> {
    rest.get(["x"]).json().await
}

async fn write(rest: &Rest<'_>) -> Result<u16, WriteError<ManagementError>> {
    rest.put(["x"]).body(&json!({})).send().await.map(|response| response.status)
}

async fn list(rest: &Rest<'_>, limits: PageLimits) -> (Vec<Value>, Option<ListEnd<ManagementError>>) {
    rest.get(["list"]).query(&[("api-version", "1"), ("$filter", "a eq 'b&c'")]).pages(limits).await
}

#[tokio::test]
async fn a_page_at_another_host_is_not_asked_for_and_gets_no_token() {
    let other = Server::start(|_, _| Reply::json(&json!({ "value": ["stolen"] }))).await;
    let port = other.url.port().unwrap();
    for link in [
        other.url.join("list").unwrap().to_string(),
        format!("https://127.0.0.1:{port}@localhost:{port}/list"),
        format!("http://127.0.0.1:{port}/list"),
        "/list?page=2".to_owned(),
        "not a url".to_owned(),
    ] {
        for name in ["nextLink", "@odata.nextLink"] {
            let page = json!({ "value": ["kept"], name: link });
            let server = Server::start(move |_, _| Reply::json(&page)).await;
            let case = Case::new();
            let (found, end) = list(&case.rest(&server), LIMITS).await;
            assert_eq!(found, ["kept"], "{link}");
            assert!(matches!(end, Some(ListEnd::OtherHost)), "{link}: {end:?}");
            assert_eq!(server.seen().len(), 1, "{link}");
        }
    }
    assert_eq!(other.seen().len(), 0, "nothing came to the other host");
}

#[tokio::test]
async fn a_link_that_names_a_user_or_password_is_no_link_of_the_service() {
    for login in ["user", ":password", "user:password"] {
        let server = Server::start(move |seen, _| {
            let host = seen.header("host").unwrap();
            Reply::json(&json!({ "value": [1], "nextLink": format!("https://{login}@{host}/list") }))
        })
        .await;
        let case = Case::new();
        let (found, end) = list(&case.rest(&server), LIMITS).await;
        assert!(matches!(end, Some(ListEnd::OtherHost)), "{login}: {end:?}");
        assert_eq!((found.len(), server.seen().len()), (1, 1));
    }
}

#[tokio::test]
async fn pages_are_followed_by_link() {
    for name in ["nextLink", "@odata.nextLink"] {
        let server = Server::start(move |seen, number| {
            let host = seen.header("host").unwrap();
            let next = (number < 2).then(|| format!("https://{host}/more?page={number}"));
            Reply::json(&json!({ "value": [number], name: next }))
        })
        .await;
        let case = Case::new();
        let (found, end) = list(&case.rest(&server), LIMITS).await;
        assert_eq!(found, [0, 1, 2]);
        assert!(end.is_none(), "{end:?}");
        let seen = server.seen();
        assert_eq!(
            seen[1..].iter().map(|one| &*one.target).collect::<Vec<_>>(),
            ["/more?page=0", "/more?page=1"]
        );
        assert!(seen.iter().all(|one| one.header("authorization") == Some("Bearer only-for-this-service")));
    }
}

#[tokio::test]
async fn pages_can_be_asked_for_one_by_one_each_with_the_wait_that_it_asks_for() {
    let server = Server::start(|seen, number| {
        let host = seen.header("host").unwrap();
        let next = match number {
            0 => format!("https://{host}/more"),
            _ => "https://127.0.0.1:1/more".to_owned(),
        };
        Reply::json(&json!({ "value": [number], "nextLink": next })).header("retry-after", &number)
    })
    .await;
    let case = Case::new();
    let rest = case.rest(&server);
    let first = rest.get(["x"]).page::<ManagementError>().await.unwrap();
    let next = first.next.unwrap().unwrap();
    let second = rest.get(["x"]).at(&next).page::<ManagementError>().await.unwrap();
    assert_eq!((first.items, second.items), (vec![json!(0)], vec![json!(1)]));
    assert_eq!(second.retry_after, Some(Duration::from_secs(1)));
    assert_eq!(second.next.unwrap().unwrap_err(), LostPage::OtherHost);
    assert_eq!(server.seen()[1].target, "/more");
}

#[tokio::test]
async fn the_identities_roles_and_credentials_of_later_pages_are_found() {
    let client = Uuid::from_u128(7);
    let server = Server::start(move |seen, _| {
        let (path, query) = seen.target.split_once('?').unwrap();
        let host = seen.header("host").unwrap();
        let is_last = query.contains("page=2");
        let value = match path.rsplit('/').next().unwrap() {
            "userAssignedIdentities" if is_last => json!({
                "id": "/subscriptions/s/id", "name": "id", "properties": { "clientId": client },
            }),
            "userAssignedIdentities" => json!({ "id": "/x", "name": "x", "properties": { "clientId": Uuid::nil() } }),
            "federatedIdentityCredentials" => json!({
                "name": if is_last { "last" } else { "first" },
                "properties": { "issuer": "https://i", "subject": "s", "audiences": ["a"] },
            }),
            _ => json!({ "properties": { "roleDefinitionId": if is_last { "last" } else { "first" }, "scope": "/" } }),
        };
        let next = (!is_last).then(|| format!("https://{host}{path}?page=2"));
        Reply::json(&json!({ "value": [value], "nextLink": next }))
    })
    .await;
    let case = Case::new();
    let base = Endpoint::parse(server.url.as_str()).unwrap();
    let deadline = Deadline::after(&*case.clock, Duration::from_secs(60));
    let token = Secret::new(TOKEN.to_owned());
    let manager = ResourceManager { http: &case.http, deadline, base: &base, token: &token };
    let found = manager.federated_credentials(Uuid::nil(), client).await.unwrap().unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
    let roles = manager.roles(Uuid::nil(), client).await.unwrap();
    assert_eq!(roles.iter().map(|role| role.name.as_str()).collect::<Vec<_>>(), ["first", "last"]);
}

#[tokio::test]
async fn pages_are_followed_by_the_token_in_a_header_with_the_rest_of_the_query() {
    let server = Server::start(|_, number| {
        let reply = Reply::json(&json!({ "count": 1, "value": [number] }));
        if number < 2 { reply.header("x-ms-continuationtoken", &format!("{number}&x=y")) } else { reply }
    })
    .await;
    let case = Case::new();
    let (found, end) = list(&case.rest(&server), LIMITS).await;
    assert_eq!(found, [0, 1, 2]);
    assert!(end.is_none(), "{end:?}");
    let targets: Vec<_> = server.seen().into_iter().map(|one| one.target).collect();
    let base = "/list?api-version=1&%24filter=a+eq+%27b%26c%27";
    let next = |number| format!("{base}&continuationToken={number}%26x%3Dy");
    assert_eq!(targets, [base.to_owned(), next(0), next(1)]);
}

#[tokio::test]
async fn a_list_without_an_end_is_left_after_so_many_pages_or_items() {
    let endless = |_: &support::Seen, _| {
        Reply::json(&json!({ "value": [1, 2, 3] })).header("x-ms-continuationtoken", &"1")
    };
    let case = Case::new();
    let server = Server::start(endless).await;
    let (found, end) = list(&case.rest(&server), PageLimits { items: 100, pages: 4 }).await;
    assert!(matches!(end, Some(ListEnd::TooManyPages)), "{end:?}");
    assert_eq!((found.len(), server.seen().len()), (12, 4));
    for (items, pages) in [(5, 2), (6, 2), (7, 3)] {
        let server = Server::start(endless).await;
        let (found, end) = list(&case.rest(&server), PageLimits { items, pages: 4 }).await;
        assert!(matches!(end, Some(ListEnd::TooMany)), "{end:?}");
        assert_eq!((found.len(), server.seen().len()), (items, pages));
    }
}

#[tokio::test]
async fn a_page_that_does_not_come_leaves_those_before_it() {
    let server = Server::start(|_, number| match number {
        0 => Reply::json(&json!({ "value": [1] })).header("x-ms-continuationtoken", &"1"),
        _ => Reply::status(403),
    })
    .await;
    let case = Case::new();
    let (found, end) = list(&case.rest(&server), LIMITS).await;
    assert_eq!(found, [1]);
    assert!(matches!(end, Some(ListEnd::Page(ManagementError::Refused { status: 403, .. }))), "{end:?}");
}

#[tokio::test]
async fn a_token_for_the_next_page_that_cannot_be_sent_back_is_no_end_of_the_list() {
    let server = Server::start(|_, _| {
        Reply::json(&json!({ "value": [1] })).header("x-ms-continuationtoken", &"a".repeat(5000))
    })
    .await;
    let case = Case::new();
    let (found, end) = list(&case.rest(&server), LIMITS).await;
    assert!(matches!(end, Some(ListEnd::Token)), "{end:?}");
    assert_eq!((found.len(), server.seen().len()), (1, 1));
}

#[tokio::test]
async fn an_answer_that_is_larger_than_wanted_is_not_read() {
    let server = Server::start(|_, _| Reply::json(&json!({ "value": ["a".repeat(3000)] }))).await;
    let case = Case::new();
    let rest = case.rest(&server);
    let query = rest.get(["list"]).once().max_answer_bytes(2048);
    let (found, end) = query.pages::<ManagementError>(LIMITS).await;
    let is_too_large = matches!(
        end,
        Some(ListEnd::Page(ManagementError::Http(HttpError::TooLarge { max_bytes: 2048, .. })))
    );
    assert!(is_too_large && found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn a_wait_that_a_success_asks_for_holds_back_the_next_call() {
    for is_date in [false, true] {
        let server = Server::start(move |_, number| {
            let reply = Reply::json(&json!({}));
            match (number, is_date) {
                (0, false) => reply.header("Retry-After", &7),
                (0, true) => reply.header("Retry-After", &date_in(7)),
                _ => reply,
            }
        })
        .await;
        let case = Case::new();
        let rest = case.rest(&server);
        read(&rest).await.unwrap();
        assert_eq!(case.clock.sleeps(), Vec::<u64>::new(), "the answer itself is passed on at once");
        assert_eq!(write(&rest).await.unwrap(), 200);
        let slept = case.clock.sleeps();
        assert!(matches!(slept[..], [6..=7]), "{slept:?}");
        read(&rest).await.unwrap();
        assert_eq!(case.clock.sleeps().len(), 1, "and once");
    }
}

#[tokio::test]
async fn a_refusal_holds_back_no_call_whatever_it_asks_for() {
    let server = Server::start(|_, _| {
        Reply::Answer(403, vec![("Retry-After", "300".to_owned())], json!({}).to_string())
    })
    .await;
    let case = Case::new();
    let rest = case.rest(&server);
    for _ in 0..2 {
        let refused = read(&rest).await;
        assert!(matches!(refused, Err(ManagementError::Refused { status: 403, .. })), "{refused:?}");
    }
    assert_eq!((server.seen().len(), case.clock.sleeps().len()), (2, 0));
}

fn date_in(seconds: i64) -> String {
    #[expect(clippy::disallowed_methods, reason = "the date of an answer")]
    let now = OffsetDateTime::now_utc();
    (now + time::Duration::seconds(seconds)).format(&Rfc2822).unwrap().replace("+0000", "GMT")
}

#[tokio::test]
async fn a_wait_for_longer_than_there_is_time_ends_the_next_call_without_a_request() {
    for delay in [59, 300, u64::MAX] {
        let server = Server::start(move |_, _| Reply::json(&json!({})).header("Retry-After", &delay)).await;
        let case = Case::new();
        let rest = case.rest(&server);
        read(&rest).await.unwrap();
        let refused = read(&rest).await;
        assert!(matches!(refused, Err(ManagementError::Busy { status: 200, .. })), "{refused:?}");
        let refused = write(&rest).await;
        let is_not_done = matches!(refused, Err(WriteError::NotDone(ManagementError::Busy { .. })));
        assert!(is_not_done, "{refused:?}");
        assert_eq!((server.seen().len(), case.clock.sleeps().len()), (1, 0), "{delay}");
    }
}

#[tokio::test]
async fn reading_is_tried_again_and_changing_is_not_where_the_answer_was_lost() {
    let lost = |_: &support::Seen, number| if number < 2 { Reply::Lost } else { Reply::json(&json!({})) };
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
async fn a_sign_in_page_of_azure_devops_is_a_refusal_of_the_token_whatever_its_status() {
    for status in [200, 203, 302] {
        let server = Server::start(move |_, _| {
            let page = "<html><title>Azure DevOps Services | Sign In</title>".to_owned();
            let location = ("location", "https://app.vssps.visualstudio.com/_signin".to_owned());
            Reply::Answer(status, vec![("content-type", "text/html".to_owned()), location], page)
        })
        .await;
        let case = Case::new();
        let rest = case.rest(&server);
        let error = rest.delete(["x"]).send::<ConnectionsError>().await.err().unwrap();
        assert!(matches!(error, WriteError::NotDone(ConnectionsError::Token { .. })), "{error:?}");
        let error = rest.get(["x"]).json::<Value, ConnectionsError>().await.err().unwrap();
        assert!(matches!(error, ConnectionsError::Token { .. }), "{error:?}");
        assert_eq!(server.seen().len(), 2);
    }
}

#[tokio::test]
async fn every_method_sends_its_name_path_query_headers_and_body() {
    let server = Server::start(|_, _| Reply::json(&json!({ "id": 1 }))).await;
    let case = Case::new();
    let rest = case.rest(&server).header("x-client", "all");
    for call in [rest.post(["a b", "c/d"]), rest.put(["a b", "c/d"]), rest.patch(["a b", "c/d"])] {
        let call = call.query(&[("api-version", "1")]).header("prefer", "x").body(&json!({ "k": "v" }));
        let answer: Value = call.json::<_, ManagementError>().await.unwrap();
        assert_eq!(answer, json!({ "id": 1 }));
    }
    rest.delete(["a b", "c/d"]).query(&[("api-version", "1")]).send::<ManagementError>().await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.iter().map(|one| &*one.method).collect::<Vec<_>>(), ["POST", "PUT", "PATCH", "DELETE"]);
    for one in &seen {
        assert_eq!(one.target, "/a%20b/c%2Fd?api-version=1");
        assert_eq!((one.header("x-client"), one.header("accept")), (Some("all"), Some("application/json")));
    }
    for one in &seen[..3] {
        assert_eq!(one.header("content-type"), Some("application/json"));
        assert_eq!((one.header("prefer"), one.json()), (Some("x"), json!({ "k": "v" })));
    }
    assert_eq!(seen[3].body, "");
}

#[tokio::test]
async fn a_personal_access_token_is_sent_as_a_password_without_a_user() {
    let server = Server::start(|_, _| Reply::json(&json!({}))).await;
    let case = Case::new();
    let deadline = Deadline::after(&*case.clock, Duration::from_secs(60));
    let token = Token::Personal(Secret::new("pat".to_owned()));
    let rest = Rest::new(&case.http, deadline, server.url.clone(), &token);
    read(&rest).await.unwrap();
    assert_eq!(server.seen()[0].header("authorization"), Some("Basic OnBhdA=="));
}

/// Answers a batch in the reverse order: each call with its address, unless `special` has something else.
fn answer_batch(seen: &support::Seen, special: impl Fn(&str) -> Option<Value>) -> Reply {
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

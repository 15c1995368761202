//! What a request has in it, and what of an answer is read.

use std::time::Duration;

use serde_json::{Value, json};
use wif_azure::{
    devops::service_connections::ConnectionsError,
    management::ManagementError,
    rest::{ListEnd, Rest, Token, WriteError},
};
use wif_core::secret::Secret;
use wif_io::{clock::Deadline, http::HttpError};

use super::{
    Case, LIMITS, read,
    support::{Reply, Server},
};

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

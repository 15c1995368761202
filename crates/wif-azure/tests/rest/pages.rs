//! Lists over several pages.

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;
use wif_azure::{
    management::ManagementError,
    resource_manager::ResourceManager,
    rest::{ListEnd, LostPage, PageLimits},
};
use wif_core::secret::Secret;
use wif_io::{clock::Deadline, endpoint::Endpoint};

use super::{
    Case, LIMITS, TOKEN, list,
    support::{Reply, Seen, Server},
};

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
            assert!(matches!(end, Some(ListEnd::Lost(LostPage::OtherHost))), "{link}: {end:?}");
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
        assert!(matches!(end, Some(ListEnd::Lost(LostPage::OtherHost))), "{login}: {end:?}");
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
    let endless =
        |_: &Seen, _| Reply::json(&json!({ "value": [1, 2, 3] })).header("x-ms-continuationtoken", &"1");
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
    assert!(matches!(end, Some(ListEnd::Lost(LostPage::Token))), "{end:?}");
    assert_eq!((found.len(), server.seen().len()), (1, 1));
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
    let second = rest.get(["x"]).at(&next).unwrap().page::<ManagementError>().await.unwrap();
    assert_eq!((first.items, second.items), (vec![json!(0)], vec![json!(1)]));
    assert_eq!(second.retry_after, Some(Duration::from_secs(1)));
    assert_eq!(second.next.unwrap().unwrap_err(), LostPage::OtherHost);
    assert_eq!(server.seen()[1].target, "/more");
    let other = Server::start(|_, _| Reply::json(&json!({ "value": [] }))).await;
    let lost = case.rest(&other).get(["x"]).at(&next).map(|_| ()).unwrap_err();
    assert_eq!((lost, other.seen().len()), (LostPage::OtherHost, 0), "a page of another service");
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

//! Waits that a service asks for.

use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use wif_azure::{management::ManagementError, rest::WriteError};

use super::{
    Case, read,
    support::{Reply, Server},
    write,
};

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

//! Many callers, and many resources, at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use emulator::{Fault, Gate, Service};
use time::OffsetDateTime;
use wif_broker::tokens::{FetchAccess, Tokens};
use wif_core::{azure::resource::Resource, code::Code};
use wif_io::clock;

use super::{arm, open};
use crate::support::{Case, REAL_LIMIT, Virtual, idle, run, timeout};

#[test]
fn a_thousand_callers_at_once_cost_one_request() {
    let case = Case::new();
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        let resource = arm(&session);
        let callers = (0..1000).map(|_| {
            let (session, resource) = (Arc::clone(&session), resource.clone());
            tokio::spawn(async move { session.tokens.access_token(&resource).await.is_ok() })
        });
        for caller in callers.collect::<Vec<_>>() {
            assert!(caller.await.unwrap());
        }
        assert_eq!(case.asked(), (1, 1));
    });
}

#[test]
fn two_hundred_resources_at_once_cost_sixteen_requests_at_once() {
    let case = Case::new();
    let gate = Gate::new();
    run(async {
        let (clock, wire) = Virtual::watching(case.emulator.now());
        let session = open(&case, clock as _).await;
        assert!(session.tokens.id_token().unwrap().get().await.is_ok());
        case.emulator.fault(Fault::on(Service::Entra, "POST", "/token").always().gate(&gate));
        let ask = |number: usize| {
            let session = Arc::clone(&session);
            let name = format!("api://00000000-0000-0000-0000-{number:012}/.default");
            let resource = Resource::parse(&name, &session.tokens.audiences).unwrap();
            tokio::spawn(async move { session.tokens.access_token(&resource).await.map_err(|f| f.code) })
        };
        let callers: Vec<_> = (0..200).map(ask).collect();
        timeout(REAL_LIMIT, gate.reached(16)).await.unwrap();
        // What goes on without an answer of Entra goes on.
        idle().await;
        assert_eq!((wire.requests(), gate.waiting()), (16, 16));
        let refused = ask(200).await.unwrap();
        assert_eq!(
            refused.unwrap_err(),
            Code::ServiceUnavailable,
            "as many as the broker keeps are under way"
        );
        assert_eq!(session.tokens.statuses().len(), 201, "the id token, and 200 resources");
        callers.iter().for_each(tokio::task::JoinHandle::abort);
    });
}

#[test]
fn what_waits_for_its_turn_is_told_so_after_a_minute() {
    run(async {
        let clock = Virtual::new(OffsetDateTime::UNIX_EPOCH);
        let under_way = Arc::new(AtomicUsize::new(0));
        let begun = Arc::clone(&under_way);
        // Answers never come.
        let fetch_access: FetchAccess = Box::new(move |_resource| {
            let begun = Arc::clone(&begun);
            Arc::new(move || {
                begun.fetch_add(1, Ordering::SeqCst);
                Box::pin(std::future::pending())
            })
        });
        let case = Case::new();
        let audiences = open(&case, Arc::new(clock::System::new())).await.tokens.audiences.clone();
        let tokens = Tokens::new(
            Arc::clone(&clock) as _,
            (uuid::Uuid::nil(), None),
            audiences.clone(),
            wif_core::azure::allowed::Allowed::Any,
            None,
            fetch_access,
        );
        let tokens = Arc::new(tokens);
        let ask = |number: usize| {
            let tokens = Arc::clone(&tokens);
            let name = format!("api://00000000-0000-0000-0000-{number:012}/.default");
            let resource = Resource::parse(&name, &audiences).unwrap();
            tokio::spawn(async move { tokens.access_token(&resource).await.map_err(|f| f.code) })
        };
        let callers: Vec<_> = (0..17).map(ask).collect();
        idle().await;
        clock.pass(Duration::from_secs(59));
        idle().await;
        assert!(callers.iter().all(|caller| !caller.is_finished()));
        clock.pass(Duration::from_secs(1));
        idle().await;
        let finished: Vec<_> = callers.into_iter().filter(tokio::task::JoinHandle::is_finished).collect();
        assert_eq!((finished.len(), under_way.load(Ordering::SeqCst)), (1, 16));
        for caller in finished {
            assert_eq!(caller.await.unwrap().unwrap_err(), Code::ServiceUnavailable);
        }
    });
}

//! Tokens are renewed ahead of their end, in a job of any length, and after an outage.

use std::{sync::Arc, time::Duration};

use emulator::{Fault, Service};
use wif_broker::session::Session;
use wif_core::code::Code;
use wif_io::clock::{self, Clock as _};

use super::{arm, open};
use crate::support::{Case, Virtual, idle, run, wait_for};

async fn renewed(case: &Case, session: &Session) {
    idle().await;
    let journal = || case.emulator.journal_text();
    wait_for("nothing is renewed", journal, || session.tokens.statuses().iter().all(|token| !token.renewing))
        .await;
}

/// Lets a job of so many hours pass, a caller each minute, and returns the least life that an answer had.
async fn job(case: &Case, session: &Arc<Session>, clock: &Virtual, hours: u64) -> time::Duration {
    let keeper = Arc::clone(session);
    tokio::spawn(async move { keeper.tokens.keep(|| true).await });
    let resource = arm(session);
    let (mut passed, mut least) = (Duration::ZERO, time::Duration::MAX);
    while passed < Duration::from_secs(hours * 3600) {
        let step = clock.pass(Duration::from_secs(60));
        passed += step;
        case.emulator.shift_clock(i64::try_from(step.as_secs()).unwrap());
        let fresh = session.tokens.access_token(&resource).await;
        // This clock is faster than the services.
        renewed(case, session).await;
        let fresh = fresh.unwrap_or_else(|failure| panic!("after {passed:?}: {failure}"));
        least = least.min(fresh.lifetime.until - clock.now());
    }
    least
}

#[test]
fn a_job_of_a_day_is_signed_in_all_day_with_id_tokens_of_five_minutes() {
    let case = Case::new();
    run(async {
        let clock = Virtual::new(case.emulator.now());
        let session = open(&case, Arc::clone(&clock) as _).await;
        let least = job(&case, &session, &clock, 24).await;
        assert!(least > time::Duration::minutes(20), "{least}");
        let (id_tokens, access_tokens) = case.asked();
        assert!((47..=50).contains(&access_tokens), "one each half hour: {access_tokens}");
        // Each is asked for when an access token needs it, and none ahead of its end.
        assert!(id_tokens <= access_tokens + 1, "one for each access token: {id_tokens}");
    });
}

#[test]
fn a_job_of_a_day_is_signed_in_all_day_with_one_id_token_that_comes_again_and_again() {
    let case = Case::with_entra_issuer();
    case.emulator.directory().same_id_token_again = true;
    run(async {
        let clock = Virtual::new(case.emulator.now());
        let session = open(&case, Arc::clone(&clock) as _).await;
        let least = job(&case, &session, &clock, 24).await;
        assert!(least > time::Duration::minutes(20), "{least}");
        let (id_tokens, access_tokens) = case.asked();
        assert!((47..=50).contains(&access_tokens), "one each half hour: {access_tokens}");
        assert!((1..=2).contains(&id_tokens), "it serves every exchange: {id_tokens}");
        let ends = session.tokens.id_token().unwrap().until().unwrap() - case.emulator.now();
        assert!(ends < time::Duration::minutes(6), "it is the first one still: {ends}");
    });
}

#[test]
fn an_outage_is_invisible_while_the_token_lives_then_an_error_and_then_nothing_again() {
    let case = Case::new();
    run(async {
        let clock = Virtual::new(case.emulator.now());
        let session = open(&case, Arc::clone(&clock) as _).await;
        let resource = arm(&session);
        let pass = async |seconds: u64| {
            let mut left = Duration::from_secs(seconds);
            while !left.is_zero() {
                let step = clock.pass(left);
                case.emulator.shift_clock(i64::try_from(step.as_secs()).unwrap());
                left -= step;
                idle().await;
                let journal = || case.emulator.journal_text();
                let waits =
                    || clock.sleepers() > 0 || session.tokens.statuses().iter().all(|token| !token.renewing);
                wait_for("every attempt has ended, or waits for time to pass", journal, waits).await;
            }
        };
        assert!(session.tokens.access_token(&resource).await.is_ok());
        // Refusals: some are for good, and others are tried again a few times.
        for (service, path) in [(Service::DevOps, "/oidctoken"), (Service::Entra, "/token")] {
            case.emulator.fault(Fault::on(service, "POST", path).times(4).status(418));
        }
        pass(1900).await;
        for _ in 0..5 {
            assert!(session.tokens.access_token(&resource).await.is_ok(), "the old one works");
        }
        pass(1800).await;
        let failure = session.tokens.access_token(&resource).await.unwrap_err();
        assert_eq!(failure.code, Code::IdTokenRefused, "{failure}");
        let asked = case.asked();
        assert!(session.tokens.access_token(&resource).await.is_err());
        assert_eq!(case.asked(), asked, "at once");
        let mut tries = 0;
        while session.tokens.access_token(&resource).await.is_err() {
            pass(31).await;
            tries += 1;
            assert!(tries < 20);
        }
    });
}

#[test]
fn a_token_is_renewed_ahead_of_its_end_though_callers_come_seldom() {
    let case = Case::new();
    run(async {
        let clock = Virtual::new(case.emulator.now());
        let session = open(&case, Arc::clone(&clock) as _).await;
        let keeper = Arc::clone(&session);
        tokio::spawn(async move { keeper.tokens.keep(|| true).await });
        let resource = arm(&session);
        let pass = async |seconds: u64| {
            let mut left = Duration::from_secs(seconds);
            while !left.is_zero() {
                renewed(&case, &session).await;
                let step = clock.pass(left);
                case.emulator.shift_clock(i64::try_from(step.as_secs()).unwrap());
                left -= step;
            }
        };
        assert!(session.tokens.access_token(&resource).await.is_ok());
        pass(2500).await;
        assert_eq!(case.asked().1, 2, "renewed at half an hour");
        assert!(session.tokens.access_token(&resource).await.is_ok());
        pass(1500).await;
        assert_eq!(case.asked().1, 3, "and at an hour");
        pass(7200).await;
        assert_eq!(case.asked().1, 3, "no caller has asked since");
    });
}

#[test]
fn a_job_token_that_ended_is_named() {
    let case = Case::new().set("ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN", "ended");
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        let failure = session.tokens.access_token(&arm(&session)).await.unwrap_err();
        assert_eq!(failure.code, Code::JobTokenRefused);
        assert!(failure.to_string().contains("24 hours"), "{failure}");
    });
}

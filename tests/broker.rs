//! The broker in this process: who may ask, what it costs, and that nothing is ever stale.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use emulator::{Fault, Gate, Service};
use time::OffsetDateTime;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use wif::session::serve;
use wif_broker::{
    server,
    session::Session,
    tokens::{FetchAccess, Tokens},
};
use wif_core::{azure::resource::Resource, code::Code, secret::Secret};
use wif_io::clock::{self, Clock};

use crate::support::{Case, REAL_LIMIT, Virtual, idle, run, timeout, wait_for};

pub(crate) const KEY: &str = "0123456789abcdef";

/// A broker in this process, with what a step hands over to its own.
pub(crate) async fn open(case: &Case, clock: Arc<dyn Clock>) -> Arc<Session> {
    let key = Secret::new(KEY.to_owned());
    let env = serve::environment(&case.env(), case.connection);
    let (listener, session) = serve::open_session(env, None, key, clock).await.unwrap();
    tokio::spawn(server::serve(listener, Arc::clone(&session), std::future::pending()));
    session
}

fn arm(session: &Session) -> Resource {
    Resource::parse("arm", &session.tokens.audiences).unwrap()
}

/// Sends bytes as they are, and reads the answer to its end.
pub(crate) async fn raw(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

fn head(line: &str, port: u16, headers: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}\r\n")
}

#[test]
fn a_caller_that_may_not_ask_gets_a_reason_and_no_token() {
    let case = Case::new().input("allowedResources", "arm");
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        let port = session.port;
        let key = format!("X-IDENTITY-HEADER: {KEY}\r\n");
        let get = |path: &str, headers: &str| head(&format!("GET {path}"), port, headers);
        let identity = "/identity?resource=https://management.azure.com/&api-version=2019-08-01";
        let foreign = |extra: &str| get(identity, &format!("{key}{extra}"));
        let refused: Vec<(&str, String)> = vec![
            ("401", get(identity, "")),
            ("401", get(identity, "X-IDENTITY-HEADER: wrong\r\n")),
            ("401", get(identity, &format!("Authorization: Bearer {KEY}\r\n"))),
            ("401", get("/wrong/identity?resource=https://management.azure.com/", "Metadata: true\r\n")),
            ("401", get("/id-token?session=1", "")),
            ("401", head("POST /azd/token", port, "Content-Length: 0\r\n")),
            ("401", get("/status", "")),
            ("401", head("POST /end", port, "Content-Length: 0\r\n")),
            ("403", foreign("Origin: https://evil.example\r\n")),
            ("403", foreign("X-Forwarded-For: 10.0.0.1\r\n")),
            ("403", foreign("Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: cross-site\r\n")),
            ("403", head(&format!("GET http://evil.example{identity}"), port, &key)),
            (
                "403",
                format!("GET {identity} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n{key}\r\n"),
            ),
            ("403", format!("GET {identity} HTTP/1.0\r\n{key}\r\n")),
            ("403", get("/identity?resource=https://vault.azure.net", &key)),
            ("403", get(&format!("/{KEY}/identity?resource=https://vault.azure.net"), "")),
            ("400", get("/identity", &key)),
            ("400", get("/identity?resource=nonsense", &key)),
            ("400", get(&format!("{identity}&resource=x"), &key)),
            ("400", get(&format!("{identity}&client_id=11111111-1111-1111-1111-111111111111"), &key)),
            ("400", get(&format!("{identity}&mi_res_id=/subscriptions/x"), &key)),
            ("404", get("/", &key)),
            ("404", get("/identity/", &key)),
            ("405", head("DELETE /identity?resource=arm", port, &key)),
            ("405", head("PUT /id-token", port, &format!("Authorization: Bearer {KEY}\r\n"))),
            (
                "415",
                head(
                    "POST /azd/token",
                    port,
                    &format!("Authorization: Bearer {KEY}\r\nContent-Length: 2\r\n"),
                ) + "{}",
            ),
            ("431", get(identity, &format!("X-Long: {}\r\n", "x".repeat(20_000)))),
            ("431", get(identity, &"X-Many: x\r\n".repeat(100))),
            (
                "413",
                head(
                    "POST /azd/token",
                    port,
                    &format!(
                        "Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\nContent-Length: 65537\r\n"
                    ),
                ) + &" ".repeat(65_537),
            ),
        ];
        let count = refused.len();
        for (status, request) in refused {
            let answer = raw(port, &request).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}"))
                    || answer.starts_with(&format!("HTTP/1.0 {status}")),
                "{request}\n{answer}"
            );
            assert!(!answer.contains("eyJ") && !answer.contains(KEY), "{answer}");
        }
        assert!(case.emulator.journal().is_empty(), "{}", case.emulator.journal_text());
        let status = raw(port, &get("/status", &key)).await;
        // The two heads that were too large were never requests.
        assert!(status.contains(&format!("\"refused\":{}", count - 2)), "{status}");
    });
}

#[test]
fn every_protocol_has_the_fields_that_its_strictest_reader_wants() {
    let case = Case::new();
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        let port = session.port;
        let json = async |request: String| {
            let answer = raw(port, &request).await;
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
            serde_json::from_str::<serde_json::Value>(body).unwrap()
        };
        let client = emulator::USUAL.client;
        for request in [
            head(
                &format!(
                    "GET /identity?api-version=2017-09-01&resource=https://vault.azure.net&client_id={client}"
                ),
                port,
                &format!("X-IDENTITY-HEADER: {KEY}\r\nMetadata: true\r\n"),
            ),
            head(
                &format!("GET /{KEY}/identity?api-version=2018-02-01&resource=https://vault.azure.net"),
                port,
                "Metadata: true\r\n",
            ),
        ] {
            let answer = json(request).await;
            for field in ["access_token", "expires_on", "expires_in", "resource", "token_type", "client_id"] {
                assert!(answer[field].is_string(), "{field} in {answer}");
            }
            let expires: i64 = answer["expires_on"].as_str().unwrap().parse().unwrap();
            assert!(expires > case.emulator.now().unix_timestamp() + 20 * 60);
            assert!(answer["expires_in"].as_str().unwrap().parse::<u64>().unwrap() > 20 * 60);
            assert_eq!(
                (&answer["resource"], &answer["token_type"]),
                (&"https://vault.azure.net".into(), &"Bearer".into())
            );
        }
        let bearer = format!("Authorization: Bearer {KEY}\r\n");
        let github =
            json(head("GET /id-token?session=1&audience=api://AzureADTokenExchange", port, &bearer)).await;
        let devops =
            json(head("POST /id-token?session=1", port, &format!("{bearer}Content-Length: 0\r\n"))).await;
        assert_eq!(github["value"], devops["oidcToken"]);
        let body = r#"{"scopes":["https://vault.azure.net/.default"]}"#;
        let headers = format!("{bearer}Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        let azd = json(head("POST /azd/token?api-version=2023-07-12-preview", port, &headers) + body).await;
        assert_eq!(azd["status"], "success");
        assert!(
            OffsetDateTime::parse(
                azd["expiresOn"].as_str().unwrap(),
                &time::format_description::well_known::Rfc3339
            )
            .is_ok()
        );
        assert_eq!(case.asked(), (1, 1), "{}", case.emulator.journal_text());
    });
}

#[test]
fn azd_gets_a_token_for_one_scope_of_the_connections_own_tenant() {
    let case = Case::new();
    let scope = "https://vault.azure.net/.default";
    let own = emulator::USUAL.tenant;
    let long = format!(r#"{{"scopes":["{scope}"]}}{}"#, " ".repeat(60_000));
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        for (status, body) in [
            ("200", format!(r#"{{"scopes":["{scope}"],"tenantId":""}}"#)),
            ("200", format!(r#"{{"scopes":["{scope}"],"tenantId":"{own}"}}"#)),
            ("200", long),
            ("400", format!(r#"{{"scopes":["{scope}"],"tenantId":"11111111-1111-1111-1111-111111111111"}}"#)),
            ("400", format!(r#"{{"scopes":["{scope}"],"tenantId":"contoso.com"}}"#)),
            ("400", format!(r#"{{"scopes":["{scope}","{scope}"]}}"#)),
            ("400", r#"{"scopes":[]}"#.to_owned()),
            ("400", "{}".to_owned()),
        ] {
            let headers = format!(
                "Authorization: Bearer {KEY}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n",
                body.len()
            );
            let answer = raw(session.port, &(head("POST /azd/token", session.port, &headers) + &body)).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{}\n{answer}", body.trim_end());
            assert_eq!(answer.contains("eyJ"), status == "200", "{answer}");
        }
    });
}

#[test]
fn an_empty_client_id_stands_for_the_only_identity_of_the_session() {
    let case = Case::new();
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        let own = emulator::USUAL.client.to_string();
        for client in ["", &own, &own.to_uppercase()] {
            let path = format!("GET /identity?resource=https://management.azure.com&client_id={client}");
            let key = format!("X-IDENTITY-HEADER: {KEY}\r\n");
            let answer = raw(session.port, &head(&path, session.port, &key)).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "'{client}': {answer}");
        }
    });
}

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
        // Each is asked for once, and renewed once ahead of its end.
        assert!(id_tokens <= 2 * access_tokens, "{id_tokens}");
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
        assert!((2..=20).contains(&id_tokens), "asked again in steps that grow closer: {id_tokens}");
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
fn the_id_token_never_leaves_where_resources_are_limited() {
    let limited = || Case::new().input("refresh", "true").input("allowedResources", "arm");
    for (case, status) in [
        (limited().input("exports", "azure-sdk"), "403"),
        (limited().input("exports", "terraform"), "403"),
        (limited().input("exports", "token-file"), "403"),
        (limited(), "403"),
        (Case::new().input("exports", "azure-sdk"), "200"),
        (Case::new(), "200"),
    ] {
        run(async {
            let session = open(&case, Arc::new(clock::System::new())).await;
            let bearer = format!("Authorization: Bearer {KEY}\r\n");
            for method in ["POST", "GET"] {
                let request = head(&format!("{method} /id-token?session=1"), session.port, &bearer);
                let answer = raw(session.port, &request).await;
                assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
            }
        });
    }
}

#[test]
fn another_tools_token_in_place_of_the_key_is_explained_and_not_repeated() {
    let case = Case::new();
    let job_token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJqb2IifQ.c2lnbmF0dXJl";
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        let request = |bearer: &str| {
            let path = "GET /id-token?session=1&audience=api://AzureADTokenExchange";
            head(path, session.port, &format!("Authorization: Bearer {bearer}\r\n"))
        };
        let answer = raw(session.port, &request(job_token)).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        for word in
            ["TerraformTask@5", "ARM_OIDC_REQUEST_TOKEN", "ARM_OIDC_REQUEST_URL", "session:", "exports"]
        {
            assert!(answer.contains(word), "{word}: {answer}");
        }
        assert!(!job_token.split('.').any(|part| answer.contains(part)), "{answer}");
        let elsewhere = head("GET /status", session.port, &format!("Authorization: Bearer {job_token}\r\n"));
        let answer = raw(session.port, &elsewhere).await;
        assert!(answer.starts_with("HTTP/1.1 401") && !answer.contains("TerraformTask"), "{answer}");
        let answer = raw(session.port, &request("wrong")).await;
        assert!(answer.starts_with("HTTP/1.1 401") && !answer.contains("TerraformTask"), "{answer}");
        assert!(case.emulator.journal().is_empty(), "{}", case.emulator.journal_text());
    });
}

#[test]
fn nodes_fetch_is_not_taken_for_a_browser() {
    let case = Case::new();
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        let headers = format!("X-IDENTITY-HEADER: {KEY}\r\nSec-Fetch-Mode: cors\r\n");
        let answer = raw(session.port, &head("GET /status", session.port, &headers)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    });
}

#[test]
fn azd_reads_the_reason_in_an_answer_that_says_200() {
    let case = Case::new();
    case.emulator.fault(Fault::on(Service::DevOps, "POST", "/oidctoken").always().status(418));
    run(async {
        let session = open(&case, Arc::new(clock::System::new())).await;
        let body = r#"{"scopes":["https://vault.azure.net/.default"]}"#;
        let headers = format!(
            "Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        let answer = raw(session.port, &(head("POST /azd/token", session.port, &headers) + body)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains(r#""code":"GetTokenError""#) && answer.contains("WIF2"), "{answer}");
    });
}

#[test]
fn callers_are_told_whether_to_come_back() {
    for (status, expected) in [(503, "HTTP/1.1 503"), (418, "HTTP/1.1 403")] {
        let case = Case::new();
        case.emulator.fault(
            Fault::on(Service::DevOps, "POST", "/oidctoken")
                .always()
                .status(status)
                .header("Retry-After", "300"),
        );
        run(async {
            let session = open(&case, Arc::new(clock::System::new())).await;
            let path = "GET /identity?resource=https://management.azure.com";
            let answer =
                raw(session.port, &head(path, session.port, &format!("X-IDENTITY-HEADER: {KEY}\r\n"))).await;
            assert!(answer.starts_with(expected), "{answer}");
        });
    }
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

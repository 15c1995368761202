//! A fault at a place, and what comes of it.

use std::{any::Any, sync::Arc, time::Duration};

use emulator::{Emulator, Entry, Fault, Proxy, ProxyOptions, Service};
use serde_json::json;
use wif::session::serve;
use wif_broker::cache::{CachedToken, FetchResult};
use wif_core::{azure::resource::Resource, secret::Secret, token::lifetime::Lifetime};
use wif_io::clock::{Clock as _, Limit};

use super::row::{Expected, Row};
use crate::{
    machine::of_machine,
    support::{Case, run, wait_for},
};

/// Where a fault may happen, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    IdToken,
    AccessToken,
    Ahead,
    Machine,
}

impl Place {
    const fn service(self) -> Service {
        match self {
            Self::IdToken => Service::DevOps,
            Self::AccessToken | Self::Ahead => Service::Entra,
            Self::Machine => Service::Machine,
        }
    }

    const fn request(self) -> (&'static str, &'static str) {
        match self {
            Self::IdToken => ("POST", "/oidctoken"),
            Self::AccessToken => ("POST", "/oauth2/v2.0/token"),
            Self::Ahead => ("GET", "/openid-configuration"),
            Self::Machine => ("GET", "/metadata/identity/oauth2/token"),
        }
    }

    fn is_of(self, entry: &Entry) -> bool {
        let (method, path) = self.request();
        entry.method == method && entry.path.contains(path)
    }
}

/// How a fault is made.
enum Means {
    /// It happens to the request.
    Request(fn(Fault) -> Fault),
    /// It happens to the connection, before TLS.
    Connection(fn(Fault) -> Fault),
    /// The service is looked for at another address.
    Address(&'static str),
    /// Another service answers there.
    Stranger,
    /// The service, and no other, is asked by such a proxy, which fails so many times.
    Proxy(fn(ProxyOptions, usize) -> ProxyOptions),
    /// The same, and there is none at its address.
    NoProxy,
}

/// Port 1 of a machine that has no such service.
const CLOSED_PORT: &str = "127.0.0.1:1";

fn means(fault: &str) -> Means {
    const PAGE: &str = "<html><h1>Sign in</h1></html>";
    const SIGN_IN: &str = "<html><title>Azure DevOps Services | Sign In</title></html>";
    match fault {
        "refused" => Means::Address(CLOSED_PORT),
        "name unknown" => Means::Address("absent.invalid"),
        "cut when connected" => Means::Connection(Fault::refuse),
        "silent when connected" => Means::Connection(Fault::hang),
        "TLS breaks" => Means::Connection(Fault::tls_broken),
        "certificate of another" => Means::Stranger,
        "proxy refuses" => Means::Proxy(ProxyOptions::refuse_first),
        "proxy wants a password" => Means::Proxy(|proxy, _| proxy.user("agent", "unknown to it")),
        "proxy is silent" => Means::Proxy(|proxy, _| proxy.silent()),
        "proxy is gone" => Means::NoProxy,
        "reset" => Means::Request(Fault::reset),
        "hang" => Means::Request(Fault::hang),
        "slow drip" => Means::Request(|fault| fault.drip(Duration::from_millis(50))),
        "408" => Means::Request(|fault| fault.status(408)),
        "429" => Means::Request(|fault| fault.status(429)),
        "429, come back in 3 s" => Means::Request(|fault| fault.status(429).header("Retry-After", "3")),
        "429, come back in 300 s" => Means::Request(|fault| fault.status(429).header("Retry-After", "300")),
        "500" => Means::Request(|fault| fault.status(500)),
        "502 in HTML" => Means::Request(|fault| fault.status(502).html(PAGE)),
        "503 in JSON" => Means::Request(|fault| fault.status(503).json(&json!({"error": "busy"}))),
        "503 in HTML" => Means::Request(|fault| fault.status(503).html(PAGE)),
        "504" => Means::Request(|fault| fault.status(504)),
        "200 without a body" => Means::Request(|fault| fault.status(200)),
        "200, truncated" => Means::Request(Fault::truncate),
        "200, huge" => Means::Request(Fault::huge),
        "200, other JSON" => Means::Request(|fault| fault.json(&json!({"count": 0, "value": []}))),
        "200, a page" => Means::Request(|fault| fault.html(PAGE)),
        "203, a page" => Means::Request(|fault| fault.status(203).html(PAGE)),
        "200, a sign-in page" => Means::Request(|fault| fault.html(SIGN_IN)),
        "302" => Means::Request(|fault| fault.status(302).header("Location", "https://portal.corp/signin")),
        "302 to sign in" => {
            Means::Request(|fault| fault.status(302).header("Location", "https://dev.azure.com/_signin"))
        }
        other => panic!("there is no way to make this fault here: {other}"),
    }
}

/// A step that meets the fault.
struct Scene {
    case: Case,
    /// What must live as long.
    _other: Option<Box<dyn Any>>,
}

impl Scene {
    fn new(row: &Row, place: Place, connects_ahead: bool) -> Self {
        let case = if place == Place::Machine { of_machine() } else { Case::new() };
        let service = place.service();
        let often = |fault: Fault| if row.always { fault.always() } else { fault };
        let most = if row.always { usize::MAX } else { 1 };
        match means(row.fault) {
            Means::Request(effect) => {
                let (method, path) = place.request();
                case.emulator.fault(often(effect(Fault::on(service, method, path))));
                if row.hangs() {
                    let (emulator, drips) = (Arc::clone(&case.emulator), row.fault == "slow drip");
                    let what = if place == Place::Ahead { Limit::ConnectionAhead } else { Limit::Request };
                    case.clock.hangs(what, move || {
                        let journal = emulator.journal();
                        let hung = journal.iter().filter(|entry| {
                            // What drips has begun to answer.
                            place.is_of(entry) && (entry.status.is_some() || !drips)
                        });
                        hung.count().min(most)
                    });
                }
                Self { case, _other: None }
            }
            Means::Connection(effect) => {
                case.emulator.fault(often(effect(Fault::connect(service))));
                if row.hangs() {
                    let emulator = Arc::clone(&case.emulator);
                    hang_by_connection(&case, place, connects_ahead, move || {
                        emulator.connections(service).min(most)
                    });
                }
                Self { case, _other: None }
            }
            Means::Address(address) => {
                let case =
                    case.moved(service, address).input("allowedAuthorities", "127.0.0.1, absent.invalid");
                Self { case, _other: None }
            }
            Means::Stranger => {
                let stranger = Emulator::start();
                let case = case.moved(service, &format!("127.0.0.1:{}", stranger.port(service)));
                Self { case, _other: Some(Box::new(stranger)) }
            }
            Means::Proxy(options) => {
                let times = if row.always { usize::MAX } else { 1 };
                let proxy = Arc::new(Proxy::start(options(Proxy::leading_to(&case.emulator), times)));
                if row.hangs() {
                    let proxy = Arc::clone(&proxy);
                    hang_by_connection(&case, place, connects_ahead, move || proxy.journal().len());
                }
                Self { case: behind(case, &proxy.url(), service), _other: Some(Box::new(proxy)) }
            }
            Means::NoProxy => {
                Self { case: behind(case, &format!("http://{CLOSED_PORT}"), service), _other: None }
            }
        }
    }

    /// How often the service was tried. Nothing else waits before another try.
    fn tries(&self) -> usize {
        self.case.clock.sleeps().len() + 1
    }

    /// How many requests came to the place.
    fn asked(&self, place: Place) -> usize {
        self.case.emulator.journal().iter().filter(|entry| place.is_of(entry)).count()
    }
}

/// Ends the limits of what hangs by these connections. In a step, the first one to Entra is that made ahead.
fn hang_by_connection(
    case: &Case,
    place: Place,
    connects_ahead: bool,
    hung: impl Fn() -> usize + Clone + Send + Sync + 'static,
) {
    match place {
        Place::Ahead => case.clock.hangs(Limit::ConnectionAhead, hung),
        Place::AccessToken if connects_ahead => {
            case.clock.hangs(Limit::ConnectionAhead, hung.clone());
            case.clock.hangs(Limit::Request, move || hung().saturating_sub(1));
        }
        Place::IdToken | Place::AccessToken | Place::Machine => case.clock.hangs(Limit::Request, hung),
    }
}

/// Gives the service its public name, which only a proxy leads to the emulator; no client asks a proxy for loopback.
fn behind(case: Case, url: &str, service: Service) -> Case {
    let case = match service {
        Service::DevOps => case.moved(service, "dev.azure.com"),
        Service::Entra => case.moved(service, "login.microsoftonline.com"),
        _ => case,
    };
    case.set("AGENT_PROXYURL", url)
}

/// The step's own sign-in.
pub(crate) fn signed_in(row: &Row, place: Place, expected: &Expected) {
    let scene = Scene::new(row, place, true);
    let (case, what) = (&scene.case, format!("{} at {place:?}, every try: {}", row.fault, row.always));
    let run = case.run();
    let code = run.result.as_ref().err().map(|failure| failure.code.as_str());
    let journal = case.emulator.journal_text();
    assert_eq!(code, expected.code, "{what}: {:?}\n{journal}", run.result);
    if let Err(failure) = &run.result {
        assert!(failure.to_string().contains("fix: "), "{what}: {failure}");
        assert!(run.variables().is_empty() && case.files().is_empty(), "{what}: {}", run.out);
    }
    let (tries, took) = (scene.tries(), case.clock.elapsed());
    assert_eq!(tries, expected.tries, "{what}\n{journal}");
    assert!(took < expected.within, "{what}: {took:?}");
    if let Means::Request(_) = means(row.fault) {
        assert_eq!(scene.asked(place), tries, "{what}: no request but the tries\n{journal}");
    }
}

/// The renewal of a token that the broker began with, and that has a third of its life left.
pub(crate) fn renewed(row: &Row, place: Place, expected: &Expected) {
    const LEFT: i64 = 20 * 60;
    let scene = Scene::new(row, place, false);
    let (case, what) = (&scene.case, format!("{} at {place:?}, every try: {}", row.fault, row.always));
    let old = "the-old-access-token";
    case.emulator.directory().lifetimes.devops_id_token = 3600;
    // Callers wait for the end of a renewal, however long this machine takes for it.
    case.clock.hangs(Limit::Renewal, || 0);
    run(async {
        let key = Secret::new("key".to_owned());
        let (_listener, session) =
            serve::open_session(case.env(), None, key, case.clock.clone()).await.unwrap();
        let resource = Resource::parse("arm", &session.tokens.audiences).unwrap();
        let now = case.clock.now();
        let lifetime = Lifetime {
            from: now - time::Duration::seconds(2 * LEFT),
            until: now + time::Duration::seconds(LEFT),
        };
        if place == Place::AccessToken {
            // Beforehand, so that time does not pass while it is on its way.
            session.tokens.id_token().unwrap().get().await.unwrap();
        }
        session.tokens.put(&resource, CachedToken::new(Secret::new(old.to_owned()), lifetime));
        let ask = async || session.tokens.access_token(&resource).await;
        let told = |result: &FetchResult| result.as_ref().err().map(|failure| failure.code.as_str());

        assert_eq!(told(&ask().await), None, "{what}: the old token works");
        wait_for(
            "the renewal ends",
            || case.emulator.journal_text(),
            || session.tokens.statuses().iter().all(|token| !token.renewing),
        )
        .await;
        case.emulator.shift_clock(LEFT + 1);
        case.clock.sleep(Duration::from_secs(LEFT.unsigned_abs() + 1)).await;
        let result = ask().await;
        let journal = case.emulator.journal_text();
        if let Err(failure) = &result {
            let said = format!("{failure}\n{failure:?}");
            assert_eq!(emulator::leaks(&case.emulator.issued(), said.as_bytes()), Vec::<String>::new());
        }
        match &result {
            Ok(fresh) => assert!(!row.always && fresh.token.expose() != old, "{what}: passed\n{journal}"),
            Err(_) => {
                assert!(row.always && told(&result) == expected.code, "{what}: {result:?}\n{journal}");
            }
        }
        // The first try of each fetch, and the others after a sleep; this test has slept too.
        let statuses = session.tokens.statuses();
        let is_wanted = |what: &str| (what == "id token") == (place == Place::IdToken);
        let status = statuses.iter().find(|status| is_wanted(&status.what)).unwrap();
        let tries = usize::try_from(status.counts.fetched).unwrap() + case.clock.sleeps().len() - 1;
        // One fetch while the old token works, and one after it. There is no connection made ahead to fail instead.
        let all = if row.always { 2 * expected.tries } else { 2 };
        assert_eq!(tries, all, "{what}\n{journal}");
        if let Means::Request(_) = means(row.fault) {
            assert!(scene.asked(place) > 1, "{what}: the fault was not met\n{journal}");
        }
    });
}

//! Only what is transient is tried again, within one deadline.

use std::time::Duration;

use emulator::{Fault, Service};
use wif::{clock::Clock as _, error::Code};

use crate::support::Case;

/// What an upstream that stays down may hold a step up, and what a permanent refusal may.
const LONGEST: Duration = Duration::from_secs(75);
const PERMANENT: Duration = Duration::from_secs(20);
const ENDPOINTS: [(Service, &str); 2] =
    [(Service::DevOps, "/oidctoken"), (Service::Entra, "/oauth2/v2.0/token")];

/// Something that goes wrong.
type Effect = fn(Fault) -> Fault;

/// What is transient, and the code when it lasts.
const TRANSIENT: [(&str, Effect, Code); 11] = [
    ("408", |fault| fault.status(408), Code::ServiceUnavailable),
    ("429", |fault| fault.status(429), Code::ServiceUnavailable),
    ("429 after a while", |fault| fault.status(429).header("Retry-After", "3"), Code::ServiceUnavailable),
    ("500", |fault| fault.status(500).body("application/json", "{}"), Code::ServiceUnavailable),
    ("502 in HTML", |fault| fault.status(502).html("<h1>Bad Gateway</h1>"), Code::ServiceUnavailable),
    ("503", |fault| fault.status(503), Code::ServiceUnavailable),
    ("504", |fault| fault.status(504), Code::ServiceUnavailable),
    ("reset", Fault::reset, Code::ConnectionFailed),
    ("truncated", Fault::truncate, Code::ConnectionFailed),
    ("hang", Fault::hang, Code::TimedOut),
    ("drip", |fault| fault.drip(Duration::from_millis(50)), Code::TimedOut),
];

#[test]
fn what_is_transient_is_tried_again() {
    for (service, path) in ENDPOINTS {
        for (name, effect, code) in TRANSIENT {
            let case = Case::new();
            if code == Code::TimedOut {
                case.clock.be_impatient();
            }
            case.emulator.fault(effect(Fault::on(service, "POST", path)));
            case.succeeds();
            assert_eq!(case.emulator.count(service, "POST /"), 2, "{name} of {service:?}");
        }
    }
}

#[test]
fn what_lasts_ends_the_step_in_time_with_the_cause() {
    std::thread::scope(|scope| {
        for (service, path) in ENDPOINTS {
            for (name, effect, code) in TRANSIENT {
                scope.spawn(move || {
                    let case = Case::new();
                    case.clock.be_impatient();
                    case.emulator.fault(effect(Fault::on(service, "POST", path).always()));
                    let text = case.fails(code);
                    assert!(text.contains("fix: "), "{text}");
                    let took = case.clock.elapsed();
                    assert!(took < LONGEST, "{name}: {took:?}");
                    let tries = case.emulator.count(service, "POST /");
                    assert!((2..=30).contains(&tries), "{name} of {service:?}: {tries} tries");
                });
            }
        }
    });
}

#[test]
fn a_connection_that_is_refused_is_tried_again_and_named_when_it_lasts() {
    let case = Case::new();
    case.emulator.fault(Fault::connect(Service::DevOps).times(2).refuse());
    case.succeeds();
    let case = Case::new();
    case.emulator.fault(Fault::connect(Service::DevOps).always().refuse());
    case.fails(Code::ConnectionFailed);
}

#[test]
fn the_delay_that_a_service_asks_for_is_honoured() {
    for (service, path) in ENDPOINTS {
        let case = Case::new();
        case.emulator.fault(Fault::on(service, "POST", path).status(429).header("Retry-After", "17"));
        case.succeeds();
        assert_eq!(case.clock.sleeps(), [Duration::from_secs(17)]);
    }
}

#[test]
fn a_delay_beyond_the_deadline_is_not_waited_for() {
    for (service, path) in ENDPOINTS {
        let case = Case::new();
        case.emulator
            .fault(Fault::on(service, "POST", path).always().status(429).header("Retry-After", "300"));
        let text = case.fails(Code::ServiceUnavailable);
        assert!(text.contains("asked to wait 300 s"), "{text}");
        assert_eq!(case.clock.sleeps(), Vec::<Duration>::new());
    }
}

#[test]
fn a_proxy_that_always_refuses_is_reported_soon() {
    let refusing = |emulator: &emulator::Emulator| {
        emulator::Proxy::start(emulator::Proxy::leading_to(emulator).refuse_all())
    };
    let (case, proxy) = crate::clouds::behind(refusing, |_| ());
    case.fails(Code::ProxyRefused);
    assert!(case.clock.elapsed() < PERMANENT, "{:?}", case.clock.elapsed());
    let asked = proxy.journal().iter().filter(|entry| entry.target == "dev.azure.com:443").count();
    assert_eq!(asked, 4);
}

#[test]
fn a_redirect_is_not_followed_with_a_credential() {
    let case = Case::new();
    let elsewhere = format!("{}/elsewhere", case.emulator.arm_url());
    case.emulator.fault(
        Fault::on(Service::Entra, "POST", "/oauth2/v2.0/token")
            .always()
            .status(307)
            .header("Location", &elsewhere),
    );
    case.fails(Code::AnswerUnusable);
    assert_eq!(case.emulator.count(Service::Arm, ""), 0);
}

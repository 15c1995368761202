//! When something is tried again. What is tried again at all, and for how long, is in the table of `faults`.

use std::time::Duration;

use emulator::{Fault, Service};
use wif_core::code::Code;

use crate::support::Case;

const ENDPOINTS: [(Service, &str); 2] =
    [(Service::DevOps, "/oidctoken"), (Service::Entra, "/oauth2/v2.0/token")];

#[test]
fn the_delay_that_a_service_asks_for_is_honored() {
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

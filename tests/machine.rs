//! The managed identity of the agent's machine.

use emulator::{
    Fault, Service, USUAL,
    directory::{App, Connection, Kind},
};
use uuid::{Uuid, uuid};
use wif::error::Code;

use crate::{
    schemes::{asked, case, exports, warnings},
    support::Case,
};

/// The identity that the machine has.
pub(crate) const MACHINE: Uuid = uuid!("5d0c9b1e-7a43-4f26-8e5b-c1f2a3d4b596");
pub(crate) const IMDS: &str = "GET /metadata/identity/oauth2/token";
const APP_SERVICE: &str = "GET /msi/token";

/// At the IMDS of the emulator, since the usual address is another machine's.
pub(crate) fn of_machine() -> Case {
    let case = case(MACHINE, Connection::of_machine);
    assign(&case, MACHINE);
    let host = case.emulator.machine_url();
    case.set("AZURE_POD_IDENTITY_AUTHORITY_HOST", &host)
}

fn assign(case: &Case, identity: Uuid) {
    let mut directory = case.emulator.directory();
    directory.tenant(USUAL.tenant).apps.push(App::new(identity, Kind::ManagedIdentity));
    directory.machine.identities.push(identity);
}

#[test]
fn a_machines_identity_signs_in_without_asking_anybody_else() {
    let case = of_machine();
    let run = case.succeeds();
    exports(&run);
    assert_eq!(run.variable("AZURE_CLIENT_ID"), MACHINE.to_string(), "found in the answer");
    assert_eq!(warnings(&run), Vec::<&str>::new(), "nothing is stored");
    assert!(run.out.contains(&MACHINE.to_string()), "{}", run.out);
    let [request] = &case.emulator.journal()[..] else { panic!("{}", case.emulator.journal_text()) };
    assert_eq!((request.service, &*request.path), (Service::Machine, "/metadata/identity/oauth2/token"));
    assert_eq!(request.header("metadata"), Some("true"));
    assert_eq!(request.query("api-version"), Some("2018-02-01"));
    assert_eq!(request.query("resource"), Some("https://management.core.windows.net"));
    assert_eq!(request.query("client_id"), None);
}

#[test]
fn one_of_several_identities_is_named() {
    let other = uuid!("0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d");
    let several = of_machine();
    assign(&several, other);
    let text = several.fails(Code::MachineIdentityRefused);
    assert!(text.contains("Multiple user assigned identities"), "{text}");
    assert!(text.lines().any(|line| line.starts_with("  fix: ") && line.contains("msiclientId")), "{text}");
    let named = several.data("msiclientId", &other.to_string());
    let run = named.succeeds();
    assert_eq!(run.variable("AZURE_CLIENT_ID"), other.to_string());
    assert_eq!(asked(&named, Service::Machine)[1].query("client_id"), Some(&*other.to_string()));
}

#[test]
fn an_identity_endpoint_that_was_there_before_us_comes_first() {
    let case = of_machine();
    let (endpoint, header) = case.emulator.app_service();
    let case = case.set("IDENTITY_ENDPOINT", &endpoint).set("IDENTITY_HEADER", &header);
    let run = case.succeeds();
    assert_eq!(run.variable("AZURE_CLIENT_ID"), MACHINE.to_string());
    let [request] = &case.emulator.journal()[..] else { panic!("{}", case.emulator.journal_text()) };
    assert_eq!(request.path, "/msi/token");
    assert_eq!(request.query("api-version"), Some("2019-08-01"));
    assert_eq!(request.header("x-identity-header"), Some("<identity header>"));
    // The same address as a session of ours would leave it: its broker speaks for another connection.
    let ours = case.emulator.machine_url();
    let case = case.set("WIF_URL", &ours);
    case.succeeds();
    assert_eq!(case.emulator.count(Service::Machine, APP_SERVICE), 1);
    assert_eq!(case.emulator.count(Service::Machine, IMDS), 1);
    let case = case.unset("WIF_URL").set("IDENTITY_HEADER", "another");
    let text = case.fails(Code::MachineIdentityRefused);
    assert!(text.contains("it answered 401"), "{text}");
}

#[test]
fn a_machine_without_the_identity_is_told_at_once() {
    let case = of_machine();
    case.emulator.directory().machine.identities.clear();
    let text = case.fails(Code::MachineIdentityRefused);
    assert!(text.contains("it answered 400): Identity not found"), "{text}");
    assert!(text.contains("fix: run the job on an agent whose machine has the managed identity"), "{text}");
    assert_eq!(case.emulator.count(Service::Machine, IMDS), 1);
    let text = of_machine().input("accessTokens", "A=https://unknown.example").fails(Code::ResourceUnknown);
    assert!(text.contains("AADSTS500011") && text.contains("https://unknown.example"), "{text}");
}

#[test]
fn a_machines_service_that_knows_the_identity_not_yet_or_is_updated_is_asked_again() {
    for status in [404, 410] {
        let case = of_machine();
        case.emulator.fault(Fault::on(Service::Machine, "GET", "/metadata").times(2).status(status));
        case.succeeds();
        assert_eq!(case.emulator.count(Service::Machine, IMDS), 3);
    }
}

#[test]
fn a_machines_service_that_stays_down_may_be_none_at_all() {
    let nobody = of_machine().set("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1");
    let busy = of_machine();
    busy.emulator.fault(Fault::on(Service::Machine, "GET", "/metadata").always().status(503));
    for (case, code) in [(nobody, Code::ConnectionFailed), (busy, Code::ServiceUnavailable)] {
        let text = case.fails(code);
        assert!(text.contains("Microsoft-hosted agents have none"), "{text}");
    }
}

#[test]
fn a_machines_answer_is_bounded_and_no_redirect_is_followed() {
    let huge = of_machine();
    huge.emulator.fault(Fault::on(Service::Machine, "GET", "/metadata").always().huge());
    huge.fails(Code::AnswerUnusable);
    let moved = of_machine();
    let elsewhere = format!("{}/msi/token", moved.emulator.machine_url());
    let redirect = Fault::on(Service::Machine, "GET", "/metadata").always().status(307);
    moved.emulator.fault(redirect.header("Location", &elsewhere));
    moved.fails(Code::AnswerUnusable);
    assert_eq!(moved.emulator.count(Service::Machine, APP_SERVICE), 0);
    let page = of_machine();
    page.emulator.fault(Fault::on(Service::Machine, "GET", "/metadata").always().html("<h1>portal</h1>"));
    page.fails(Code::AnswerUnusable);
}

#[test]
fn a_machines_service_is_never_asked_through_a_proxy() {
    let case =
        of_machine().set("AGENT_PROXYURL", "http://127.0.0.1:1").set("HTTP_PROXY", "http://127.0.0.1:1");
    case.succeeds();
    assert_eq!(case.emulator.count(Service::Machine, IMDS), 1);
}

#[test]
fn an_address_of_the_machines_service_that_is_none_is_named() {
    let case = of_machine().set("AZURE_POD_IDENTITY_AUTHORITY_HOST", "169.254.169.254");
    let text = case.fails_unasked(Code::NetworkSettings);
    assert!(text.contains("AZURE_POD_IDENTITY_AUTHORITY_HOST"), "{text}");
}

#[test]
fn an_identity_that_nobody_names_is_not_exported() {
    let case = of_machine();
    let answer = serde_json::json!({ "access_token": "opaque", "token_type": "Bearer", "expires_in": 3600 });
    case.emulator.fault(Fault::on(Service::Machine, "GET", "/metadata").json(&answer));
    let run = case.succeeds();
    assert!(!run.variables().contains_key("AZURE_CLIENT_ID"), "{}", run.out);
    assert!(run.variables().contains_key("AZURE_TENANT_ID"));
}

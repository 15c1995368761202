//! The managed identity of the agent's machine.

use std::{fs, net::TcpListener, path::Path, sync::Arc, time::Duration};

use emulator::{
    Fault, Service, USUAL,
    directory::{self, App, Connection, Kind},
};
use uuid::{Uuid, uuid};
use wif::agent;
use wif_azure::managed_identity::{ManagedIdentity, ManagedIdentityError};
use wif_core::code::Code;
use wif_io::{
    clock::{self, Deadline},
    http::Http,
};

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

pub(crate) fn assign(case: &Case, identity: Uuid) {
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
    let unreachable = of_machine().set("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1");
    let busy = of_machine();
    busy.emulator.fault(Fault::on(Service::Machine, "GET", "/metadata").always().status(503));
    for (case, code) in [(unreachable, Code::ConnectionFailed), (busy, Code::ServiceUnavailable)] {
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

    // Loopback is around every proxy. This name is not, and only a proxy could lead there.
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let elsewhere = of_machine().set("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://machine.invalid");
    let elsewhere = ["AGENT_PROXYURL", "HTTP_PROXY", "http_proxy", "ALL_PROXY"]
        .into_iter()
        .fold(elsewhere, |case, name| case.set(name, &url));
    elsewhere.fails(Code::NameNotResolved);
    assert!(proxy.accept().is_err(), "the proxy was asked");
}

#[test]
fn an_address_of_the_machines_service_that_is_none_is_named() {
    let case = of_machine().set("AZURE_POD_IDENTITY_AUTHORITY_HOST", "169.254.169.254");
    let text = case.fails_unasked(Code::NetworkSettings);
    assert!(text.contains("AZURE_POD_IDENTITY_AUTHORITY_HOST"), "{text}");
}

#[test]
fn an_identity_that_is_not_named_is_not_exported() {
    let case = of_machine();
    let answer = serde_json::json!({ "access_token": "opaque-access-token-x", "token_type": "Bearer", "expires_in": 3600 });
    case.emulator.fault(Fault::on(Service::Machine, "GET", "/metadata").json(&answer));
    let run = case.succeeds();
    assert!(!run.variables().contains_key("AZURE_CLIENT_ID"), "{}", run.out);
    assert!(run.variables().contains_key("AZURE_TENANT_ID"));
}

/// An Azure Arc server with the identity, and the variables that its agent sets.
pub(crate) fn arc_server(folder: &Path, change: impl FnOnce(&mut directory::Arc)) -> Case {
    let case = of_machine().unset("AZURE_POD_IDENTITY_AUTHORITY_HOST");
    let mut arc = directory::Arc::new(folder);
    change(&mut arc);
    case.emulator.directory().machine.arc = Some(arc);
    let host = case.emulator.machine_url();
    case.set("IMDS_ENDPOINT", &host)
        .set("IDENTITY_ENDPOINT", &format!("{host}/metadata/identity/oauth2/token"))
}

/// Asks as the step does, with a folder of the test's own for the keys.
fn ask_arc(case: &Case, folder: &Path, client: Option<Uuid>) -> Result<Option<Uuid>, ManagedIdentityError> {
    let machine = ManagedIdentity::find(&case.env()).unwrap().with_key_folder(folder);
    let http = Http::plain(machine.endpoint().clone(), Arc::new(clock::System::new())).unwrap();
    let deadline = Deadline::after(http.clock(), Duration::from_secs(20));
    let audiences =
        agent::connection::Connection::read(&case.env(), case.connection).unwrap().identity.audiences;
    let resource = audiences.resource_manager();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(machine.access_token(&http, deadline, client, &resource)).map(|(_, client)| client)
}

#[test]
fn an_azure_arc_server_gives_a_token_to_a_caller_that_may_read_its_key() {
    let temp = tempfile::tempdir().unwrap();
    let case = arc_server(temp.path(), |_| {});
    assert_eq!(ask_arc(&case, temp.path(), None).unwrap(), Some(MACHINE));
    let [challenge, answer] = &case.emulator.journal()[..] else {
        panic!("{}", case.emulator.journal_text())
    };
    assert_eq!((challenge.status, answer.status), (Some(401), Some(200)));
    assert_eq!(challenge.query("api-version"), Some("2020-06-01"));
    assert_eq!(challenge.header("metadata"), Some("true"));
    assert_eq!(challenge.header("authorization"), None);
    assert_eq!(answer.header("authorization"), Some("<basic key of an Azure Arc server>"));

    // A session of this job has taken the names; the server's own address is still known.
    let case =
        case.set("IDENTITY_ENDPOINT", "http://127.0.0.1:9/identity").set("IDENTITY_HEADER", &"0".repeat(64));
    assert_eq!(ask_arc(&case, temp.path(), None).unwrap(), Some(MACHINE));
}

#[test]
fn an_azure_arc_servers_answer_makes_this_program_send_no_other_file() {
    let temp = tempfile::tempdir().unwrap();
    let (keys, outside) = (temp.path().join("tokens"), temp.path().join("outside.key"));
    fs::create_dir(&keys).unwrap();
    fs::write(&outside, "of another").unwrap();
    fs::write(keys.join("passwd"), "of another").unwrap();
    fs::create_dir(keys.join("folder.key")).unwrap();
    fs::write(keys.join("large.key"), vec![b'k'; 4097]).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&outside, keys.join("link.key")).unwrap();
    let inside = |name: &str| keys.join(name).display().to_string();
    let elsewhere = "not a .key file directly in";
    let unexpected = "is a link, is not a file, or is larger than 4096 bytes";
    for (realm, reason) in [
        (outside.display().to_string(), elsewhere),
        (inside("../outside.key"), elsewhere),
        (inside("passwd"), elsewhere),
        ("outside.key".to_owned(), elsewhere),
        (String::new(), elsewhere),
        (inside("folder.key"), unexpected),
        (inside("large.key"), unexpected),
        #[cfg(unix)]
        (inside("link.key"), unexpected),
        (inside("missing.key"), "cannot be read"),
    ] {
        let case = arc_server(&keys, |arc| arc.realm = Some(realm.clone()));
        let error = ask_arc(&case, &keys, None).unwrap_err();
        assert!(matches!(error, ManagedIdentityError::Challenge(_)), "{realm}: {error}");
        assert!(error.to_string().contains(reason), "{realm}: {error}");
        assert_eq!(case.emulator.journal().len(), 1, "{realm}: nothing is sent");
    }
}

#[test]
fn the_key_folder_of_an_azure_arc_server_is_the_systems_own_and_the_fix_names_the_group() {
    let temp = tempfile::tempdir().unwrap();
    let case = arc_server(temp.path(), |_| {});
    let text = case.fails(Code::MachineIdentityRefused);
    assert!(text.contains("not a .key file directly in") && text.contains("himds"), "{text}");
    assert_eq!(case.emulator.journal().len(), 1);
}

#[test]
fn an_azure_arc_server_that_ignores_which_identity_is_asked_for_is_found_out() {
    let temp = tempfile::tempdir().unwrap();
    let case = arc_server(temp.path(), |_| {});
    assert_eq!(ask_arc(&case, temp.path(), Some(MACHINE)).unwrap(), Some(MACHINE));
    let case = arc_server(temp.path(), |arc| arc.ignores_client = true);
    let other = uuid!("0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d");
    let error = ask_arc(&case, temp.path(), Some(other)).unwrap_err();
    assert!(matches!(error, ManagedIdentityError::OtherIdentity { client } if client == other), "{error}");
}

#[test]
fn an_azure_arc_address_that_is_not_on_this_machine_is_named_and_not_asked() {
    for (name, address) in [
        ("IDENTITY_ENDPOINT", "http://10.0.0.4:40342/metadata/identity/oauth2/token"),
        ("IDENTITY_ENDPOINT", "https://127.0.0.1:40342/metadata/identity/oauth2/token"),
    ] {
        let temp = tempfile::tempdir().unwrap();
        let case = arc_server(temp.path(), |_| {}).set(name, address);
        let text = case.fails_unasked(Code::NetworkSettings);
        assert!(text.contains(name) && text.contains("Azure Arc"), "{text}");
    }
}

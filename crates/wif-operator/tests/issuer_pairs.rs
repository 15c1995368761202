//! The move to the issuer of Entra when the connection gets another issuer and subject than were foreseen.

use emulator::{Fault, Gate, Service, directory::Issuer};
use uuid::Uuid;

use crate::support::{
    kills::kill_when,
    old_issuer::{OLD, OldIssuer as _, planned},
    scene::Scene,
};

/// Lets the call that moves the connection yield these parameters.
fn moved_to(scene: &Scene, parameters: &[(&str, String)]) -> Option<i32> {
    let gate = Gate::new();
    scene.fixture.emulator.fault(Fault::on(Service::DevOps, "PUT", "/endpoints/").gate(&gate));
    let mut child = scene.spawn_apply(&["--yes"]);
    gate.wait_until_reached(1);
    set_parameters(scene, parameters);
    gate.open();
    child.wait().unwrap().code()
}

fn set_parameters(scene: &Scene, parameters: &[(&str, String)]) {
    let mut directory = scene.fixture.emulator.directory();
    let known = &mut directory.connection(scene.id(OLD)).parameters;
    known.extend(parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
}

const ISSUER: &str = "workloadIdentityFederationIssuer";
const SUBJECT: &str = "workloadIdentityFederationSubject";

#[test]
fn a_pair_of_entra_that_was_not_foreseen_is_trusted_since_there_is_no_way_back() {
    let scene = planned(|_| {}, &[]);
    let issuer = format!("https://login.microsoftonline.com/{}/v2.0", Uuid::from_u128(7));
    assert_eq!(moved_to(&scene, &[(ISSUER, issuer.clone())]), Some(10));
    let mut directory = scene.fixture.emulator.directory();
    let client = directory.connection(scene.id(OLD)).client;
    let trusted: Vec<_> =
        directory.app(client).federated_credentials.iter().map(|one| one.issuer.clone()).collect();
    assert!(trusted.contains(&issuer) && trusted.len() == 3, "{trusted:?}");
}

#[test]
fn a_pair_that_is_not_of_entra_for_this_connection_is_not_trusted() {
    let tenant = Uuid::from_u128(7);
    let foreign = format!("https://login.issuer.example/{tenant}/v2.0");
    let here = format!("https://login.microsoftonline.com/{tenant}/v2.0");
    let subject = |scene: &Scene, part: usize| {
        let mut directory = scene.fixture.emulator.directory();
        directory.connection(scene.id(OLD)).issuer = Issuer::Entra;
        let subject = directory.find(scene.id(OLD)).unwrap().subject();
        directory.connection(scene.id(OLD)).issuer = Issuer::DevOps;
        let mut parts: Vec<_> = subject.split('/').map(str::to_owned).collect();
        parts[part] = tenant.to_string();
        parts.join("/")
    };
    // Another host, organization, connection; and the real host in another spelling.
    let cases = [
        (foreign.as_str(), None),
        (here.as_str(), Some(9)),
        (here.as_str(), Some(10)),
        ("https://login.microsoftonline.com/{00000000-0000-0000-0000-000000000007}/v2.0", None),
    ];
    for (issuer, part) in cases {
        let scene = planned(|_| {}, &[]);
        let mut parameters = vec![(ISSUER, issuer.to_owned())];
        parameters.extend(part.map(|part| (SUBJECT, subject(&scene, part))));
        assert_eq!(moved_to(&scene, &parameters), Some(11), "{issuer} {part:?}");
        assert_eq!(&*scene.kinds(), "new+old", "{issuer} {part:?}");
        let journal = scene.journal();
        let told = scene.code(&["journal", "show", journal.to_str().unwrap()]).1;
        assert!(told.contains(issuer) && told.contains("subject /eid1/c/"), "{told}");
    }
    // A person has moved it: nothing is taken back either.
    let scene = planned(|_| {}, &["--trigger", "person"]);
    assert_eq!(scene.apply(&["--yes"]).0, 10);
    scene.press_update();
    set_parameters(&scene, &[(ISSUER, foreign.clone())]);
    // The process ends before it has looked what is to be taken back.
    let fault = Fault::on(Service::DevOps, "GET", "/endpoints/").nth(2);
    let mut command = scene.apply_command(&["--yes", "--resume"]);
    kill_when(&scene.fixture.emulator, Fault::gate, fault, &mut command);
    let (code, said) = scene.apply(&["--yes", "--resume"]);
    assert_eq!((code, &*scene.kinds()), (11, "new+old"), "{said}");
    // Begun anew.
    let (code, said) = scene.apply(&["--yes", "--resume"]);
    assert_eq!((code, &*scene.kinds()), (11, "new+old"), "{said}");
    assert!(said.contains(&foreign) && said.contains("subject /eid1/c/"), "{said}");
}

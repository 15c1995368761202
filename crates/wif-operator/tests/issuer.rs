//! The move from the Azure DevOps issuer to that of Entra, against an emulated organization in which other calls do it in each
//! setting.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::use_debug,
    reason = "a test stops at the first surprise, and says what it saw"
)]
#![allow(dead_code, reason = "what the tests of changes share has more than this needs")]

#[path = "support/kills.rs"]
mod kills;
#[path = "support/scene.rs"]
mod scene;
mod support;

use std::{cell::Cell, sync::Arc};

use emulator::{
    Fault, Gate, Service,
    directory::{Execution, Issuer, IssuerMove, Quirks},
    organization::Planted,
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;
use wif_core::azure::cloud::Cloud;
use wif_io::{
    clock::{Clock, System},
    endpoint::Endpoint,
};
use wif_operator::{
    change::service::{Services, Target},
    read::network,
    tokens::{Needs, Tokens},
};

use kills::{kill_at, moments};
use scene::{Scene, blocks};
use support::NAME;

const OLD: Planted = Planted::OldIssuer;

/// Gives a connection the old issuer, and its identity one credential, which trusts it.
fn make_old(scene: &Scene, id: Uuid) {
    let mut directory = scene.fixture.emulator.directory();
    directory.connection(id).issuer = Issuer::DevOps;
    let place = directory.find(id).unwrap();
    let (issuer, subject, client) = (place.issuer(), place.subject(), place.connection.client);
    let credential = &mut directory.app(client).federated_credentials[0];
    (credential.issuer, credential.subject) = (issuer, subject);
}

/// How many credentials of the old issuer, and how many others, the identity of a connection trusts.
fn trusts(scene: &Scene, id: Uuid) -> (usize, usize) {
    let subjects = scene.trusted(id);
    let old = subjects.iter().filter(|subject| subject.starts_with("sc://")).count();
    (old, subjects.len() - old)
}

/// What this needs of a scene with one connection of the old issuer.
trait OldIssuer {
    fn issuer(&self) -> Issuer;
    fn press_update(&self);
    fn run_of_pipeline(&self, after: Duration, result: &str);
    fn kinds(&self) -> String;
    fn saves(&self) -> usize;
}

impl OldIssuer for Scene {
    fn issuer(&self) -> Issuer {
        self.fixture.emulator.directory().connection(self.id(OLD)).issuer
    }

    /// As a person does it in the portal.
    fn press_update(&self) {
        let mut directory = self.fixture.emulator.directory();
        let connection = directory.connection(self.id(OLD));
        connection.issuer = Issuer::Entra;
        connection.record.modified = Some(now());
    }

    /// A run that begins so long after this moment.
    fn run_of_pipeline(&self, after: Duration, result: &str) {
        let mut directory = self.fixture.emulator.directory();
        let started = now() + after;
        let run = Execution {
            pipeline: 7,
            started,
            finished: Some(started + Duration::minutes(1)),
            result: result.to_owned(),
        };
        directory.connection(self.id(OLD)).record.history.insert(0, run);
    }

    /// Which issuers its application trusts: `old`, `new`, both, sorted.
    fn kinds(&self) -> String {
        let mut kinds: Vec<_> = self
            .trusted(self.id(OLD))
            .iter()
            .map(|subject| if subject.starts_with("sc://") { "old" } else { "new" })
            .collect();
        kinds.sort_unstable();
        kinds.join("+")
    }

    fn saves(&self) -> usize {
        self.fixture.emulator.count(Service::DevOps, "PUT /")
    }
}

#[expect(clippy::disallowed_methods, reason = "the clock of the services, which is the real one here")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn planned(change: impl FnOnce(&mut Quirks), more: &[&str]) -> Scene {
    let scene = Scene::under(&[OLD], change);
    let (code, said) = scene.plan_of("issuer", &[&["--all-eligible"][..], more].concat());
    assert_eq!(code, 10, "{said}");
    assert_eq!(scene.writes(), 0);
    scene
}

#[test]
fn a_connection_moves_in_place_and_its_old_credential_goes_only_after_a_run_that_succeeded() {
    let scene = planned(|_| {}, &[]);
    let (code, said) = scene.apply(&["--yes"]);
    assert_eq!((code, scene.issuer(), scene.kinds().as_str()), (10, Issuer::Entra, "new+old"), "{said}");
    assert!(
        said.contains("1 waiting") && said.contains("waits for a run") && said.contains("--resume"),
        "{said}"
    );
    // The planted run is older than the move; what failed, and what began before it, shows nothing.
    scene.run_of_pipeline(Duration::minutes(-5), "succeeded");
    scene.run_of_pipeline(Duration::seconds(1), "failed");
    let (code, said) = scene.apply(&["--yes", "--resume"]);
    assert_eq!((code, scene.kinds().as_str()), (10, "new+old"), "{said}");
    let writes = scene.writes();
    scene.run_of_pipeline(Duration::seconds(2), "succeeded");
    let (code, said) = scene.apply(&["--yes", "--resume"]);
    assert_eq!((code, scene.kinds().as_str()), (0, "new"), "{said}");
    assert_eq!(scene.writes(), writes + 1);
    assert_eq!(scene.apply(&["--yes", "--resume"]).0, 0);
    let (code, audit) = scene.code(&["audit", "--org", NAME, "--format", "json", "--rule", "WIF6201"]);
    assert!(code == 0 && !audit.contains("\"WIF6201\""), "{audit}");
}

#[test]
fn under_each_setting_each_trigger_moves_it_or_leaves_it_to_a_person_and_loses_nothing() {
    use IssuerMove::{Operation, Person, Save, SaveOfType};
    // Done by the call; left to a person; refused, and put back.
    let (moved, person, refused) = ((10, "new+old", true), (10, "new+old", false), (11, "old", false));
    let cases = [
        (Save, "auto", moved),
        (SaveOfType, "auto", moved),
        (Operation, "auto", moved),
        (Person, "auto", person),
        (Save, "save", moved),
        (SaveOfType, "save", moved),
        (Operation, "save", person),
        (Save, "operation", refused),
        (Operation, "operation", moved),
        (Person, "operation", refused),
        (Save, "person", person),
    ];
    std::thread::scope(|threads| {
        for (by, trigger, expected) in cases {
            threads.spawn(move || {
                let scene = planned(|quirks| quirks.issuer_moves_by = by, &["--trigger", trigger]);
                let (code, said) = scene.apply(&["--yes"]);
                let found = (code, &*scene.kinds(), scene.issuer() == Issuer::Entra);
                assert_eq!(found, expected, "{by:?} {trigger}: {said}");
                if expected == person {
                    assert!(said.contains("_settings/adminservices?resourceId="), "{said}");
                    let saves = scene.saves();
                    assert_eq!(scene.apply(&["--yes", "--resume"]).0, 10);
                    assert_eq!(scene.saves(), saves, "{by:?} {trigger}: it only looks");
                    scene.press_update();
                    scene.run_of_pipeline(Duration::seconds(1), "succeeded");
                    let (code, said) = scene.apply(&["--yes", "--resume"]);
                    assert_eq!((code, &*scene.kinds()), (0, "new"), "{by:?} {trigger}: {said}");
                }
            });
        }
    });
}

#[test]
fn it_waits_for_what_spreads_slowly() {
    let changes: [fn(&mut Quirks); 6] = [
        |quirks| quirks.conversion_lag = 2,
        |quirks| quirks.credential_lag = 2,
        |quirks| quirks.trust_lag = 2,
        |quirks| quirks.deletion_lag = 2,
        |quirks| (quirks.conversion_lag, quirks.issuer_moves_by) = (2, IssuerMove::Operation),
        |quirks| {
            (quirks.only_version_7_1, quirks.version_7_1_tells_less) = (true, true);
            (quirks.other_case, quirks.empty_values, quirks.executions_per_page) = (true, true, 1);
        },
    ];
    std::thread::scope(|threads| {
        for (number, change) in changes.into_iter().enumerate() {
            threads.spawn(move || {
                let scene = planned(change, &[]);
                let (code, said) = scene.apply(&["--yes"]);
                assert_eq!((code, &*scene.kinds()), (10, "new+old"), "setting {number}: {said}");
                scene.run_of_pipeline(Duration::minutes(1), "succeeded");
                scene.run_of_pipeline(Duration::minutes(2), "failed");
                let (code, said) = scene.apply(&["--yes", "--resume"]);
                assert_eq!((code, &*scene.kinds()), (0, "new"), "setting {number}: {said}");
            });
        }
    });
}

#[test]
fn a_new_plan_of_what_has_moved_removes_only_the_old_credential() {
    let scene = planned(|_| {}, &[]);
    assert_eq!(scene.apply(&["--yes"]).0, 10);
    std::fs::remove_file(scene.journal()).unwrap();
    let (code, said) = scene.plan_of("issuer", &["--all-eligible"]);
    assert!(code == 10 && said.contains("1 connections to change, 2 steps"), "{said}");
    let (saves, proofs) = (scene.saves(), scene.fixture.calls(Service::DevOps, "endpointproxy"));
    assert_eq!((scene.apply(&["--yes"]).0, &*scene.kinds()), (10, "new+old"));
    scene.run_of_pipeline(Duration::seconds(1), "succeeded");
    assert_eq!((scene.apply(&["--yes", "--resume"]).0, &*scene.kinds()), (0, "new"));
    assert_eq!((scene.saves(), scene.fixture.calls(Service::DevOps, "endpointproxy")), (saves, proofs));
    std::fs::remove_file(scene.journal()).unwrap();
    assert_eq!(scene.plan_of("issuer", &["--all-eligible"]).0, 0);
}

#[test]
fn what_cannot_be_moved_is_named_with_the_reason() {
    let scene = Scene::new(&[OLD, Planted::MultiTenantApplication, Planted::StoredSecret], 1);
    {
        let mut directory = scene.fixture.emulator.directory();
        directory.connection(scene.id(Planted::MultiTenantApplication)).issuer = Issuer::DevOps;
        let client = directory.connection(scene.id(OLD)).client;
        for number in 0..19 {
            let mut other = directory.app(client).federated_credentials[0].clone();
            (other.name, other.subject) = (format!("other-{number}"), format!("subject-{number}"));
            directory.app(client).federated_credentials.push(other);
        }
    }
    let (code, said) = scene.plan_of("issuer", &["--all-eligible"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("does not concern it yet: its application is multi-tenant"), "{said}");
    assert!(said.contains("20 of 20 federated credentials") && said.contains("2 not changed"), "{said}");
    let (code, said) = scene.plan_of("issuer", &["--connection", "sc-stored-secret"]);
    assert!(code == 0 && said.contains("not federated"), "{said}");
}

#[test]
fn a_plan_whose_facts_have_changed_does_nothing() {
    let scene = planned(|_| {}, &[]);
    scene.press_update();
    let (code, said) = scene.apply(&["--yes"]);
    assert!(code == 13 && said.contains("issuer"), "{said}");
    assert_eq!((scene.writes(), &*scene.kinds()), (0, "old"));
}

#[test]
fn what_was_moved_and_is_unproven_is_not_put_back_and_keeps_both_credentials() {
    let scene = planned(|quirks| quirks.trust_lag = 1000, &[]);
    let (code, said) = scene.apply(&["--yes", "--prove-within", "1s"]);
    assert_eq!((code, scene.issuer(), &*scene.kinds()), (11, Issuer::Entra, "new+old"), "{said}");
    assert!(
        said.contains("WIF7008") && said.contains("not put back") && said.contains("no way back"),
        "{said}"
    );
    // Nothing is repeated by the next attempt but the proof.
    let writes = scene.writes();
    {
        let mut directory = scene.fixture.emulator.directory();
        let client = directory.connection(scene.id(OLD)).client;
        directory.app(client).record.fresh.clear();
    }
    let (code, said) = scene.apply(&["--yes", "--resume"]);
    assert_eq!((code, scene.writes()), (10, writes), "{said}");
}

#[test]
fn what_a_person_has_moved_keeps_both_credentials_whatever_fails_then() {
    let waiting = |quirks: fn(&mut Quirks)| {
        let scene = planned(quirks, &["--trigger", "person"]);
        assert_eq!(scene.apply(&["--yes"]).0, 10);
        scene.press_update();
        scene
    };
    let scene = waiting(|quirks| quirks.trust_lag = 1000);
    let (code, said) = scene.apply(&["--yes", "--resume", "--prove-within", "1s"]);
    assert_eq!((code, &*scene.kinds()), (11, "new+old"), "{said}");
    assert!(said.contains("not put back") && said.contains("no way back"), "{said}");
    // It cannot be read whether it has moved: it waits on.
    let scene = waiting(|_| {});
    scene.fixture.emulator.fault(Fault::on(Service::DevOps, "GET", "/endpoints/").status(403));
    let (code, said) = scene.apply(&["--yes", "--resume"]);
    assert_eq!((code, &*scene.kinds()), (10, "new+old"), "{said}");
    assert!(said.contains("could not be read"), "{said}");
    let (code, said) = scene.apply(&["--yes", "--resume"]);
    assert!(code == 10 && said.contains("waits for a run"), "{said}");
    let journal = scene.journal();
    let told = scene.code(&["journal", "show", journal.to_str().unwrap()]).1;
    assert!(told.contains("(issuer https://login.microsoftonline.com/"), "{told}");
}

#[test]
fn a_refusal_leaves_it_as_it_was() {
    let scene = planned(|_| {}, &[]);
    scene.fixture.emulator.directory().connection(scene.id(OLD)).record.read_only = true;
    let (code, said) = scene.apply(&["--yes"]);
    assert_eq!((code, scene.issuer(), &*scene.kinds()), (11, Issuer::DevOps, "old"), "{said}");
    assert!(
        said.contains("WIF7006") && said.contains("as it was before") && said.contains("wif hand-off"),
        "{said}"
    );
}

#[test]
fn without_the_new_credential_it_is_not_moved() {
    let scene = planned(|_| {}, &[]);
    let gate = Gate::new();
    // Between the credential and the move: the look that comes before it.
    scene.fixture.emulator.fault(Fault::on(Service::DevOps, "GET", "/endpoints/").nth(2).gate(&gate));
    let mut child = scene.spawn_apply(&["--yes"]);
    gate.wait_until_reached(1);
    {
        let mut directory = scene.fixture.emulator.directory();
        let client = directory.connection(scene.id(OLD)).client;
        directory.app(client).federated_credentials.retain(|one| one.subject.starts_with("sc://"));
    }
    gate.open();
    assert_eq!(child.wait().unwrap().code(), Some(11));
    assert_eq!((scene.saves(), scene.issuer(), &*scene.kinds()), (0, Issuer::DevOps, "old"));
}

#[test]
fn the_apply_that_moves_it_never_removes_the_old_credential() {
    let scene = planned(|_| {}, &[]);
    scene.run_of_pipeline(Duration::hours(1), "succeeded");
    let (code, said) = scene.apply(&["--yes"]);
    assert_eq!((code, &*scene.kinds()), (10, "new+old"), "{said}");
    assert_eq!((scene.apply(&["--yes", "--resume"]).0, &*scene.kinds()), (0, "new"));
}

#[test]
fn the_credential_by_which_it_signs_in_is_not_removed() {
    let scene = planned(|_| {}, &[]);
    assert_eq!(scene.apply(&["--yes"]).0, 10);
    scene.run_of_pipeline(Duration::seconds(1), "succeeded");
    let gate = Gate::new();
    // Between the look for a run and the removal.
    scene.fixture.emulator.fault(Fault::on(Service::DevOps, "GET", "/endpoints/").nth(2).gate(&gate));
    let mut child = scene.spawn_apply(&["--yes", "--resume"]);
    gate.wait_until_reached(1);
    scene.fixture.emulator.directory().connection(scene.id(OLD)).issuer = Issuer::DevOps;
    gate.open();
    assert_eq!(child.wait().unwrap().code(), Some(11));
    assert_eq!(&*scene.kinds(), "new+old");
}

#[test]
fn what_a_person_has_done_while_it_waited_is_no_surprise() {
    let scene = planned(|_| {}, &[]);
    assert_eq!(scene.apply(&["--yes"]).0, 10);
    // Back on the old issuer, the new credential there: the plan only waits for a person.
    scene.fixture.emulator.directory().connection(scene.id(OLD)).issuer = Issuer::DevOps;
    std::fs::remove_file(scene.journal()).unwrap();
    let (code, said) = scene.plan_of("issuer", &["--all-eligible", "--trigger", "person"]);
    assert!(code == 10 && said.contains("4 steps"), "{said}");
    assert_eq!(scene.apply(&["--yes"]).0, 10);
    scene.press_update();
    let (code, said) = scene.apply(&["--yes", "--resume"]);
    assert!(code == 10 && said.contains("waits for a run"), "{said}");
    scene.run_of_pipeline(Duration::seconds(1), "succeeded");
    assert_eq!((scene.apply(&["--yes", "--resume"]).0, &*scene.kinds()), (0, "new"));
}

#[test]
fn several_connections_and_managed_identities_move_too() {
    let scene = Scene::new(&[OLD, Planted::ManagedIdentity, Planted::SharedWithProject], 3);
    let all = [scene.id(OLD), scene.id(Planted::ManagedIdentity), scene.id(Planted::SharedWithProject)];
    let all = [&all[..], &scene.fixture.made.healthy].concat();
    for id in &all {
        make_old(&scene, *id);
    }
    let (code, said) = scene.plan_of("issuer", &["--all-eligible"]);
    assert!(code == 10 && said.contains("6 connections to change, 30 steps"), "{said}");
    assert!(said.contains("Managed Identity Federated Credential Contributor"), "{said}");
    let (code, said) = scene.apply(&["--yes"]);
    assert!(code == 10 && said.contains("6 waiting"), "{said}");
    for id in all {
        assert_eq!(scene.fixture.emulator.directory().connection(id).issuer, Issuer::Entra);
        assert_eq!(trusts(&scene, id), (1, 1), "{id}");
    }
}

#[test]
fn two_connections_of_one_identity_do_not_disturb_each_other() {
    let scene = Scene::new(&[Planted::SharedIdentity], 0);
    let all: Vec<_> = {
        let mut directory = scene.fixture.emulator.directory();
        let project = &mut directory.organizations.last_mut().unwrap().projects[0];
        project.connections.iter_mut().for_each(|one| one.issuer = Issuer::DevOps);
        let all: Vec<_> = project.connections.iter().map(|one| one.id).collect();
        for (number, id) in all.iter().enumerate() {
            let place = directory.find(*id).unwrap();
            let (issuer, subject, client) = (place.issuer(), place.subject(), place.connection.client);
            let credential = &mut directory.app(client).federated_credentials[number];
            (credential.issuer, credential.subject) = (issuer, subject);
        }
        all
    };
    assert_eq!(all.len(), 2);
    assert_eq!(scene.plan_of("issuer", &["--all-eligible"]).0, 10);
    let (code, said) = scene.apply(&["--yes"]);
    assert!(code == 10 && said.contains("2 waiting"), "{said}");
    // What is left of both goes by a new plan.
    std::fs::remove_file(scene.journal()).unwrap();
    let (code, said) = scene.plan_of("issuer", &["--all-eligible"]);
    assert!(code == 10 && said.contains("2 connections to change, 4 steps"), "{said}");
    for id in &all {
        let mut directory = scene.fixture.emulator.directory();
        let started = now() + Duration::seconds(1);
        let run = Execution { pipeline: 7, started, finished: Some(started), result: "succeeded".to_owned() };
        directory.connection(*id).record.history.insert(0, run);
    }
    let (code, said) = scene.apply(&["--yes"]);
    assert_eq!((code, trusts(&scene, all[0])), (0, (0, 2)), "{said}");
}

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
    let gate = Gate::new();
    // The process ends before it has looked what is to be taken back.
    scene.fixture.emulator.fault(Fault::on(Service::DevOps, "GET", "/endpoints/").nth(2).gate(&gate));
    let mut child = scene.spawn_apply(&["--yes", "--resume"]);
    gate.wait_until_reached(1);
    child.kill().unwrap();
    child.wait().unwrap();
    scene.fixture.emulator.mend();
    let (code, said) = scene.apply(&["--yes", "--resume"]);
    assert_eq!((code, &*scene.kinds()), (11, "new+old"), "{said}");
    // Begun anew.
    let (code, said) = scene.apply(&["--yes", "--resume"]);
    assert_eq!((code, &*scene.kinds()), (11, "new+old"), "{said}");
    assert!(said.contains(&foreign) && said.contains("subject /eid1/c/"), "{said}");
}

#[test]
fn a_refusal_after_a_call_without_an_answer_takes_nothing_back() {
    std::thread::scope(|threads| {
        for status in [400, 403, 409, 429] {
            threads.spawn(move || {
                let put = || Fault::on(Service::DevOps, "PUT", "/endpoints/");
                let scene = planned(|_| {}, &["--trigger", "save"]);
                scene.fixture.emulator.fault(put().reset());
                scene.fixture.emulator.fault(put().status(status));
                let (code, said) = scene.apply(&["--yes"]);
                assert_eq!((code, &*scene.kinds()), (10, "new+old"), "{status}: {said}");
                // The earlier call was announced by another process.
                let scene = planned(|_| {}, &["--trigger", "save"]);
                let gate = Gate::new();
                scene.fixture.emulator.fault(put().gate(&gate));
                let mut child = scene.spawn_apply(&["--yes"]);
                gate.wait_until_reached(1);
                child.kill().unwrap();
                child.wait().unwrap();
                scene.fixture.emulator.mend();
                scene.fixture.emulator.fault(put().status(status));
                let (code, said) = scene.apply(&["--yes", "--resume"]);
                assert_eq!((code, &*scene.kinds()), (10, "new+old"), "{status}: {said}");
            });
        }
    });
}

#[test]
fn while_azure_devops_is_at_work_on_it_nothing_is_taken_back() {
    let scene = planned(|_| {}, &[]);
    let gate = Gate::new();
    scene.fixture.emulator.fault(Fault::on(Service::DevOps, "PUT", "/endpoints/").gate(&gate));
    let mut child = scene.spawn_apply(&["--yes"]);
    gate.wait_until_reached(1);
    {
        let mut directory = scene.fixture.emulator.directory();
        let record = &mut directory.connection(scene.id(OLD)).record;
        (record.read_only, record.unready) = (true, Some("InProgress".to_owned()));
    }
    gate.open();
    assert_eq!((child.wait().unwrap().code(), &*scene.kinds()), (Some(11), "new+old"));
    let journal = scene.journal();
    let told = scene.code(&["journal", "show", journal.to_str().unwrap()]).1;
    assert!(told.contains("still at work"), "{told}");
}

/// Takes the credential of the new issuer away.
fn distrust(scene: &Scene) {
    let mut directory = scene.fixture.emulator.directory();
    let client = directory.connection(scene.id(OLD)).client;
    directory.app(client).federated_credentials.retain(|one| one.subject.starts_with("sc://"));
}

#[test]
fn what_is_not_trusted_any_more_fails_instead_of_waiting_for_a_run() {
    let scene = planned(|_| {}, &[]);
    assert_eq!(scene.apply(&["--yes"]).0, 10);
    scene.run_of_pipeline(Duration::seconds(1), "succeeded");
    distrust(&scene);
    let (code, said) = scene.apply(&["--yes", "--resume"]);
    assert_eq!((code, &*scene.kinds()), (11, "old"), "{said}");
    assert!(said.contains("WIF7008"), "{said}");
}

#[test]
fn the_old_credential_is_not_removed_when_the_new_one_has_gone_meanwhile() {
    let scene = planned(|_| {}, &[]);
    assert_eq!(scene.apply(&["--yes"]).0, 10);
    scene.run_of_pipeline(Duration::seconds(1), "succeeded");
    let gate = Gate::new();
    // Between the look for a run and the removal.
    scene.fixture.emulator.fault(Fault::on(Service::DevOps, "GET", "/endpoints/").nth(2).gate(&gate));
    let mut child = scene.spawn_apply(&["--yes", "--resume"]);
    gate.wait_until_reached(1);
    distrust(&scene);
    gate.open();
    assert_eq!((child.wait().unwrap().code(), &*scene.kinds()), (Some(11), "old"));
}

#[test]
fn a_run_that_began_before_the_move_was_seen_shows_nothing() {
    let scene = Scene::under(&[OLD], |_| {});
    let modify = |ago: Duration| {
        let mut directory = scene.fixture.emulator.directory();
        directory.connection(scene.id(OLD)).record.modified = Some(now() - ago);
    };
    modify(Duration::days(30));
    assert_eq!(scene.plan_of("issuer", &["--all-eligible"]).0, 10);
    assert_eq!(scene.apply(&["--yes"]).0, 10);
    // Azure DevOps has ended the move later than it was asked for.
    modify(Duration::minutes(10));
    scene.run_of_pipeline(Duration::minutes(-5), "succeeded");
    let (code, said) = scene.apply(&["--yes", "--resume"]);
    assert_eq!((code, &*scene.kinds()), (10, "new+old"), "{said}");
    scene.run_of_pipeline(Duration::seconds(1), "succeeded");
    assert_eq!((scene.apply(&["--yes", "--resume"]).0, &*scene.kinds()), (0, "new"));
}

#[test]
fn a_plain_save_of_the_old_issuer_is_refused_before_it_is_sent() {
    let scene = Scene::new(&[OLD], 1);
    let (env, clock): (_, Arc<dyn Clock>) = (scene.fixture.env(), Arc::new(System::new()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let saved = runtime.block_on(async {
        let (http, _) = network::client(&env, &clock).unwrap();
        let needs = Needs { identities: false };
        let tokens = Tokens::find(&env, &clock, Cloud::Public, None, needs, &mut |_line| {}).await;
        let base = Endpoint::parse("https://dev.azure.com").unwrap();
        let devops = Target { base, token: tokens.devops.unwrap() };
        let organization = NAME.to_owned();
        let services =
            Services { http, organization, devops, graph: None, arm: None, only_7_1: Cell::new(false) };
        let project = scene.fixture.made.projects[0];
        let mut saved = Vec::new();
        for id in [scene.id(OLD), scene.fixture.made.healthy[0]] {
            let connection = services.connection(project, id).await.unwrap().unwrap();
            saved.push(services.save(project, &connection).await.map_err(|error| format!("{error:?}")));
        }
        saved
    });
    assert!(saved[0].as_ref().is_err_and(|error| error.contains("OldIssuer")), "{saved:?}");
    assert!(saved[1].is_ok(), "{saved:?}");
    assert_eq!((scene.saves(), scene.issuer()), (1, Issuer::DevOps));
}

#[test]
fn lost_answers_are_looked_up() {
    for (service, method, path) in [
        (Service::Graph, "PATCH", "/federatedIdentityCredentials"),
        (Service::DevOps, "PUT", "/endpoints/"),
        (Service::Graph, "DELETE", "/federatedIdentityCredentials"),
    ] {
        let scene = planned(|_| {}, &[]);
        scene.fixture.emulator.fault(Fault::on(service, method, path).lose_answer());
        let (code, said) = scene.apply(&["--yes"]);
        assert_eq!((code, &*scene.kinds()), (10, "new+old"), "{method}: {said}");
        scene.run_of_pipeline(Duration::seconds(1), "succeeded");
        let (code, said) = scene.apply(&["--yes", "--resume"]);
        assert_eq!((code, &*scene.kinds(), scene.saves()), (0, "new", 1), "{method}: {said}");
    }
}

#[test]
fn what_waits_for_a_person_can_be_taken_back_and_what_was_moved_cannot() {
    let scene = planned(|_| {}, &["--trigger", "person"]);
    assert_eq!(scene.apply(&["--yes"]).0, 10);
    let (journal, back) = (scene.journal(), scene.folder.path().join("back.json"));
    let rollback = ["rollback", journal.to_str().unwrap(), "--output", back.to_str().unwrap()];
    let (code, said) = scene.code(&rollback);
    assert!(code == 10 && said.contains("1 steps"), "{said}");
    let (code, said) = scene.code(&["apply", back.to_str().unwrap(), "--yes"]);
    assert_eq!((code, &*scene.kinds()), (0, "old"), "{said}");
    let scene = planned(|_| {}, &[]);
    assert_eq!(scene.apply(&["--yes"]).0, 10);
    let journal = scene.journal();
    let (code, said) = scene.code(&["rollback", journal.to_str().unwrap()]);
    assert!(code == 0 && said.contains("no way back is known"), "{said}");
}

#[test]
fn what_another_person_has_to_do_is_printed_for_each_side() {
    let scene = planned(|_| {}, &[]);
    let plan = scene.plan();
    let hand_off = |side: &str| scene.code(&["hand-off", plan.to_str().unwrap(), "--to", side]).1;
    let entra = hand_off("entra");
    assert!(entra.contains("\naz ad app federated-credential create"), "{entra}");
    // A person who runs all of it must not take the trust away that the connection lives by.
    assert!(entra.contains("\n# az ad app federated-credential delete"), "{entra}");
    assert!(!entra.contains("\naz ad app federated-credential delete"), "{entra}");
    let devops = hand_off("devops");
    assert!(devops.contains("# press Update on https://dev.azure.com/"), "{devops}");
    let terraform = hand_off("terraform");
    assert!(terraform.contains("import {") && terraform.contains("terraform state rm"), "{terraform}");
    assert_eq!(scene.apply(&["--yes"]).0, 10);
    assert!(hand_off("devops").contains("# done"));
    let journal = scene.journal();
    let told = scene.code(&["journal", "show", journal.to_str().unwrap()]).1;
    assert!(told.contains("waits for a person or a run") && told.contains("by saving it"), "{told}");
}

#[test]
fn the_commands_of_the_page_do_what_it_says_in_their_order() {
    let page = include_str!("../../../docs/move-issuer.md");
    let scene = Scene::new(&[OLD, Planted::StoredSecret], 3);
    let mut ended = Vec::new();
    for (number, block) in blocks(page).enumerate() {
        if number > 0 {
            scene.run_of_pipeline(Duration::seconds(1), "succeeded");
        }
        scene.follow(block, |code| ended.push((code, scene.issuer(), scene.kinds())));
    }
    let expected = [
        (10, Issuer::DevOps, "old"),
        (10, Issuer::DevOps, "old"),
        (10, Issuer::Entra, "new+old"),
        (0, Issuer::Entra, "new"),
        (0, Issuer::Entra, "new"),
    ];
    assert_eq!(ended, expected.map(|(code, issuer, kinds)| (code, issuer, kinds.to_owned())));
}

/// Kills `wif apply` at each of its requests, goes on with `--resume`, and judges by what the services have.
fn killed_at_each_request(hold: fn(Fault, &Gate) -> Fault) {
    let undisturbed = planned(|_| {}, &[]);
    let moments = moments(&undisturbed.fixture, || assert_eq!(undisturbed.apply(&["--yes"]).0, 10));
    assert!(moments.len() > 10, "only {} moments", moments.len());
    for (service, number) in moments {
        let scene = planned(|_| {}, &[]);
        kill_at(&scene.fixture.emulator, hold, (service, number), &mut scene.apply_command(&["--yes"]));
        let (code, said) = scene.apply_within(&["--yes", "--resume"]);
        let moment = format!("{service:?} {number}: {said}\n{}", scene.fixture.emulator.journal_text());
        assert_eq!((code, scene.issuer(), &*scene.kinds()), (10, Issuer::Entra, "new+old"), "{moment}");
        let puts = scene.fixture.emulator.journal().into_iter().filter(|entry| entry.method == "PUT");
        let answered: Vec<_> = puts.filter_map(|entry| entry.status).collect();
        assert!(answered.len() <= 1 && answered.iter().all(|status| *status == 200), "{moment}");
        scene.run_of_pipeline(scene.passed() + Duration::seconds(1), "succeeded");
        let (code, said) = scene.apply_within(&["--yes", "--resume"]);
        assert_eq!((code, &*scene.kinds()), (0, "new"), "{moment}\n{said}");
    }
}

#[test]
fn an_apply_that_was_killed_before_the_service_acted_goes_on() {
    killed_at_each_request(Fault::gate);
}

#[test]
fn an_apply_that_was_killed_after_the_service_acted_goes_on() {
    killed_at_each_request(Fault::answer_gate);
}

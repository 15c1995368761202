//! The move to the issuer of Entra when something fails or changes: no connection is left without a credential that it can use.

use std::{cell::Cell, sync::Arc};

use emulator::{
    Fault, Gate, Service,
    directory::{Issuer, Quirks},
};
use time::Duration;
use wif_core::azure::cloud::Cloud;
use wif_io::{
    clock::{Clock, System},
    endpoint::Endpoint,
};
use wif_operator::{
    change::service::{Services, Target},
    read::{network, progress::Progress},
    tokens::{Needs, Tokens},
};

use crate::support::{
    NAME,
    kills::kill_when,
    old_issuer::{OLD, OldIssuer as _, now, planned},
    scene::Scene,
};

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
fn a_refusal_after_a_call_without_an_answer_takes_nothing_back() {
    std::thread::scope(|threads| {
        for status in [400, 403, 409, 429] {
            threads.spawn(move || {
                let put = || Fault::on(Service::DevOps, "PUT", "/endpoints/");
                let scene = planned(|_| {}, &["--trigger", "save"]);
                scene.fixture.emulator.fault(put().reset());
                scene.fixture.emulator.fault(put().status(status));
                let (code, said) = scene.apply_within(&["--yes"]);
                assert_eq!((code, &*scene.kinds()), (10, "new+old"), "{status}: {said}");
                // The earlier call was announced by another process.
                let scene = planned(|_| {}, &["--trigger", "save"]);
                kill_when(&scene.fixture.emulator, Fault::gate, put(), &mut scene.apply_command(&["--yes"]));
                scene.fixture.emulator.fault(put().status(status));
                let (code, said) = scene.apply_within(&["--yes", "--resume"]);
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
        let talk = Progress::new(Box::new(std::io::sink()), false, Arc::clone(&clock));
        let devops = Target::new("Azure DevOps", base, tokens.devops.unwrap(), &talk);
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

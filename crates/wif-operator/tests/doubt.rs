//! What is not known yet: lost answers, objects that have not spread, and what others did since a connection was put back.

use std::{thread, time::Duration};

use emulator::{
    Fault, Gate, Service,
    directory::{Issuer, IssuerMove, Quirks},
    organization::Planted,
};
use serde_json::json;

use crate::support::{
    kills::kill_when,
    old_issuer::{OldIssuer as _, planned},
    request,
    scene::Scene,
};

const SECRET: &str = "ServicePrincipal";
const FEDERATION: &str = "WorkloadIdentityFederation";

/// `TestConnection` says that an application is not known.
fn unknown_application(code: &str) -> Fault {
    let message = format!("AADSTS{code}: the application was not found in the directory");
    Fault::on(Service::DevOps, "POST", "/endpointproxy")
        .json(&json!({ "statusCode": "unauthorized", "errorMessage": message, "result": [] }))
}

#[test]
fn a_conversion_that_shows_late_after_lost_answers_is_not_taken_back() {
    // Nothing tells that it is under way: only looking long enough does.
    let scene = Scene::under(&[Planted::StoredSecret], |quirks| {
        (quirks.conversion_lag, quirks.conversion_is_told) = (25, false);
    });
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    scene.fixture.emulator.fault(Fault::on(Service::DevOps, "PUT", "/endpoints/").lose_answer().times(3));
    let (code, said) = scene.apply_within(&["--yes"]);
    assert_eq!(code, 0, "{said}");
    let id = scene.id(Planted::StoredSecret);
    assert_eq!((scene.scheme(id).as_str(), scene.trusted(id).len()), (FEDERATION, 1));
}

#[test]
fn a_conversion_that_was_sent_before_a_kill_and_shows_late_is_not_sent_again() {
    let scene = Scene::under(&[Planted::StoredSecret], |quirks| {
        (quirks.conversion_lag, quirks.conversion_is_told) = (3, false);
    });
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    let put = Fault::on(Service::DevOps, "PUT", "/endpoints/");
    kill_when(&scene.fixture.emulator, Fault::answer_gate, put, &mut scene.apply_command(&["--yes"]));
    let (code, said) = scene.apply_within(&["--yes", "--resume"]);
    let id = scene.id(Planted::StoredSecret);
    assert_eq!((code, scene.scheme(id).as_str(), scene.trusted(id).len()), (0, FEDERATION, 1), "{said}");
    assert_eq!(scene.fixture.emulator.count(Service::DevOps, "PUT /"), 1);
}

#[test]
fn a_move_that_was_sent_before_a_kill_and_shows_late_is_not_sent_again() {
    let late = |quirks: &mut Quirks| {
        (quirks.conversion_lag, quirks.conversion_is_told) = (3, false);
        quirks.issuer_moves_by = IssuerMove::Operation;
    };
    let scene = planned(late, &["--trigger", "operation"]);
    let put = Fault::on(Service::DevOps, "PUT", "/endpoints/");
    kill_when(&scene.fixture.emulator, Fault::answer_gate, put, &mut scene.apply_command(&["--yes"]));
    let (code, said) = scene.apply_within(&["--yes", "--resume"]);
    assert_eq!((code, scene.issuer(), scene.saves()), (10, Issuer::Entra, 1), "{said}");
}

#[test]
fn a_conversion_that_cannot_be_looked_at_keeps_its_credentials_until_it_can() {
    let scene = Scene::new(&[Planted::StoredSecret], 0);
    let id = scene.id(Planted::StoredSecret);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    let emulator = &scene.fixture.emulator;
    emulator.fault(Fault::on(Service::DevOps, "PUT", "/endpoints/").lose_answer());
    // From the read after the conversion on; the last read of all, of the way back, would be answered.
    let path = format!("/_apis/serviceendpoint/endpoints/{id}");
    emulator.fault(Fault::on(Service::DevOps, "GET", &path).nth(3).always().status(403));
    let (code, said) = scene.apply_within(&["--yes"]);
    assert!(code == 11 && said.contains("it is not known what was done"), "{said}");
    assert_eq!((scene.scheme(id).as_str(), scene.trusted(id).len()), (FEDERATION, 2));
    assert_eq!(emulator.count(Service::Graph, "DELETE"), 0);
}

#[test]
fn a_conversion_that_is_under_way_when_the_wait_ends_is_neither_sent_again_nor_taken_back() {
    let scene = Scene::under(&[Planted::StoredSecret], |quirks| quirks.conversion_lag = 100_000);
    let id = scene.id(Planted::StoredSecret);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    let trusted = scene.trusted(id).len();
    for more in [&["--yes"][..], &["--yes", "--resume"]] {
        let (code, said) = scene.apply_within(more);
        assert!(code == 11 && said.contains("still at work on it"), "{said}");
        assert!(said.contains("it is not known what was done"), "{said}");
        let emulator = &scene.fixture.emulator;
        assert_eq!(emulator.count(Service::DevOps, "PUT /"), 1, "{}", emulator.journal_text());
        assert_eq!(emulator.count(Service::Graph, "DELETE"), 0);
        assert!(scene.trusted(id).len() > trusted, "what the conversion needs is kept");
    }
    scene.fixture.emulator.directory().connection(id).stale = None;
    let (code, said) = scene.apply_within(&["--yes", "--resume"]);
    assert_eq!((code, scene.scheme(id).as_str()), (0, FEDERATION), "{said}");
}

#[test]
fn what_was_put_back_is_begun_again_only_if_the_plan_still_holds() {
    for is_changed in [false, true] {
        let scene = Scene::under(&[Planted::StoredSecret], |quirks| quirks.trust_lag = 1000);
        assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
        assert_eq!(scene.apply(&["--yes", "--prove-within", "1s"]).0, 11);
        let id = scene.id(Planted::StoredSecret);
        {
            let mut directory = scene.fixture.emulator.directory();
            directory.quirks.trust_lag = 0;
            directory.connection(id).disabled = is_changed;
        }
        let writes = scene.writes();
        let (code, said) = scene.apply(&["--yes", "--resume"]);
        if is_changed {
            assert!(code == 13 && said.contains("changed since the plan was made: disabled"), "{said}");
            assert_eq!((scene.scheme(id).as_str(), scene.writes()), (SECRET, writes));
        } else {
            assert_eq!((code, scene.scheme(id).as_str()), (0, FEDERATION), "{said}");
        }
    }
}

#[test]
fn an_application_that_the_plan_has_made_may_be_unknown_for_a_while() {
    for code in ["700016", "7000229"] {
        let scene = request::Scene::new();
        scene.write(&scene.request("application"));
        assert_eq!(scene.plan(&[]).0, 10);
        scene.fixture.emulator.fault(unknown_application(code).times(3));
        let (ended, said) = scene.apply_within(&[]);
        assert_eq!(ended, 0, "{code}: {said}");
    }
    // One that was there before is not there by mistake.
    let scene = Scene::new(&[Planted::StoredSecret], 0);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    scene.fixture.emulator.fault(unknown_application("700016").always());
    let (ended, said) = scene.apply_within(&["--yes"]);
    assert!(ended == 11 && said.contains("does not know the identity"), "{said}");
    let journal = scene.fixture.emulator.journal();
    assert_eq!(journal.iter().filter(|entry| entry.path.contains("/endpointproxy")).count(), 1);
}

/// How long the proofs of these tests may take. No other limit is as short.
const BOUND: Duration = Duration::from_secs(7);

/// What ends at its bound says so, and is put back.
fn ends_at_its_bound(scene: &Scene, ended: &(i32, String), what: &str) {
    let (code, said) = ended;
    let told = format!("{what} has not ended within the 7 s of --prove-within");
    assert!(*code == 11 && said.contains(&told) && said.contains("as it was before"), "{code} {said}");
    assert_eq!(scene.scheme(scene.id(Planted::StoredSecret)), SECRET);
}

#[test]
fn a_proof_ends_at_its_bound_although_an_attempt_hangs() {
    let scene = Scene::new(&[Planted::StoredSecret], 0);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    // It never opens: only the bound of the proof ends the attempt, which may take a minute by itself.
    let gate = Gate::new();
    scene.fixture.emulator.fault(Fault::on(Service::DevOps, "POST", "/endpointproxy").gate(&gate).always());
    let ended = thread::scope(|scope| {
        scope.spawn(|| {
            gate.wait_until_reached(1);
            scene.fixture.clock.end_limits(BOUND);
        });
        scene.apply_within(&["--yes", "--prove-within", "7s"])
    });
    ends_at_its_bound(&scene, &ended, "TestConnection");
    gate.open();
}

#[test]
fn the_look_before_a_proof_ends_at_the_bound_too() {
    let scene = Scene::new(&[Planted::StoredSecret], 0);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    // As if no service answered within the bound: other limits are longer.
    scene.fixture.clock.end_limits(BOUND);
    let ended = scene.apply_within(&["--yes", "--prove-within", "7s"]);
    ends_at_its_bound(&scene, &ended, "the look at the connection");
    assert_eq!(scene.fixture.emulator.count(Service::DevOps, "/endpointproxy"), 0);
}

#[test]
fn a_look_that_fails_for_a_while_does_not_end_a_proof() {
    let scene = Scene::new(&[Planted::StoredSecret], 0);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    let (id, emulator, gate) = (scene.id(Planted::StoredSecret), &scene.fixture.emulator, Gate::new());
    // The first attempt is answered, and may pass.
    let message = "AADSTS700213: No matching federated identity record found";
    let answer = json!({ "statusCode": "unauthorized", "errorMessage": message, "result": [] });
    emulator.fault(Fault::on(Service::DevOps, "POST", "/endpointproxy").json(&answer).gate(&gate));
    let (code, said) = thread::scope(|scope| {
        scope.spawn(|| {
            gate.wait_until_reached(1);
            // More than a call waits for: it fails at once, and so do the next, for six minutes.
            let look = Fault::on(Service::DevOps, "GET", &format!("/endpoints/{id}")).status(429);
            emulator.fault(look.header("retry-after", "360"));
            gate.open();
        });
        scene.apply_within(&["--yes", "--prove-within", "10m"])
    });
    assert_eq!((code, scene.scheme(id).as_str()), (0, FEDERATION), "{said}");
    let journal = emulator.journal();
    assert_eq!(journal.iter().filter(|entry| entry.path.contains("/endpointproxy")).count(), 2);
    assert!(scene.passed() >= time::Duration::seconds(360), "{}", scene.passed());
}

/// An answer to a request that a service asks to wait with, or after.
fn asks_to_wait(scene: &Scene, fault: Fault, seconds: &str) {
    scene.fixture.emulator.fault(fault.header("retry-after", seconds));
}

#[test]
fn what_a_service_asks_for_is_waited_for_by_the_next_call_and_told() {
    let scene = Scene::new(&[Planted::StoredSecret], 0);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    let id = scene.id(Planted::StoredSecret);
    let read = Fault::on(Service::DevOps, "GET", &format!("/endpoints/{id}"));
    asks_to_wait(&scene, read, "70");
    let put = || Fault::on(Service::DevOps, "PUT", "/endpoints/").status(429);
    asks_to_wait(&scene, put(), "250");
    let patch = Fault::on(Service::Graph, "PATCH", "/federatedIdentityCredentials").status(429);
    asks_to_wait(&scene, patch, "130");
    let (code, said) = scene.apply_within(&["--yes"]);
    assert_eq!(code, 0, "{said}");
    for told in
        ["Azure DevOps asks to wait 70 s", "Azure DevOps asks to wait 250 s", "Graph asks to wait 130 s"]
    {
        assert!(said.contains(told), "{told}: {said}");
    }
    assert!(scene.passed() >= time::Duration::seconds(250 + 130), "{}", scene.passed());
    assert_eq!(scene.done(Service::DevOps, "PUT"), 1);
}

#[test]
fn a_service_that_asks_for_more_than_five_minutes_is_not_waited_for() {
    for (times, seconds) in [(1, "301"), (3, "160")] {
        let scene = Scene::new(&[Planted::StoredSecret], 0);
        assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
        let put = Fault::on(Service::DevOps, "PUT", "/endpoints/").status(429).times(times);
        asks_to_wait(&scene, put, seconds);
        let (code, said) = scene.apply_within(&["--yes"]);
        assert!(code == 11 && said.contains("busy or unavailable (429)"), "{seconds}: {code} {said}");
        assert_eq!(said.contains("asks to wait"), times > 1, "{said}");
        assert!(scene.passed() < time::Duration::seconds(300), "{seconds}: {}", scene.passed());
    }
}

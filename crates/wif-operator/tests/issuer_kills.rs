//! The move to the issuer of Entra, killed at each of its requests.

use emulator::{Fault, Gate, directory::Issuer};
use time::Duration;

use crate::support::{
    kills::{kill_at, moments},
    old_issuer::{OldIssuer as _, planned},
};

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

//! The way back of a whole journal: of what was interrupted, of what is gone meanwhile, and of what was removed.

use emulator::{Fault, Gate, Service, organization::Planted};

use crate::support::{
    old_issuer::{OldIssuer as _, planned},
    scene::Scene,
};

fn roll_back(scene: &Scene, more: &[&str]) -> (i32, String) {
    let (journal, back) = (scene.journal(), scene.folder.path().join("back.json"));
    let begin = ["rollback", journal.to_str().unwrap(), "--output", back.to_str().unwrap()];
    scene.code(&[&begin[..], more].concat())
}

fn apply_back(scene: &Scene) -> (i32, String) {
    scene.code(&["apply", scene.folder.path().join("back.json").to_str().unwrap(), "--yes"])
}

#[test]
fn what_was_killed_before_it_was_converted_loses_its_new_credentials() {
    let scene = Scene::new(&[Planted::StoredSecret], 0);
    let id = scene.id(Planted::StoredSecret);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    // The conversion itself never reaches the service.
    let gate = Gate::new();
    scene.fixture.emulator.fault(Fault::on(Service::DevOps, "PUT", "/endpoints/").gate(&gate));
    let mut apply = scene.spawn_apply(&["--yes"]);
    gate.wait_until_reached(1);
    apply.kill().unwrap();
    apply.wait().unwrap();
    assert_eq!(scene.trusted(id).len(), 2);
    let (code, said) = roll_back(&scene, &[]);
    assert!(code == 10 && said.contains("2 steps"), "{said}");
    let (code, said) = apply_back(&scene);
    assert_eq!((code, scene.trusted(id).len()), (0, 0), "{said}");
    assert_eq!(scene.scheme(id), "ServicePrincipal");
}

#[test]
fn a_connection_that_is_gone_is_left_out_by_its_name() {
    let scene = Scene::new(&[Planted::StoredSecret, Planted::SecretEndsSoon], 0);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    assert_eq!(scene.apply(&["--yes"]).0, 0);
    let id = scene.id(Planted::StoredSecret);
    for project in &mut scene.fixture.emulator.directory().organizations.last_mut().unwrap().projects {
        project.connections.retain(|one| one.id != id);
    }
    let (code, said) = roll_back(&scene, &[]);
    assert!(code == 10 && said.contains("1 connections to change"), "{said}");
    assert!(said.contains("sc-stored-secret") && said.contains("it is gone"), "{said}");
}

#[test]
fn a_project_that_is_not_in_the_journal_is_an_argument_error() {
    let scene = Scene::new(&[Planted::StoredSecret], 0);
    assert_eq!(scene.convert_plan(&["--all-eligible"]).0, 10);
    assert_eq!(scene.apply(&["--yes"]).0, 0);
    let (code, said) = roll_back(&scene, &["--project", "Project 000"]);
    assert!(code == 2 && said.contains("--project 'Project 000' is not in the journal"), "{said}");
    assert!(said.contains("did you mean Project 0000"), "{said}");
}

#[test]
fn an_old_credential_that_a_move_has_removed_is_added_again() {
    let scene = planned(|_| {}, &[]);
    assert_eq!(scene.apply(&["--yes"]).0, 10);
    scene.run_of_pipeline(time::Duration::seconds(1), "succeeded");
    assert_eq!((scene.apply(&["--yes", "--resume"]).0, &*scene.kinds()), (0, "new"));
    let (code, said) = roll_back(&scene, &[]);
    assert!(code == 10 && said.contains("1 steps") && said.contains("no way back is known"), "{said}");
    let (code, said) = apply_back(&scene);
    assert_eq!((code, &*scene.kinds()), (0, "new+old"), "{said}");
}

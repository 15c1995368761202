//! The way back from names that were swapped: by `wif rollback`, and of what fails half-way.

use std::thread;

use emulator::{Fault, Gate, Service};
use serde_json::json;

use crate::{
    support::migration::{NEW, Scene},
    swap::{OLD, apps_of, is_taken_back, kill_at_save, remove},
};

#[test]
fn a_rollback_gives_the_names_back_before_the_new_connection_goes() {
    let scene = Scene::new();
    let apps = apps_of(&scene);
    let scene = scene.swapped();
    let (code, said) = scene.run(&["rollback", "plan.json.journal", "--output", "back.json"]);
    assert!(code == 10 && said.contains("- take back: rename the old connection"), "{code} {said}");
    let (code, said) = scene.within("back.json", &[]);
    assert_eq!(code, 0, "{said}\n{}", scene.fixture.emulator.journal_text());
    is_taken_back(&scene, apps, "rollback");
}

#[test]
fn a_name_that_cannot_be_taken_is_put_back_on_the_old_connection() {
    let scene = Scene::new();
    let apps = apps_of(&scene);
    assert_eq!(scene.plan_swap().0, 10);
    // The first save sets the old connection aside, the second gives its name to the new one.
    let fault = Fault::on(Service::DevOps, "PUT", "/_apis/serviceendpoint/endpoints/").nth(2);
    scene.fixture.emulator.fault(
        fault
            .status(409)
            .json(&json!({ "message": "Service connection with name sc-stored-secret already exists." })),
    );
    let (code, said) = scene.within("plan.json", &[]);
    assert!(code == 11 && said.contains("as it was before"), "{code} {said}");
    is_taken_back(&scene, apps, &said);
}

#[test]
fn a_migration_whose_names_another_plan_has_swapped_is_not_taken_back_before_that_one() {
    let scene = Scene::new();
    let apps = apps_of(&scene);
    scene.migrate("application");
    let folder = scene.folder.path();
    std::fs::rename(folder.join("plan.json.journal"), folder.join("first.journal")).unwrap();
    let scene = scene.swapped();
    let roll_back = |journal: &str, ends: i32, told: &str| {
        let (code, said) = scene.run(&["rollback", journal, "--output", "back.json"]);
        assert!(code == ends && said.contains(told), "{journal}: {code} {said}");
    };
    roll_back("first.journal", 0, "roll the plan back first that has swapped the names");
    scene.is_swapped();
    roll_back("plan.json.journal", 10, "- take back: rename the new connection");
    assert_eq!(scene.within("back.json", &[]).0, 0);
    std::fs::remove_file(scene.folder.path().join("back.json.journal")).unwrap();
    roll_back("first.journal", 10, "- take back: make the connection");
    let (code, said) = scene.within("back.json", &[]);
    assert_eq!(code, 0, "{said}");
    is_taken_back(&scene, apps, &said);
}

#[test]
fn a_new_connection_that_cannot_be_looked_at_is_not_taken_back() {
    let scene = Scene::new();
    scene.migrate("application");
    // The old connection is read, and the new one is not: it may have the old one's name by now.
    let fault = Fault::on(Service::DevOps, "GET", "/_apis/serviceendpoint/endpoints").nth(2);
    scene.fixture.emulator.fault(fault.status(403));
    let (code, said) = scene.run(&["rollback", "plan.json.journal", "--output", "back.json"]);
    assert!(code == 12 && said.contains("the new connection could not be read"), "{code} {said}");
    assert!(!said.contains("- take back"), "{said}");
    // When it can be read, it is taken back as ever.
    let (code, said) = scene.run(&["rollback", "plan.json.journal", "--output", "back.json"]);
    assert!(code == 10 && said.contains("- take back: make the connection"), "{code} {said}");
}

#[test]
fn what_was_killed_at_a_renaming_can_be_taken_back_instead_of_resumed() {
    thread::scope(|scope| {
        for (number, hold) in [
            (1, Fault::gate as fn(Fault, &Gate) -> Fault),
            (1, Fault::answer_gate),
            (2, Fault::gate),
            (2, Fault::answer_gate),
        ] {
            scope.spawn(move || {
                let scene = Scene::new();
                let apps = apps_of(&scene);
                assert_eq!(scene.plan_swap().0, 10);
                kill_at_save(&scene, hold, number);
                let (code, said) = scene.run(&["rollback", "plan.json.journal", "--output", "back.json"]);
                assert_eq!(code, 10, "{number}: {said}");
                let (code, said) = scene.within("back.json", &[]);
                assert_eq!(code, 0, "{number}: {said}\n{}", scene.fixture.emulator.journal_text());
                is_taken_back(&scene, apps, &said);
            });
        }
    });
}

#[test]
fn an_old_connection_that_a_person_has_renamed_can_still_be_left_alone_by_a_rollback() {
    let scene = Scene::new();
    let apps = apps_of(&scene);
    scene.migrate("application");
    "sc-mine".clone_into(&mut scene.fixture.emulator.directory().connection(scene.old).name);
    let (code, said) = scene.run(&["rollback", "plan.json.journal", "--output", "back.json"]);
    assert_eq!(code, 10, "{said}");
    let (code, said) = scene.within("back.json", &[]);
    assert_eq!(code, 0, "{said}");
    assert!(scene.named(NEW).is_empty() && scene.old().name == "sc-mine");
    assert_eq!(apps_of(&scene), apps);
}

#[test]
fn the_old_connection_gets_its_name_back_though_the_new_one_is_gone() {
    let scene = Scene::new();
    let apps = apps_of(&scene);
    let scene = scene.swapped();
    remove(&scene, scene.named(OLD)[0].id);
    let (code, said) = scene.run(&["rollback", "plan.json.journal", "--output", "back.json"]);
    assert_eq!(code, 10, "{said}");
    let (code, said) = scene.within("back.json", &[]);
    assert_eq!(code, 0, "{said}");
    is_taken_back(&scene, apps, &said);
}

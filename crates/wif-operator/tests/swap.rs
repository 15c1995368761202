//! `wif migrate plan --swap-names` and its `apply`: the new connection gets the name of the old one, against an emulated organization
//! that really does what is asked for.

use std::thread;

use emulator::{Fault, Gate, Service, directory::Connection};
use serde_json::json;
use uuid::Uuid;

use crate::support::{
    kills::kill_when,
    migration::{NEW, Scene, run_on},
};

pub(crate) const OLD: &str = "sc-stored-secret";
pub(crate) const ASIDE: &str = "sc-stored-secret-before-wif";

impl Scene {
    pub(crate) fn plan_swap(&self) -> (i32, String) {
        self.plan(&["--connection", &self.old.to_string(), "--swap-names"])
    }

    /// Migrated, with the names swapped.
    pub(crate) fn swapped(self) -> Self {
        let (code, said) = self.plan_swap();
        assert_eq!(code, 10, "{said}");
        let (code, said) = self.within("plan.json", &[]);
        assert_eq!(code, 0, "{said}\n{}", self.fixture.emulator.journal_text());
        self
    }

    /// The names of a connection: that of its owner, and that in the other project.
    pub(crate) fn names(connection: &Connection) -> (&str, &str) {
        (&connection.name, &connection.record.shared_with[0].name)
    }

    /// The new connection has the name of the old one in each project, and the old one another.
    pub(crate) fn is_swapped(&self) {
        let new = self.named(OLD);
        assert_eq!(new.len(), 1);
        assert_eq!(Self::names(&new[0]), (OLD, "sc-there"));
        assert_ne!(new[0].id, self.old);
        assert_eq!(new[0].scheme, "WorkloadIdentityFederation");
        assert_eq!(Self::names(&self.old()), (ASIDE, "sc-there-before-wif"));
    }
}

/// Kills an apply at the save of this number.
pub(crate) fn kill_at_save(scene: &Scene, hold: fn(Fault, &Gate) -> Fault, number: usize) {
    let fault = Fault::on(Service::DevOps, "PUT", "/_apis/serviceendpoint/endpoints/").nth(number);
    kill_when(&scene.fixture.emulator, hold, fault, &mut scene.command(&["apply", "plan.json", "--yes"]));
}

#[test]
fn the_new_connection_gets_the_name_of_the_old_one_in_each_project_after_the_proof() {
    let scene = Scene::under(|quirks| quirks.connection_names_are_unique = true);
    let secret = scene.old().parameters;
    let (code, said) = scene.plan_swap();
    assert_eq!(code, 10, "{said}");
    for told in [
        "~ rename the old connection: sc-stored-secret becomes sc-stored-secret-before-wif in Project 0000, sc-there becomes sc-there-before-wif in Project 0001",
        "~ rename the new connection: sc-stored-secret-wif becomes sc-stored-secret in Project 0000, sc-there-wif becomes sc-there in Project 0001",
        "a pipeline that begins does not find sc-stored-secret",
        "it is not documented whether Azure DevOps keeps it",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    assert!(!said.contains("name sc-stored-secret-wif in the pipelines instead"), "{said}");
    let plan = scene.plan_file();
    let signs = plan["items"][0]["steps"].as_array().unwrap().iter();
    let signs: String = signs.map(|step| step["sign"].as_str().unwrap()).collect();
    assert!(signs.ends_with("?~~"), "{signs}");
    assert_eq!(scene.writes(), 0);
    let (code, said) = scene.run(&["hand-off", "plan.json", "--to", "devops"]);
    let old = format!("# rename the connection {}: sc-stored-secret becomes {ASIDE}", scene.old);
    assert!(code == 0 && said.contains(&old), "{code} {said}");
    assert!(said.contains("# rename the connection CONNECTION-ID: sc-stored-secret-wif becomes"), "{said}");
    let (code, said) = scene.apply(&[]);
    assert_eq!(code, 0, "{said}\n{}", scene.fixture.emulator.journal_text());
    scene.is_swapped();
    assert_eq!(scene.old().parameters, secret);
    // The proof comes before the first renaming, and the old one makes room first.
    let journal = scene.fixture.emulator.journal();
    let proof = journal.iter().position(|one| one.path.contains("/endpointproxy")).unwrap();
    let saves: Vec<_> = journal
        .iter()
        .enumerate()
        .filter(|(_, one)| one.method == "PUT" && one.path.contains("/endpoints/"))
        .collect();
    assert!(proof < saves[0].0, "{}", scene.fixture.emulator.journal_text());
    assert!(saves[0].1.path.contains(&scene.old.to_string()));
    // A second run changes nothing, by either name, with and without the flag.
    let writes = scene.writes();
    for name in [ASIDE, OLD] {
        for more in ["--swap-names", "--allow-privileged"] {
            let (code, said) = scene.plan(&["--name", name, more]);
            assert!(code == 0 && said.contains("0 connections to change"), "{name} {more:?}: {code} {said}");
        }
    }
    let (code, said) = scene.plan_swap();
    assert!(code == 0 && said.contains("migrated already: sc-stored-secret is there"), "{code} {said}");
    assert_eq!(scene.writes(), writes);
}

/// Nothing of the new one is left, and the old one is called as before.
pub(crate) fn is_taken_back(scene: &Scene, apps: usize, moment: &str) {
    assert!(scene.named(NEW).is_empty(), "{moment}");
    assert_eq!(Scene::names(&scene.old()), (OLD, "sc-there"), "{moment}");
    assert_eq!(scene.named(OLD).len(), 1, "{moment}");
    assert_eq!(apps_of(scene), apps, "{moment}");
}

pub(crate) fn apps_of(scene: &Scene) -> usize {
    let directory = scene.fixture.emulator.directory();
    directory.tenants.iter().flat_map(|tenant| &tenant.apps).filter(|app| !app.record.deleted).count()
}

#[test]
fn a_name_that_the_subject_holds_is_not_given_away() {
    let scene = Scene::of_old_issuer();
    let (code, said) = scene.plan_swap();
    assert!(code == 2 && said.contains("sc-old-issuer: its names cannot be swapped"), "{code} {said}");
    assert!(said.contains("wif issuer plan"), "{said}");
    // Of many, it is left out with the reason, and the others are planned.
    let (code, said) = scene.plan(&["--all-eligible", "--swap-names", "--allow-privileged"]);
    assert!(
        code == 10 && said.contains("the Azure DevOps issuer, whose subject holds the name"),
        "{code} {said}"
    );
    let plan = scene.plan_file();
    let items = plan["items"].as_array().unwrap();
    assert!(items.iter().any(|item| item["name"] == OLD), "{plan}");
    assert!(items.iter().all(|item| item["name"] != "sc-old-issuer"), "{plan}");
    assert_eq!(scene.writes(), 0);
}

#[test]
fn a_name_that_another_connection_has_is_not_given() {
    for project in [0, 1] {
        let scene = Scene::new();
        {
            let mut directory = scene.fixture.emulator.directory();
            let mut other = directory.connection(scene.fixture.made.healthy[0]).clone();
            let name = if project == 0 { ASIDE } else { "sc-there-before-wif" };
            (other.id, other.name) = (Uuid::from_u128(99), name.to_owned());
            directory.add_connection(scene.fixture.made.projects[project], other);
        }
        let (code, said) = scene.plan_swap();
        assert!(code == 2 && said.contains("another connection in Project 000"), "{project}: {code} {said}");
    }
}

#[test]
fn an_old_connection_that_was_renamed_since_the_plan_stops_it_before_the_first_call() {
    let scene = Scene::new();
    assert_eq!(scene.plan_swap().0, 10);
    let (id, writes) = (scene.old, scene.writes());
    "sc-other".clone_into(&mut scene.fixture.emulator.directory().connection(id).name);
    let (code, said) = scene.within("plan.json", &[]);
    assert!(code == 13 && said.contains("has changed since the plan"), "{code} {said}");
    assert_eq!(scene.writes(), writes);
}

#[test]
fn connections_that_soak_side_by_side_first_can_swap_names_later_and_the_old_one_can_end() {
    let scene = Scene::new().soaked();
    std::fs::rename(scene.folder.path().join("plan.json.journal"), scene.folder.path().join("first.journal"))
        .unwrap();
    let (code, said) = scene.plan_swap();
    assert_eq!(code, 10, "{said}");
    let plan = scene.plan_file();
    let steps = plan["items"][0]["steps"].as_array().unwrap();
    let signs: String = steps.iter().map(|step| step["sign"].as_str().unwrap()).collect();
    assert_eq!(signs, "?~~", "{said}");
    let (code, said) = scene.within("plan.json", &[]);
    assert_eq!(code, 0, "{said}\n{}", scene.fixture.emulator.journal_text());
    scene.is_swapped();
    // Both journals know the connections by what they are called now.
    for journal in ["first.journal", "plan.json.journal"] {
        let (_, said) = scene.run(&["migrate", "status", journal]);
        assert!(said.contains(&format!("{ASIDE} in Project 0000, and {OLD} beside it")), "{journal}: {said}");
    }
    let new = scene.named(OLD)[0].id;
    run_on(&scene, new, 2, 2, "succeeded");
    for journal in ["first.journal", "plan.json.journal"] {
        let (code, said) = scene.run(&["migrate", "status", journal]);
        assert_eq!(code, 0, "{journal}: {said}");
    }
    let (code, said) = scene.plan_retirement(&["--managed-by", "none"]);
    assert!(code == 10 && said.contains(ASIDE), "{code} {said}");
    let (code, said) = scene.within("end.json", &[]);
    assert_eq!(code, 0, "{said}\n{}", scene.fixture.emulator.journal_text());
    assert!(!scene.has_old());
    assert_eq!(scene.named(OLD)[0].id, new);
    let (code, said) = scene.run(&["migrate", "status", "first.journal"]);
    assert!(code == 0 && said.contains(&format!("{ASIDE} in Project 0000, and {OLD} beside it")), "{said}");
}

#[test]
fn a_lost_answer_or_a_kill_at_a_renaming_ends_in_the_same_names() {
    const SAVE: &str = "/_apis/serviceendpoint/endpoints/";
    thread::scope(|scope| {
        for number in [1, 2] {
            scope.spawn(move || {
                let scene = Scene::new();
                assert_eq!(scene.plan_swap().0, 10);
                let fault = Fault::on(Service::DevOps, "PUT", SAVE).nth(number);
                scene.fixture.emulator.fault(fault.lose_answer());
                let (code, said) = scene.within("plan.json", &[]);
                assert_eq!(code, 0, "{number}: {said}\n{}", scene.fixture.emulator.journal_text());
                scene.is_swapped();
            });
            for hold in [Fault::gate, Fault::answer_gate] as [fn(Fault, &Gate) -> Fault; 2] {
                scope.spawn(move || {
                    let scene = Scene::new();
                    assert_eq!(scene.plan_swap().0, 10);
                    kill_at_save(&scene, hold, number);
                    let (code, said) = scene.within("plan.json", &["--resume"]);
                    assert_eq!(code, 0, "{number}: {said}\n{}", scene.fixture.emulator.journal_text());
                    scene.is_swapped();
                });
            }
        }
    });
}

#[test]
fn a_connection_of_another_issuer_than_azure_devops_is_renamed_without_losing_its_trust() {
    let scene = Scene::new();
    let healthy = scene.fixture.made.healthy[0];
    let before = {
        let directory = scene.fixture.emulator.directory();
        let place = directory.find(healthy).unwrap();
        (place.issuer(), place.subject(), place.connection.name.clone())
    };
    let (code, said) = scene.plan(&["--connection", &healthy.to_string(), "--swap-names"]);
    assert_eq!(code, 10, "{said}");
    assert!(!said.contains("not documented whether"), "{said}");
    let (code, said) = scene.within("plan.json", &[]);
    assert_eq!(code, 0, "{said}");
    let directory = scene.fixture.emulator.directory();
    let place = directory.find(healthy).unwrap();
    assert_eq!((place.issuer(), place.subject()), (before.0, before.1));
    assert_eq!(place.connection.name, format!("{}-before-wif", before.2));
}

/// Removes a connection, as another party does.
pub(crate) fn remove(scene: &Scene, id: Uuid) {
    let mut directory = scene.fixture.emulator.directory();
    for organization in &mut directory.organizations {
        for project in &mut organization.projects {
            project.connections.retain(|one| one.id != id);
        }
    }
}

/// Another party makes a connection of this name in the first project.
fn add_other(scene: &Scene, name: &str) {
    let mut directory = scene.fixture.emulator.directory();
    let mut other = directory.connection(scene.fixture.made.healthy[0]).clone();
    (other.id, other.name) = (Uuid::from_u128(99), name.to_owned());
    directory.add_connection(scene.fixture.made.projects[0], other);
}

#[test]
fn the_only_connection_of_the_name_keeps_it() {
    let scene = Scene::new().swapped();
    remove(&scene, scene.old);
    for arguments in [["--connection", OLD], ["--name", "sc-stored-*"]] {
        let (code, said) = scene.plan(&[&arguments[..], &["--swap-names"]].concat());
        assert!(code == 0 && said.contains("0 connections to change"), "{arguments:?}: {code} {said}");
    }
    assert_eq!(scene.named(OLD).len(), 1);
}

#[test]
fn half_swapped_names_are_swapped_to_the_end_by_a_new_plan() {
    let scene = Scene::new();
    assert_eq!(scene.plan_swap().0, 10);
    kill_at_save(&scene, Fault::gate, 2);
    assert_eq!((scene.named(OLD).len(), scene.named(ASIDE).len()), (0, 1));
    let (code, said) = scene.plan_swap();
    assert!(code == 10 && said.contains("~ rename the new connection"), "{code} {said}");
    assert!(!said.contains("rename the old connection"), "{said}");
    let (code, said) = scene.within("plan.json", &[]);
    assert_eq!(code, 0, "{said}");
    scene.is_swapped();
}

#[test]
fn a_check_that_a_person_has_to_make_comes_before_the_name() {
    let scene = Scene::new();
    let by_hand = json!({
        "type": { "id": "fe1de3ee-a436-41b4-bb20-f6eb4cb879a7", "name": "Task Check" },
        "settings": {
            "definitionRef": { "id": "9c3e8943-130d-4c78-ac63-8af81df62dfb", "name": "InvokeRESTAPI", "version": "1.220.0" },
            "displayName": "Invoke REST API", "inputs": { "headers": "{}" },
        },
    });
    scene.fixture.emulator.directory().connection(scene.old).record.checks.push(by_hand.clone());
    let refused = || {
        let (code, said) = scene.plan_swap();
        assert!(
            code == 2 && said.contains("lacks its check") && said.contains("second plan"),
            "{code} {said}"
        );
    };
    refused();
    assert_eq!((scene.plan_to("application").0, scene.within("plan.json", &[]).0), (10, 10));
    // It is looked for on the new connection, and not taken for made.
    refused();
    let new = scene.named(NEW)[0].id;
    scene.fixture.emulator.directory().connection(new).record.checks.push(by_hand);
    let (code, said) = scene.plan_swap();
    assert!(code == 10 && said.contains("~ rename the new connection"), "{code} {said}");
}

#[test]
fn a_name_that_is_taken_after_the_plan_is_not_given_a_second_time() {
    for name in [ASIDE, OLD] {
        let scene = Scene::new();
        let apps = apps_of(&scene);
        assert_eq!(scene.plan_swap().0, 10);
        if name == ASIDE {
            add_other(&scene, name);
        } else {
            // Between the two renamings.
            kill_at_save(&scene, Fault::gate, 2);
            add_other(&scene, name);
        }
        let resume: &[&str] = if name == ASIDE { &[] } else { &["--resume"] };
        let (code, said) = scene.within("plan.json", resume);
        assert!(code == 11 && said.contains(&format!("is called {name} by now")), "{name}: {code} {said}");
        assert_eq!(scene.named(name).len(), 1, "{name}: {said}");
        if name == ASIDE {
            is_taken_back(&scene, apps, &said);
        }
    }
}

#[test]
fn a_stored_secret_that_is_lost_by_the_renaming_is_told() {
    for (clears, told) in [(true, true), (false, false)] {
        let scene = Scene::under(|quirks| quirks.null_clears_secret = clears);
        assert_eq!(scene.plan_swap().0, 10);
        let (code, said) = scene.within("plan.json", &[]);
        assert_eq!(
            (code, said.contains("does not sign in any more since it was renamed")),
            (0, told),
            "{said}"
        );
        let (_, shown) = scene.run(&["journal", "show", "plan.json.journal"]);
        assert_eq!(shown.contains("has not kept its stored secret"), told, "{shown}");
        scene.is_swapped();
    }
}

#[test]
fn names_that_cannot_be_swapped_are_refused_with_what_can_be_done() {
    let scene = Scene::new();
    for (more, told) in [
        (["--name-suffix", "-before-wif"], "take another --name-suffix"),
        (["--managed-by", "terraform"], "change the names in the code"),
        (["--managed-by", "bicep"], "change the names in the code"),
    ] {
        let arguments = [&["--connection", OLD, "--swap-names"][..], &more].concat();
        let (code, said) = scene.plan(&arguments);
        assert!(code == 2 && said.contains(told), "{more:?}: {code} {said}");
    }
    let (code, said) = scene.plan_swap();
    assert!(code == 10 && said.contains("they get other names, which code would take back"), "{said}");
    // Another suffix than that of the first plan does not make a third one.
    let (code, said) = scene.plan(&["--connection", OLD, "--swap-names", "--name-suffix", "-new"]);
    assert_eq!(code, 10, "{said}");
    assert_eq!(scene.within("plan.json", &[]).0, 0);
    let (code, said) = scene.plan_swap();
    assert!(code == 0 && said.contains("migrated already: sc-stored-secret is there"), "{code} {said}");
    // One that a person has renamed is no half swap.
    let new = scene.named(OLD)[0].id;
    "sc-renamed".clone_into(&mut scene.fixture.emulator.directory().connection(new).name);
    let (code, said) = scene.plan(&["--connection", ASIDE, "--swap-names", "--name-suffix", "-new"]);
    assert!(code == 0 && said.contains("the new connection is called sc-renamed"), "{code} {said}");
    // A connection that only is called so is like any other.
    let healthy = scene.fixture.made.healthy[0];
    "sc-any-before-wif".clone_into(&mut scene.fixture.emulator.directory().connection(healthy).name);
    let (code, said) = scene.plan(&["--connection", "sc-any-before-wif", "--swap-names"]);
    assert!(code == 10 && said.contains("becomes sc-any-before-wif-before-wif"), "{code} {said}");
}

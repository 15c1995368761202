//! The move from the Azure DevOps issuer to that of Entra, against an emulated organization in which other calls do it in each
//! setting.

use emulator::{
    Service,
    directory::{Execution, Issuer, IssuerMove, Quirks},
    organization::Planted,
};
use time::Duration;

use crate::support::{
    NAME,
    old_issuer::{OLD, OldIssuer as _, make_old, now, planned, trusts},
    pages::blocks,
    scene::Scene,
};

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
                let (code, said) = scene.apply_within(&["--yes"]);
                let found = (code, &*scene.kinds(), scene.issuer() == Issuer::Entra);
                assert_eq!(found, expected, "{by:?} {trigger}: {said}");
                if expected == person {
                    assert!(said.contains("_settings/adminservices?resourceId="), "{said}");
                    let saves = scene.saves();
                    assert_eq!(scene.apply_within(&["--yes", "--resume"]).0, 10);
                    assert_eq!(scene.saves(), saves, "{by:?} {trigger}: it only looks");
                    scene.press_update();
                    scene.run_of_pipeline(scene.passed() + Duration::seconds(1), "succeeded");
                    let (code, said) = scene.apply_within(&["--yes", "--resume"]);
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
                let (code, said) = scene.apply_within(&["--yes"]);
                assert_eq!((code, &*scene.kinds()), (10, "new+old"), "setting {number}: {said}");
                scene.run_of_pipeline(scene.passed() + Duration::minutes(1), "succeeded");
                scene.run_of_pipeline(scene.passed() + Duration::minutes(2), "failed");
                let (code, said) = scene.apply_within(&["--yes", "--resume"]);
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
fn an_old_credential_stays_where_it_is_not_known_whether_code_manages_it() {
    let scene = Scene::new(&[OLD], 0);
    let path = scene.plan();
    let begin = ["issuer", "plan", "--org", crate::support::NAME, "--all-eligible", "--output"];
    let plan = || scene.code(&[&begin[..], &[path.to_str().unwrap()]].concat());
    let (code, said) = plan();
    assert!(code == 10 && said.contains("its old federated credential stays"), "{said}");
    assert_eq!((scene.apply(&["--yes"]).0, &*scene.kinds()), (0, "new+old"));
    std::fs::remove_file(scene.journal()).unwrap();
    let (code, said) = plan();
    assert!(code == 0 && said.contains("its old federated credential stays"), "{said}");
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
    assert!(said.contains("20 of 20 federated credentials") && said.contains("4 not changed"), "{said}");
    let (code, said) = scene.plan_of("issuer", &["--connection", "sc-stored-secret"]);
    assert!(code == 0 && said.contains("not federated"), "{said}");
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

//! `wif migrate status`, `wif migrate retire plan` and its `apply`: what runs on either connection, and the end of the old one.

use std::thread;

use emulator::{
    Fault, Gate, Service,
    directory::{FederatedCredential, RoleAssignment},
};
use serde_json::{Value, json};

use crate::support::{
    kills::kill_when,
    migration::{Scene, run_on},
    pages::{blocks, follow},
    published::assert_published,
};

#[test]
fn an_old_connection_is_retired_in_the_order_that_azure_devops_accepts_and_its_application_stays_in_the_bin()
{
    let scene = Scene::of_old_issuer().soaked();
    scene.fixture.emulator.directory().quirks.deletion_lag = 2;
    let (client, roles) = (scene.old().client, scene.roles(scene.old().client));
    let (code, said) = scene.plan_retirement(&["--managed-by", "none"]);
    assert_eq!(code, 10, "{said}");
    for told in [
        "? look once more",
        "- remove the federated credential",
        "- delete the connection in Project 0000",
        "way back: cannot be undone",
        "- remove the role Reader",
        "- delete the application",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    let writes = scene.writes();
    let (code, said) = scene.retire(&[]);
    assert_eq!(code, 0, "{said}\n{}", scene.fixture.emulator.journal_text());
    let journal = scene.fixture.emulator.journal();
    let deleted = |what: &str| {
        journal.iter().position(|one| one.method == "DELETE" && one.path.contains(what)).unwrap()
    };
    let order = [
        deleted("federatedIdentityCredentials"),
        deleted("/serviceendpoint/endpoints/"),
        deleted("/roleAssignments/"),
        deleted("/v1.0/applications/"),
    ];
    assert!(order.is_sorted() && scene.writes() >= writes + order.len(), "{order:?}");
    assert!(!scene.has_old() && scene.app(client).record.deleted);
    assert!(scene.roles(client).is_empty() && scene.roles(scene.new_one_after().client).len() == roles.len());
    let (code, said) = scene.status(&[]);
    assert!(code == 0 && said.contains("1 retired"), "{code} {said}");
    let (code, said) = scene.plan_retirement(&["--managed-by", "none"]);
    assert!(code == 0 && said.contains("it is gone already"), "{code} {said}");
}

#[test]
fn the_commands_of_the_page_put_a_connection_beside_the_old_one_and_end_that_one_in_their_order() {
    let page = include_str!("../../../docs/side-by-side.md");
    let scene = Scene::new();
    let old = scene.old().name;
    let mut ended = Vec::new();
    for (number, block) in blocks(page).enumerate() {
        if number > 0 {
            run_on(&scene, scene.new_one().id, 2, 1, "succeeded");
        }
        let block = block.replace("sc-shop", &old);
        follow(&block, |arguments| scene.command(arguments), |code| ended.push((code, scene.has_old())));
    }
    let expected = [(10, true), (0, true), (10, true), (0, true), (10, true), (0, false), (0, false)];
    assert_eq!(ended, expected);
    assert_eq!(scene.named(&format!("{old}-wif")).len(), 1);
}

#[test]
fn what_was_retired_gets_its_application_and_roles_back_by_a_rollback_and_the_new_one_is_not_taken() {
    let scene = Scene::new().soaked();
    let (client, roles) = (scene.old().client, scene.roles(scene.old().client));
    assert_eq!(scene.plan_retirement(&["--managed-by", "none"]).0, 10);
    let (code, said) = scene.retire(&[]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = scene.run(&["rollback", "end.json.journal", "--output", "back.json"]);
    assert_eq!(code, 10, "{said}");
    let (code, said) = scene.run(&["apply", "back.json", "--yes"]);
    assert_eq!(code, 0, "{said}\n{}", scene.fixture.emulator.journal_text());
    assert!(!scene.app(client).record.deleted);
    let terms = |roles: &[RoleAssignment]| {
        roles.iter().map(|one| (one.id, one.scope.clone(), one.condition.clone())).collect::<Vec<_>>()
    };
    assert_eq!(terms(&scene.roles(client)), terms(&roles));
    // Without the old one, the new one is all that there is.
    let (code, said) = scene.run(&["rollback", "plan.json.journal", "--output", "all.json"]);
    assert!(code == 0 && said.contains("the old connection is gone"), "{code} {said}");
}

#[test]
fn what_may_be_codes_is_not_deleted() {
    let scene = Scene::new().soaked();
    for (more, told) in [
        (&[][..], "it is not known whether code manages it"),
        (&["--managed-by", "terraform"][..], "code manages it"),
        (&["--managed-by", "bicep"][..], "code manages it"),
    ] {
        let (code, said) = scene.plan_retirement(more);
        assert!(code == 0 && said.contains(told) && said.contains("the order is"), "{code} {said}");
    }
    assert!(scene.has_old());
}

#[test]
fn the_soak_tells_what_runs_where_and_what_is_in_the_way() {
    let scene = Scene::new();
    scene.migrate("application");
    let json = || {
        let (code, said) = scene.status(&["--format", "json"]);
        let begin = said.find('{').unwrap();
        let end = said.rfind('}').unwrap();
        (code, serde_json::from_str::<Value>(said.get(begin..=end).unwrap()).unwrap())
    };
    // Nothing has run on either: that says nothing.
    let (code, said) = scene.status(&[]);
    assert!(code == 10 && said.contains("no run on the new connection has succeeded yet"), "{code} {said}");
    assert!(said.contains("still on the old one, by their newest runs: pipeline-1"), "{said}");
    let (old, new) = (scene.old, scene.new_one().id);
    run_on(&scene, new, 1, 1, "failed");
    run_on(&scene, new, 1, 2, "succeeded");
    run_on(&scene, old, 3, 3, "succeeded");
    let (code, status) = json();
    assert_eq!((code, &status["schema"]), (10, &json!("wif.soak/1")));
    assert_published(&status, "soak");
    let one = &status["migrations"][0];
    assert_eq!((&one["old"]["id"], &one["new"]["id"]), (&json!(old), &json!(new)));
    assert_eq!((&one["onNew"]["runs"], &one["onNew"]["failed"]), (&json!(2), &json!(1)));
    assert_eq!((&one["onOld"]["runs"], &one["onOld"]["pipelines"]), (&json!(1), &json!(["pipeline-3"])));
    assert_eq!((&one["state"], &one["proven"]), (&json!("notReady"), &json!(true)));
    assert_eq!(one["stillOnOld"], json!(["pipeline-3"]));
    let (code, said) = scene.plan_retirement(&["--managed-by", "none"]);
    assert!(
        code == 0 && said.contains("pipelines have run on the old connection since: pipeline-3"),
        "{said}"
    );
    // The pipeline has moved, too: its run on the old one blocks no longer, and another one stops the retirement.
    run_on(&scene, new, 3, 4, "succeeded");
    let (code, status) = json();
    assert_eq!((code, &status["migrations"][0]["state"]), (0, &json!("ready")));
    assert!(scene.status(&[]).1.contains("wif migrate retire plan plan.json.journal"));
    assert_eq!(scene.plan_retirement(&["--managed-by", "none"]).0, 10);
    run_on(&scene, old, 2, 5, "succeeded");
    let (code, said) = scene.retire(&[]);
    assert!(code == 11 && said.contains("pipeline-2") && scene.has_old(), "{code} {said}");
    scene.fixture.emulator.directory().connection(old).record.history.remove(0);
    std::fs::remove_file(scene.folder.path().join("end.json.journal")).unwrap();
    let (code, said) = scene.retire(&[]);
    assert!(code == 0 && !scene.has_old(), "{code} {said}");
}

#[test]
fn what_could_not_be_read_is_not_ready() {
    let scene = Scene::new().soaked();
    let fault = || Fault::on(Service::DevOps, "GET", "/executionhistory").always().status(403);
    scene.fixture.emulator.fault(fault());
    let (code, said) = scene.status(&[]);
    assert!(code == 12 && said.contains("not read: the runs on the old connection"), "{code} {said}");
    let (code, said) = scene.plan_retirement(&["--managed-by", "none"]);
    assert!(code == 12 && !said.contains("- delete"), "{code} {said}");
}

#[test]
fn a_migration_that_is_not_done_retires_nothing() {
    let scene = Scene::under(|quirks| quirks.trust_lag = 1000);
    assert_eq!(scene.plan_to("application").0, 10);
    assert_eq!(scene.apply(&["--prove-within", "1s"]).0, 11);
    let (code, said) = scene.status(&[]);
    assert!(code == 10 && said.contains("the migration is not done"), "{code} {said}");
    let (code, said) = scene.plan_retirement(&["--managed-by", "none"]);
    assert!(code == 0 && said.contains("the migration is not done"), "{code} {said}");
    assert!(scene.has_old());
}

#[test]
fn a_run_on_the_old_one_after_the_plan_stops_the_retirement_before_anything_is_deleted() {
    let scene = Scene::of_old_issuer().soaked();
    assert_eq!(scene.plan_retirement(&["--managed-by", "none"]).0, 10);
    run_on(&scene, scene.old, 3, 5, "succeeded");
    let writes = scene.writes();
    let (code, said) = scene.retire(&[]);
    assert!(code == 11 && said.contains("pipeline-3"), "{code} {said}");
    assert_eq!(scene.writes(), writes);
    assert!(scene.has_old());
}

#[test]
fn a_connection_that_cannot_be_deleted_keeps_its_trust() {
    let scene = Scene::of_old_issuer().soaked();
    assert_eq!(scene.plan_retirement(&["--managed-by", "none"]).0, 10);
    let before = scene.app(scene.old().client).federated_credentials;
    let fault = Fault::on(Service::DevOps, "DELETE", "/serviceendpoint/endpoints").always().status(403);
    scene.fixture.emulator.fault(fault);
    let (code, said) = scene.retire(&[]);
    assert!(code == 11 && said.contains("as it was before"), "{code} {said}");
    assert_eq!(scene.app(scene.old().client).federated_credentials, before);
}

#[test]
fn an_identity_that_serves_other_connections_keeps_its_roles_and_its_application() {
    let scene = Scene::of_old_issuer();
    let client = scene.old().client;
    scene.fixture.emulator.directory().connection(scene.fixture.made.healthy[0]).client = client;
    let scene = scene.soaked();
    let (code, said) = scene.plan_retirement(&["--managed-by", "none"]);
    assert!(code == 10 && said.contains("! the identity of the old connection keeps its roles"), "{said}");
    assert!(said.contains("sc-app-00000") && !said.contains("- remove the role"), "{said}");
    let (code, said) = scene.retire(&[]);
    assert_eq!(code, 10, "{said}");
    assert!(!scene.has_old() && !scene.app(client).record.deleted);
    assert_eq!(scene.roles(client).len(), 1);
}

#[test]
fn a_retirement_that_was_killed_goes_on_with_resume() {
    thread::scope(|scope| {
        for (hold, service, path) in [
            (Fault::gate as fn(Fault, &Gate) -> Fault, Service::DevOps, "/serviceendpoint/endpoints"),
            (Fault::answer_gate, Service::DevOps, "/serviceendpoint/endpoints"),
            (Fault::answer_gate, Service::Arm, "/roleAssignments/"),
            (Fault::gate, Service::Graph, "/v1.0/applications/"),
        ] {
            scope.spawn(move || {
                let scene = Scene::of_old_issuer().soaked();
                let client = scene.old().client;
                assert_eq!(scene.plan_retirement(&["--managed-by", "none"]).0, 10);
                let mut command = scene.command(&["apply", "end.json", "--yes"]);
                let fault = Fault::on(service, "DELETE", path);
                kill_when(&scene.fixture.emulator, hold, fault, &mut command);
                let (code, said) = scene.within("end.json", &["--resume"]);
                assert_eq!(code, 0, "{path}: {said}\n{}", scene.fixture.emulator.journal_text());
                assert!(!scene.has_old() && scene.app(client).record.deleted, "{path}");
                assert!(scene.roles(client).is_empty(), "{path}");
            });
        }
    });
}

#[test]
fn an_application_that_others_have_begun_to_use_after_the_plan_is_not_ended() {
    let scene = Scene::of_old_issuer().soaked();
    let client = scene.old().client;
    assert_eq!(scene.plan_retirement(&["--managed-by", "none"]).0, 10);
    scene.fixture.emulator.directory().app(client).federated_credentials.push(FederatedCredential {
        name: "github".to_owned(),
        issuer: "https://token.actions.githubusercontent.com".to_owned(),
        subject: "repo:contoso/shop:ref:refs/heads/main".to_owned(),
        audience: "api://AzureADTokenExchange".to_owned(),
    });
    let writes = scene.writes();
    let (code, said) = scene.retire(&[]);
    assert!(code == 13 && said.contains("github"), "{code} {said}");
    assert_eq!(scene.writes(), writes);
    assert!(scene.has_old() && !scene.app(client).record.deleted);
}

#[test]
fn a_retirement_that_was_killed_looks_once_more_before_it_deletes_what_cannot_be_had_back() {
    let scene = Scene::of_old_issuer().soaked();
    let client = scene.old().client;
    let trust = scene.app(client).federated_credentials;
    assert_eq!(scene.plan_retirement(&["--managed-by", "none"]).0, 10);
    let mut command = scene.command(&["apply", "end.json", "--yes"]);
    let fault = Fault::on(Service::Graph, "DELETE", "/federatedIdentityCredentials/");
    kill_when(&scene.fixture.emulator, Fault::answer_gate, fault, &mut command);
    assert_ne!(scene.app(client).federated_credentials, trust);
    run_on(&scene, scene.old, 3, 5, "succeeded");
    let (code, said) = scene.within("end.json", &["--resume"]);
    assert!(code == 11 && said.contains("pipeline-3"), "{code} {said}");
    assert!(scene.has_old() && !scene.app(client).record.deleted);
    assert_eq!(scene.app(client).federated_credentials, trust);
}

#[test]
fn a_retirement_that_is_resumed_says_in_its_journal_why_it_was_taken_back() {
    let scene = Scene::of_old_issuer().soaked();
    let client = scene.old().client;
    assert_eq!(scene.plan_retirement(&["--managed-by", "none"]).0, 10);
    let mut command = scene.command(&["apply", "end.json", "--yes"]);
    let fault = Fault::on(Service::Graph, "DELETE", "/federatedIdentityCredentials/");
    kill_when(&scene.fixture.emulator, Fault::answer_gate, fault, &mut command);
    scene.fixture.emulator.directory().app(client).federated_credentials.push(FederatedCredential {
        name: "git\u{1b}[2Jhub".to_owned(),
        issuer: "https://token.actions.githubusercontent.com".to_owned(),
        subject: "repo:contoso/shop:ref:refs/heads/main".to_owned(),
        audience: "api://AzureADTokenExchange".to_owned(),
    });
    let (code, said) = scene.within("end.json", &["--resume"]);
    assert!(code == 11 && said.contains("others may use it") && !said.contains('\u{1b}'), "{code} {said}");
    assert!(scene.has_old() && !scene.app(client).record.deleted);
    assert_eq!(scene.app(client).federated_credentials.len(), 2);
    let output = scene.command(&["journal", "show", "end.json.journal"]).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("others may use it"), "{shown}");
}

#[test]
fn the_journal_of_something_else_is_refused() {
    let scene = Scene::new();
    scene.migrate("application");
    assert_eq!(scene.run(&["rollback", "plan.json.journal", "--output", "back.json"]).0, 10);
    assert_eq!(scene.run(&["apply", "back.json", "--yes"]).0, 0);
    for command in [&["migrate", "status"][..], &["migrate", "retire", "plan"][..]] {
        let (code, said) = scene.run(&[command, &["back.json.journal"]].concat());
        assert!(code == 2 && said.contains("is not the journal of a migration"), "{code} {said}");
        assert_eq!(scene.run(&[command, &["absent.journal"]].concat()).0, 2);
    }
}

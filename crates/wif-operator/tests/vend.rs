//! `wif connection plan` and its `apply`: identities, connections, roles and checks made once, brought back, and put back,
//! against an emulated organization that really does what is asked for.

use std::{fs, panic, thread, time::Duration};

use emulator::{
    Fault, Gate, Service,
    directory::{FederatedCredential, Kind, Quirks},
};
use serde_json::json;
use uuid::Uuid;
use wif_io::clock::Clock as _;

use crate::support::kills::{Moment, kill_at, moments};
use crate::support::pages::{blocks, follow};
use crate::support::request::Scene;
use crate::support::{Fixture, NAME};

#[test]
fn a_name_with_every_odd_character_is_found_again() {
    let scene = Scene::new();
    let mut request = scene.request("application");
    request["connection"] = json!("prod, west & \u{e4} (100%) #1 'a'");
    scene.write(&request);
    assert_eq!(scene.plan(&[]).0, 10);
    let (code, said) = scene.apply(&[]);
    assert_eq!(code, 0, "{said}");
    let named = || {
        let directory = scene.fixture.emulator.directory();
        directory.connections().filter(|one| one.name.starts_with("prod, west")).count()
    };
    assert_eq!(named(), 1);
    let (code, said) = scene.plan(&[]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn a_request_makes_each_kind_of_identity_and_a_second_run_changes_nothing() {
    for kind in ["application", "managedIdentity", "existing"] {
        let scene = Scene::new();
        let request = scene.request(kind);
        scene.vend(&request);
        let vended = scene.vended();
        assert_eq!(vended.len(), 1, "{kind}");
        let record = &vended[0].record;
        assert_eq!(record.shared_with.len(), 1, "{kind}");
        assert_eq!((record.pipelines.clone(), record.open_to_all), (vec![2], false), "{kind}");
        assert_eq!(record.checks.len(), 2, "{kind}");
        let journal = scene.fixture.emulator.journal();
        let last = |what: &str, method: &str| {
            journal.iter().rposition(|one| one.method == method && one.path.contains(what)).unwrap()
        };
        let guarded = last("/checks/configurations", "POST");
        assert!(guarded < last("/pipelinePermissions/", "PATCH"), "{kind}");
        for part in ["platform-team@contoso.com", "CHG-1042", "made by wif: "] {
            assert!(record.description.contains(part), "{kind}: {}", record.description);
        }
        {
            let mut directory = scene.fixture.emulator.directory();
            let app = directory.app(vended[0].client).clone();
            let issuer = format!("https://login.microsoftonline.com/{}/v2.0", Fixture::tenant());
            let is_own = |one: &&FederatedCredential| {
                one.issuer == issuer && one.subject.ends_with(&vended[0].id.to_string())
            };
            assert_eq!(app.federated_credentials.iter().filter(is_own).count(), 1, "{kind}");
            let roles = directory.role_assignments.iter().filter(|one| one.principal == app.object_id);
            assert_eq!(roles.count(), 1, "{kind}");
            match kind {
                "application" => {
                    assert_eq!(app.record.unique_name.as_deref(), Some("wif-platform-prod"));
                    assert!(!app.multi_tenant);
                }
                "managedIdentity" => {
                    assert_eq!(
                        (app.kind, app.name()),
                        (Kind::ManagedIdentity, "id-platform-prod".to_owned())
                    );
                }
                _ => {}
            }
        }
        scene.is_settled();
    }
}

#[test]
fn the_request_and_the_commands_of_the_page_make_what_it_asks_for() {
    let page = include_str!("../../../docs/vend.md");
    let scene = Scene::new();
    let (_, request) = page.split_once("```yaml\n").unwrap();
    let mut request = request.split("```").next().unwrap().to_owned();
    let subscription = scene.fixture.made.subscription.to_string();
    // What the emulated organization has in the place of what the page names.
    for (there, here) in [
        ("Platform, Shop", "Project 0000, Project 0001"),
        ("[Platform]", "[Project 0000]"),
        ("[Release]", "[pipeline-2]"),
        ("rg-identities", "rg-app"),
        ("rg-platform", "rg-app"),
        ("11111111-2222-3333-4444-555555555555", &subscription),
        ("role: Contributor", "role: Reader"),
    ] {
        assert!(request.contains(there), "{there}: {request}");
        request = request.replace(there, here);
    }
    fs::write(scene.folder.path().join("sc.yaml"), request).unwrap();
    let mut ended = Vec::new();
    for block in blocks(page) {
        follow(block, |arguments| scene.command(arguments), |code| ended.push((code, scene.vended().len())));
    }
    assert_eq!(ended, [(10, 0), (10, 0), (0, 1), (0, 1)]);
}

#[test]
fn a_request_is_followed_under_every_setting_of_what_is_not_documented() {
    type Change = fn(&mut Quirks);
    let changes: [Change; 9] = [
        |quirks| quirks.creation_lag = 3,
        |quirks| quirks.application_lag = 3,
        |quirks| quirks.principal_lag = 3,
        |quirks| quirks.credential_lag = 2,
        |quirks| quirks.trust_lag = 2,
        |quirks| quirks.connection_names_are_unique = true,
        |quirks| (quirks.other_case, quirks.empty_values, quirks.only_version_7_1) = (true, true, true),
        |quirks| (quirks.arm_page, quirks.pipelines_per_page) = (Some(1), 1),
        |quirks| quirks.byte_order_mark = true,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let scene = Scene::under(change);
        scene.write(&scene.request(if number % 2 == 0 { "application" } else { "managedIdentity" }));
        assert_eq!(scene.plan(&[]).0, 10, "setting {number}");
        let (code, said) = scene.apply_within(&[]);
        assert_eq!((code, scene.vended().len()), (0, 1), "setting {number}: {said}");
        scene.is_settled();
    }
}

#[test]
fn what_drifted_is_brought_back() {
    type Drift = fn(&Scene);
    let drifts: [(&str, Drift); 9] = [
        ("credential", |scene| {
            let client = scene.vended()[0].client;
            scene.fixture.emulator.directory().app(client).federated_credentials.clear();
        }),
        ("access", |scene| {
            let client = scene.vended()[0].client;
            let mut directory = scene.fixture.emulator.directory();
            let principal = directory.app(client).object_id;
            directory.role_assignments.retain(|one| one.principal != principal);
        }),
        ("scope", |scene| {
            let scope = format!("/subscriptions/{}/resourceGroups/other", scene.fixture.made.subscription);
            scene.change(|one| drop(one.parameters.insert("scope".to_owned(), scope)));
        }),
        ("owner", |scene| {
            scene.change(|one| {
                one.record.description = one.record.description.replace("Owner: ", "Owned by ");
            });
        }),
        ("projects", |scene| scene.change(|one| one.record.shared_with.clear())),
        ("pipelines", |scene| scene.change(|one| one.record.pipelines = vec![1])),
        ("pipelines: requested", |scene| scene.change(|one| one.record.open_to_all = true)),
        ("checks.branches", |scene| {
            scene.change(|one| one.record.checks.retain(|check| check["type"]["name"] == "Approval"));
        }),
        ("checks.approvers", |scene| {
            scene.change(|one| one.record.checks.retain(|check| check["type"]["name"] != "Approval"));
        }),
    ];
    for (field, drift) in drifts {
        let scene = Scene::new();
        scene.vend(&scene.request("application"));
        drift(&scene);
        let (code, said) = scene.run(&["connection", "drift", "--org", NAME, "sc.yaml"]);
        assert!(code == 10 && said.contains(&format!("~ {field}")), "{field}: {said}");
        let (code, said) = scene.plan(&[]);
        assert_eq!(code, 10, "{field}: {said}");
        let (code, said) = scene.apply(&[]);
        assert_eq!(code, 0, "{field}: {said}");
        assert_eq!(scene.vended().len(), 1, "{field}");
        scene.is_settled();
    }
}

/// Adds a role and a federated credential to an identity.
fn add_beyond(scene: &Scene) {
    let client = scene.vended()[0].client;
    let mut directory = scene.fixture.emulator.directory();
    let app = directory.app(client);
    app.federated_credentials.push(FederatedCredential {
        name: "github".to_owned(),
        issuer: "https://token.actions.githubusercontent.com".to_owned(),
        subject: "repo:contoso/shop:ref:refs/heads/main".to_owned(),
        audience: "api://AzureADTokenExchange".to_owned(),
    });
    let principal = app.object_id;
    let known = directory.role_assignments.iter().find(|one| one.principal == principal);
    let mut more = known.unwrap().clone();
    more.id = Uuid::from_u128(4711);
    more.scope = format!("/subscriptions/{}/resourceGroups/rg-network", scene.fixture.made.subscription);
    directory.role_assignments.push(more);
}

#[test]
fn what_is_there_beyond_a_request_goes_from_its_own_identity_and_is_told_elsewhere() {
    let scene = Scene::new();
    scene.vend(&scene.request("application"));
    add_beyond(&scene);
    // What code may manage is not deleted.
    let (code, said) = scene.plan_in_doubt();
    assert!(code == 10 && said.contains("not known whether code manages it"), "{said}");
    assert!(!said.contains(" - ") && !said.contains("TestConnection"), "{said}");
    let writes = scene.writes();
    let (code, said) = scene.apply(&[]);
    assert_eq!((code, scene.writes()), (10, writes), "{said}");
    let (code, said) = scene.plan(&[]);
    assert!(code == 10 && said.contains("- remove the role Reader"), "{said}");
    let (code, said) = scene.apply(&[]);
    assert_eq!(code, 0, "{said}");
    scene.is_settled();

    let scene = Scene::new();
    scene.vend(&scene.request("existing"));
    add_beyond(&scene);
    let (code, said) = scene.plan(&[]);
    assert!(
        code == 10
            && said.contains("! the role Reader")
            && said.contains("! the federated credential github"),
        "{said}"
    );
    let writes = scene.writes();
    let (code, said) = scene.apply(&[]);
    assert_eq!(code, 10, "{said}");
    assert_eq!(scene.writes(), writes);
}

#[test]
fn a_lost_answer_makes_no_second_connection() {
    for (service, method, path) in [
        (Service::DevOps, "POST", "/_apis/serviceendpoint/endpoints"),
        (Service::Graph, "PATCH", "/applications(uniqueName"),
        (Service::Graph, "POST", "/servicePrincipals"),
        (Service::Graph, "PATCH", "/federatedIdentityCredentials"),
        (Service::Arm, "PUT", "/roleAssignments/"),
        (Service::DevOps, "PATCH", "/pipelinePermissions/"),
        (Service::DevOps, "POST", "/checks/configurations"),
    ] {
        let scene = Scene::new();
        scene.write(&scene.request("application"));
        assert_eq!(scene.plan(&[]).0, 10);
        scene.fixture.emulator.fault(Fault::on(service, method, path).lose_answer());
        let (code, said) = scene.apply(&[]);
        assert_eq!(code, 0, "{method} {path}: {said}\n{}", scene.fixture.emulator.journal_text());
        let vended = scene.vended();
        assert_eq!((vended.len(), vended[0].record.checks.len()), (1, 2), "{method} {path}");
        scene.is_settled();
    }
}

#[test]
fn what_ends_unproven_is_put_back_and_nothing_stays() {
    for kind in ["application", "managedIdentity"] {
        let scene = Scene::under(|quirks| quirks.trust_lag = 1000);
        let before = scene.fixture.emulator.directory().role_assignments.len();
        scene.write(&scene.request(kind));
        assert_eq!(scene.plan(&[]).0, 10);
        let (code, said) = scene.apply(&["--prove-within", "1s"]);
        assert_eq!(code, 11, "{said}");
        assert!(said.contains("WIF7008") && said.contains("as it was before"), "{said}");
        assert_eq!(scene.vended().len(), 0, "{kind}");
        let directory = scene.fixture.emulator.directory();
        assert_eq!(directory.role_assignments.len(), before, "{kind}");
        let apps = directory.tenants.iter().flat_map(|tenant| &tenant.apps);
        let mut left =
            apps.filter(|app| ["platform-prod", "id-platform-prod"].contains(&app.name().as_str()));
        assert!(left.all(|app| app.record.deleted), "{kind}");
    }
}

#[test]
fn an_identity_that_another_connection_uses_too_keeps_what_that_one_may_need() {
    let scene = Scene::new();
    scene.vend(&scene.request("application"));
    add_beyond(&scene);
    {
        let client = scene.vended()[0].client;
        let mut directory = scene.fixture.emulator.directory();
        let credentials = &mut directory.app(client).federated_credentials;
        let own = credentials.iter().find(|one| one.subject.contains("/sc/")).unwrap().clone();
        let (begin, _) = own.subject.rsplit_once('/').unwrap();
        let subject = format!("{begin}/{}", Uuid::from_u128(12));
        credentials.push(FederatedCredential { name: "of-another".to_owned(), subject, ..own });
    }
    let (code, said) = scene.plan(&[]);
    assert_eq!(code, 10, "{said}");
    for told in [
        "! the role Reader",
        "! the federated credential of-another",
        "- remove the federated credential github",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    let (code, said) = scene.apply(&[]);
    assert_eq!(code, 10, "{said}");
}

/// An apply that is killed at a request, and resumed.
fn killed_at(hold: fn(Fault, &Gate) -> Fault, (service, number): Moment) {
    let scene = Scene::new();
    scene.write(&scene.request("application"));
    assert_eq!(scene.plan(&[]).0, 10);
    kill_at(
        &scene.fixture.emulator,
        hold,
        (service, number),
        &mut scene.command(&["apply", "plan.json", "--yes"]),
    );
    let (code, said) = scene.apply_within(&["--resume"]);
    let moment = format!("{service:?} {number}: {said}\n{}", scene.fixture.emulator.journal_text());
    assert_eq!(code, 0, "{moment}");
    let vended = scene.vended();
    assert_eq!((vended.len(), vended[0].record.checks.len()), (1, 2), "{moment}");
    scene.is_settled();
}

/// Kills `wif apply` at its requests, goes on with `--resume`, and judges by what the services have.
fn killed_at_requests(hold: fn(Fault, &Gate) -> Fault, every: usize) {
    let undisturbed = Scene::new();
    undisturbed.write(&undisturbed.request("application"));
    assert_eq!(undisturbed.plan(&[]).0, 10);
    let apply = || {
        let (code, said) = undisturbed.apply(&[]);
        assert_eq!(code, 0, "{said}");
    };
    let moments = moments(&undisturbed.fixture, apply);
    assert!(moments.len() > 30, "only {} moments", moments.len());
    for moment in moments.into_iter().step_by(every) {
        killed_at(hold, moment);
    }
}

#[test]
fn an_apply_that_was_killed_before_the_service_acted_makes_no_second_one() {
    killed_at_requests(Fault::gate, 3);
}

#[test]
fn an_apply_that_was_killed_after_the_service_acted_makes_no_second_one() {
    killed_at_requests(Fault::answer_gate, 3);
}

#[test]
fn what_another_person_has_to_do_is_printed_for_each_side() {
    for kind in ["application", "managedIdentity"] {
        let scene = Scene::new();
        scene.write(&scene.request(kind));
        assert_eq!(scene.plan(&[]).0, 10);
        let hand_off = |side: &str| scene.run(&["hand-off", "plan.json", "--to", side]).1;
        let devops = hand_off("devops");
        assert!(devops.contains("az rest --method post") && devops.contains("made by wif: "), "{devops}");
        let (entra, azure) = (hand_off("entra"), hand_off("azure"));
        assert!(azure.contains("az role assignment create") && azure.contains("# open"), "{azure}");
        if kind == "application" {
            assert!(
                entra.contains("create-if-missing") && entra.contains("federated-credential create"),
                "{entra}"
            );
        } else {
            assert!(
                azure.contains("az identity create") && azure.contains("--location 'westeurope'"),
                "{azure}"
            );
            assert!(azure.contains("az identity federated-credential create"), "{azure}");
        }
    }
}

#[test]
fn what_was_made_for_a_request_can_be_rolled_back() {
    for kind in ["application", "managedIdentity"] {
        let scene = Scene::new();
        let before = scene.fixture.emulator.directory().role_assignments.len();
        scene.vend(&scene.request(kind));
        let (code, said) = scene.run(&["rollback", "plan.json.journal", "--output", "back.json"]);
        assert!(code == 10 && said.contains("- take back: make the connection"), "{said}");
        let (code, said) = scene.run(&["apply", "back.json", "--yes"]);
        assert_eq!(code, 0, "{said}");
        assert_eq!(scene.vended().len(), 0);
        let directory = scene.fixture.emulator.directory();
        assert_eq!(directory.role_assignments.len(), before);
        let apps = directory.tenants.iter().flat_map(|tenant| &tenant.apps);
        let mut left =
            apps.filter(|app| ["platform-prod", "id-platform-prod"].contains(&app.name().as_str()));
        assert!(left.all(|app| app.record.deleted), "{kind}");
    }
}

/// Half a minute passes on the clock of the command before anything new is known everywhere.
#[test]
fn half_a_minute_of_replication_is_waited_for() {
    let scene = Scene::under(|quirks| {
        (quirks.application_lag, quirks.principal_lag, quirks.creation_lag) = (7, 7, 7);
        (quirks.credential_lag, quirks.trust_lag) = (7, 7);
    });
    scene.write(&scene.request("application"));
    assert_eq!(scene.plan(&[]).0, 10);
    let (code, said) = scene.apply_within(&[]);
    assert_eq!(code, 0, "{said}");
    let clock = &scene.fixture.clock;
    assert!(clock.elapsed() > Duration::from_secs(30), "{:?}", clock.elapsed());
    assert_eq!(scene.vended().len(), 1);
    scene.is_settled();
}

#[test]
fn whole_scopes_are_followed_where_they_are_allowed() {
    let scene = Scene::new();
    let subscription = scene.fixture.made.subscription;
    for (scope, role) in [
        (json!({ "subscription": subscription }), format!("/subscriptions/{subscription}")),
        (json!({ "managementGroup": "root" }), scene.group()),
    ] {
        let scene = Scene::new();
        let mut request = scene.request("application");
        request["scope"] = scope;
        request["access"] = json!([{ "role": "Reader", "scope": role }]);
        scene.write(&request);
        let (code, said) = scene.plan(&["--allow-privileged"]);
        assert_eq!(code, 10, "{said}");
        let (code, said) = scene.apply(&[]);
        assert_eq!(code, 0, "{said}");
        let (code, said) = scene.plan(&["--allow-privileged"]);
        assert_eq!(code, 0, "{said}");
    }
}

#[test]
fn several_requests_are_one_plan_and_a_refused_side_is_handed_off() {
    let scene = Scene::new();
    let (one, mut other) = (scene.request("application"), scene.request("managedIdentity"));
    other["connection"] = json!("sc-other");
    scene.write(&one);
    fs::write(scene.folder.path().join("other.yaml"), other.to_string()).unwrap();
    let (code, said) = scene.plan(&["other.yaml"]);
    assert!(code == 10 && said.contains("2 connections to change"), "{said}");
    let (code, said) = scene.apply(&[]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = scene.plan(&["other.yaml"]);
    assert_eq!(code, 0, "{said}");

    let scene = Scene::new();
    scene.write(&one);
    for app in &mut scene.fixture.emulator.directory().tenant(Fixture::tenant()).apps {
        app.writes_applications = false;
    }
    let (code, said) = scene.plan(&[]);
    assert!(code == 10 && said.contains("wif hand-off PLAN --to entra"), "{said}");
    let (code, said) = scene.apply(&[]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("wif hand-off plan.json --to entra"), "{said}");
    assert!(scene.vended().is_empty());
}

#[test]
fn requests_for_several_identities_are_looked_at_at_once_and_those_for_one_in_their_order() {
    let scene = Scene::new();
    let names = ["sc-b", "sc-a", "sc-c"];
    for (number, name) in names.iter().enumerate() {
        let mut request = scene.request("application");
        request["connection"] = json!(name);
        // The last is for the identity of the first, which that one makes.
        request["identity"]["name"] = json!(format!("app-{}", number % 2));
        fs::write(scene.folder.path().join(format!("{number}.yaml")), request.to_string()).unwrap();
    }
    let gate = Gate::new();
    scene.fixture.emulator.fault(Fault::on(Service::Graph, "GET", "uniqueName").gate(&gate).always());
    let begin = ["connection", "plan", "--org", NAME, "--jobs", "2", "--output", "plan.json"];
    let (reached, (code, said)) = thread::scope(|scope| {
        let plan = scope.spawn(|| scene.run(&[&begin[..], &["0.yaml", "1.yaml", "2.yaml"]].concat()));
        // One after the other, the second would never come.
        let reached = panic::catch_unwind(|| gate.wait_until_reached(2));
        gate.open();
        (reached, plan.join().unwrap())
    });
    assert!(reached.is_ok(), "one request was looked at after the other");
    assert_eq!(code, 10, "{said}");
    let at = |name: &str| said.find(&format!("\n{name} in Project 0000")).unwrap_or_else(|| panic!("{said}"));
    assert!(at("sc-b") < at("sc-a"), "the plan has another order than the requests: {said}");
    assert!(
        said.contains("its identity is made by the request before it, for the connection sc-b"),
        "{said}"
    );
}

//! `wif migrate plan` and its `apply`: connections put beside old ones and proven, against an emulated organization that really does
//! what is asked for.

use std::thread;

use emulator::{
    Fault, Gate, Service,
    directory::{Kind, Quirks, RoleAssignment},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    kills::kill_when,
    migration::{Before, NEW, Scene},
};

#[test]
fn a_migration_makes_what_the_old_one_has_beside_it_and_leaves_the_old_one_alone() {
    for kind in ["application", "managedIdentity"] {
        let scene = Scene::new();
        let before = Before::of(&scene);
        let (code, said) = scene.plan_to(kind);
        assert_eq!(code, 10, "{said}");
        assert_eq!(scene.writes(), 0);
        for told in ["+ make the connection sc-stored-secret-wif", "on the condition", "? prove that the new"]
        {
            assert!(said.contains(told), "{kind} {told}: {said}");
        }
        assert!(said.contains("the pipeline 999 of Project 0000 does not exist any more"), "{said}");
        let (code, said) = scene.apply(&[]);
        assert_eq!(code, 0, "{kind}: {said}\n{}", scene.fixture.emulator.journal_text());
        let made = scene.named(NEW);
        assert_eq!(made.len(), 1, "{kind}");
        let new = &made[0];
        assert_eq!(new.scheme, "WorkloadIdentityFederation", "{kind}");
        assert_eq!(new.parameters.get("scope"), scene.old().parameters.get("scope"), "{kind}");
        let other = scene.fixture.made.projects[1];
        let shared: Vec<_> = new.record.shared_with.iter().map(|one| (one.project, &*one.name)).collect();
        assert_eq!(shared, [(other, "sc-there-wif")], "{kind}");
        assert_eq!((&*new.record.pipelines, &*new.record.pipelines_elsewhere), (&[2][..], &[(other, 3)][..]));
        assert!(!new.record.open_to_all);
        assert!(new.record.description.starts_with("Deploys the app. Owner: platform-team"), "{kind}");
        let essence = |checks: &[Value]| {
            let of = |check: &Value| (check["type"]["id"].clone(), check["settings"]["inputs"].clone());
            checks.iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(essence(&new.record.checks), essence(&scene.old().record.checks), "{kind}");
        assert_eq!(new.record.checks[0]["settings"]["requesterCannotBeApprover"], true);
        let app = scene.app(new.client);
        assert_eq!(app.kind == Kind::ManagedIdentity, kind == "managedIdentity");
        assert!(!app.multi_tenant && app.federated_credentials.len() == 1);
        let terms = |client: Uuid| {
            let one = |one: &RoleAssignment| {
                (
                    one.role,
                    one.scope.clone(),
                    one.condition.clone(),
                    one.condition_version.clone(),
                    one.description.clone(),
                )
            };
            scene.roles(client).iter().map(one).collect::<Vec<_>>()
        };
        assert_eq!(terms(new.client), terms(scene.old().client), "{kind}");
        assert_eq!(terms(new.client).len(), 2, "{kind}");
        assert_eq!(Before::of(&scene).old, before.old, "{kind}");
        // No pipeline may use it before it is guarded.
        let journal = scene.fixture.emulator.journal();
        let last = |what: &str, method: &str| {
            journal.iter().rposition(|one| one.method == method && one.path.contains(what)).unwrap()
        };
        assert!(last("/checks/configurations", "POST") < last("/pipelinePermissions/", "PATCH"), "{kind}");
        // A second run changes nothing.
        let writes = scene.writes();
        let (code, said) = scene.plan_to(kind);
        assert!(code == 0 && said.contains("it was migrated already"), "{kind}: {code} {said}");
        assert_eq!(scene.writes(), writes);
    }
}

#[test]
fn a_plan_says_what_it_read_and_names_the_old_connection() {
    let scene = Scene::new();
    assert_eq!(scene.plan_to("application").0, 10);
    let plan = scene.plan_file();
    assert_eq!((&plan["schema"], &plan["command"]), (&json!("wif.plan/1"), &json!("migrate plan")));
    let item = &plan["items"][0];
    assert_eq!(item["connection"], json!(scene.old));
    assert_eq!(item["facts"]["scheme"], "ServicePrincipal");
    let signs = item["steps"].as_array().unwrap().iter().map(|step| step["sign"].as_str().unwrap());
    assert_eq!(signs.collect::<String>(), "++++++++++?");
}

#[test]
fn what_is_missing_or_wrong_in_the_arguments_is_named() {
    let scene = Scene::new();
    let old = scene.old.to_string();
    for (arguments, named) in [
        (&["--to", "managedIdentity"][..], "--resource-group and --subscription"),
        (&["--to", "managedIdentity", "--resource-group", "rg"], "--subscription"),
        (&["--to", "managedIdentity", "--subscription", &old], "--resource-group"),
        (&["--to", "application", "--resource-group", "rg"], "--to managedIdentity"),
        (&["--to", "managedIdentity", "--subscription", &old, "--resource-group", "a/b"], "not the name"),
        (&["--to", "application", "--name-suffix", " "], "--name-suffix"),
        (&["--to", "machine"], "machine"),
    ] {
        let (code, said) = scene.plan(&[&["--connection", &old][..], arguments].concat());
        assert!(code == 2 && said.contains(named), "{arguments:?}: {code} {said}");
    }
    let (code, said) = scene.plan(&["--to", "application", "--connection", "sc-stored-secre"]);
    assert!(code == 2 && said.contains("sc-stored-secret"), "{code} {said}");
    assert_eq!(scene.writes(), 0);
}

#[test]
fn of_everything_only_what_needs_it_is_migrated_and_the_rest_is_told_with_the_reason() {
    let scene = Scene::new();
    let (code, said) = scene.plan(&["--to", "application", "--all-eligible", "--allow-privileged"]);
    assert_eq!(code, 10, "{said}");
    for told in ["already", "only connections to Azure Resource Manager"] {
        assert!(said.contains(told), "{told}: {said}");
    }
    let plan = scene.plan_file();
    let mut names: Vec<_> =
        plan["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["sc-old-issuer", "sc-stored-secret"]);
}

#[test]
fn privileged_roles_are_copied_only_where_that_is_allowed() {
    let owner = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
    let contributor = "b24988ac-6180-42a0-ab88-20f7382dd24c";
    for (role, name, is_whole) in [(owner, "Owner", false), (contributor, "Contributor", true)] {
        let scene = Scene::new();
        let subscription = format!("/subscriptions/{}", scene.fixture.made.subscription);
        let client = scene.old().client;
        {
            let mut directory = scene.fixture.emulator.directory();
            let principal = directory.app(client).object_id;
            let one = directory.role_assignments.iter_mut().find(|one| one.principal == principal).unwrap();
            (one.role, one.role_name) = (Uuid::try_parse(role).unwrap(), name.to_owned());
            if is_whole {
                one.scope = subscription;
            }
        }
        let (code, said) = scene.plan_to("application");
        assert!(code == 2 && said.contains(name) && said.contains("--allow-privileged"), "{code} {said}");
        // Of many, it is one that is left out.
        let (code, said) = scene.plan(&["--to", "application", "--name", "sc-stored*"]);
        assert!(code == 0 && said.contains("--allow-privileged"), "{code} {said}");
        let (code, said) = scene.plan(&["--to", "application", "--name", "sc-stored*", "--allow-privileged"]);
        assert_eq!(code, 10, "{said}");
        let (code, said) = scene.apply(&[]);
        assert_eq!(code, 0, "{said}");
        assert!(scene.roles(scene.named(NEW)[0].client).iter().any(|one| one.role_name == name));
    }
}

#[test]
fn roles_that_were_not_all_read_are_not_copied_in_part() {
    type Change = fn(&mut Quirks);
    let changes: [Change; 2] =
        [|quirks| quirks.resource_graph_denied = true, |quirks| quirks.resource_graph_cut = true];
    for change in changes {
        let scene = Scene::under(change);
        let (code, said) = scene.plan_to("application");
        assert!(code == 12 && said.contains("not all of its roles were read"), "{code} {said}");
        assert_eq!(scene.plan_file()["items"], json!([]));
    }
    let scene = Scene::new();
    scene.fixture.emulator.fault(Fault::on(Service::Arm, "GET", "/roleAssignments/").status(403));
    let (code, said) = scene.plan_to("application");
    assert!(code == 12 && said.contains("one of its roles could not be read"), "{code} {said}");
    assert_eq!(scene.plan_file()["items"], json!([]));
}

#[test]
fn what_cannot_be_copied_is_left_to_a_person_by_name() {
    let scene = Scene::new();
    let client = scene.old().client;
    {
        let mut directory = scene.fixture.emulator.directory();
        let record = &mut directory.app(client).record;
        record.memberships = vec![
            json!({ "@odata.type": "#microsoft.graph.group", "id": "g-1", "displayName": "deployers" }),
            json!({ "@odata.type": "#microsoft.graph.directoryRole", "id": "r-1", "displayName": "Directory Readers" }),
        ];
        record.granted = vec![json!({ "appRoleId": "p-1", "resourceDisplayName": "Microsoft Graph" })];
        let principal = directory.app(client).object_id;
        directory.vault_policies = vec![
            ("/subscriptions/s/vaults/kv-shop".to_owned(), principal),
            ("/subscriptions/s/vaults/kv-of-others".to_owned(), Uuid::nil()),
        ];
        directory.eligible_roles = directory
            .role_assignments
            .iter()
            .filter(|one| one.id == Uuid::from_u128(4711))
            .cloned()
            .collect();
        let record = &mut directory.connection(scene.old).record;
        record.roles.push(emulator::directory::SecurityRole {
            role: "Administrator".to_owned(),
            identity: "Ada Bauer".to_owned(),
            inherited: false,
        });
        record.checks.push(json!({
            "type": { "id": "fe1de3ee-a436-41b4-bb20-f6eb4cb879a7", "name": "Task Check" },
            "settings": {
                "definitionRef": { "id": "537fdb7a-a601-4537-aa70-92645a2b5ce4" }, "displayName": "Ask the service",
                "inputs": { "key": "function-key-of-the-service" },
            },
        }));
        record.open_to_all = true;
    }
    let (code, said) = scene.plan_to("application");
    assert_eq!(code, 10, "{said}");
    for told in [
        "! the old identity is in the group deployers",
        "! the old identity holds the directory role Directory Readers",
        "! the old identity has the application permission p-1 of Microsoft Graph",
        "! Ada Bauer is Administrator on the old connection in Project 0000",
        "! the check Ask the service in Project 0000 is not copied",
        "! the old identity is in the access policies of the key vault /subscriptions/s/vaults/kv-shop",
        "! the old identity is eligible for the role Storage Blob Data Reader at /subscriptions/",
        "in databases and clusters",
        "the new one is not opened to all",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    assert!(!said.contains("kv-of-others") && !scene.plan_file().to_string().contains("function-key"));
    let (code, said) = scene.apply(&[]);
    assert_eq!(code, 10, "{said}");
    let new = &scene.named(NEW)[0];
    // The pipeline that has used the old one, and the one that was authorized by name.
    let mut pipelines = new.record.pipelines.clone();
    pipelines.sort_unstable();
    assert_eq!((pipelines, new.record.open_to_all), (vec![1, 2], false));
}

#[test]
fn what_ends_unproven_is_put_back_and_nothing_stays() {
    for kind in ["application", "managedIdentity"] {
        let scene = Scene::under(|quirks| quirks.trust_lag = 1000);
        let before = Before::of(&scene);
        assert_eq!(scene.plan_to(kind).0, 10);
        let (code, said) = scene.apply(&["--prove-within", "1s"]);
        assert_eq!(code, 11, "{said}");
        assert!(said.contains("WIF7008") && said.contains("as it was before"), "{said}");
        scene.is_as_before(&before);
    }
}

#[test]
fn a_migration_that_was_applied_can_be_rolled_back_and_only_what_was_made_goes() {
    for kind in ["application", "managedIdentity"] {
        let scene = Scene::new();
        let before = Before::of(&scene);
        scene.migrate(kind);
        let (code, said) = scene.run(&["rollback", "plan.json.journal", "--output", "back.json"]);
        assert!(code == 10 && said.contains("- take back: make the connection"), "{said}");
        let (code, said) = scene.run(&["apply", "back.json", "--yes"]);
        assert_eq!(code, 0, "{said}\n{}", scene.fixture.emulator.journal_text());
        scene.is_as_before(&before);
    }
}

#[test]
fn what_changed_since_the_plan_stops_it_before_the_first_call() {
    type Change = fn(&Scene);
    let changes: [Change; 3] = [
        |scene| {
            let id = scene.old;
            let mut directory = scene.fixture.emulator.directory();
            directory.connection(id).parameters.insert("scope".to_owned(), "/subscriptions/x".to_owned());
        },
        |scene| {
            let mut directory = scene.fixture.emulator.directory();
            let mut other = directory.connection(scene.fixture.made.healthy[0]).clone();
            (other.id, other.name) = (Uuid::from_u128(99), NEW.to_owned());
            directory.add_connection(scene.fixture.made.projects[0], other);
        },
        |scene| {
            let client = scene.old().client;
            scene.fixture.emulator.directory().app(client).multi_tenant = true;
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let scene = Scene::new();
        assert_eq!(scene.plan_to("application").0, 10);
        change(&scene);
        let writes = scene.writes();
        let (code, said) = scene.apply(&[]);
        assert_eq!((code, scene.writes()), (13, writes), "{number}: {said}");
    }
}

#[test]
fn a_role_that_was_taken_since_the_plan_is_not_given_again() {
    let scene = Scene::new();
    assert_eq!(scene.plan_to("application").0, 10);
    let mut before = Before::of(&scene);
    scene.fixture.emulator.directory().role_assignments.retain(|one| one.id != Uuid::from_u128(4711));
    let (code, said) = scene.apply(&[]);
    assert!(code == 11 && said.contains("does not have the role"), "{code} {said}");
    before.roles -= 1;
    scene.is_as_before(&before);
}

#[test]
fn a_name_that_is_taken_is_left_alone() {
    let scene = Scene::new();
    {
        let mut directory = scene.fixture.emulator.directory();
        let mut other = directory.connection(scene.fixture.made.healthy[0]).clone();
        (other.id, other.name) = (Uuid::from_u128(99), NEW.to_owned());
        directory.add_connection(scene.fixture.made.projects[0], other);
    }
    let (code, said) = scene.plan_to("application");
    assert!(code == 0 && said.contains("another connection is called"), "{code} {said}");
    let old = scene.old.to_string();
    let (code, said) = scene.plan(&["--to", "application", "--connection", &old, "--name-suffix", " (new)"]);
    assert_eq!(code, 10, "{said}");
    let (code, said) = scene.apply(&[]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(scene.named("sc-stored-secret (new)").len(), 1);
}

#[test]
fn it_works_under_the_settings_of_what_is_not_documented() {
    type Change = fn(&mut Quirks);
    let changes: [Change; 4] = [
        |quirks| (quirks.creation_lag, quirks.application_lag, quirks.principal_lag) = (2, 2, 2),
        |quirks| (quirks.credential_lag, quirks.trust_lag) = (2, 2),
        |quirks| (quirks.other_case, quirks.empty_values, quirks.only_version_7_1) = (true, true, true),
        |quirks| (quirks.arm_page, quirks.pipelines_per_page, quirks.roles_are_hidden) = (Some(1), 1, true),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let scene = Scene::under(change);
        let kind = if number % 2 == 0 { "application" } else { "managedIdentity" };
        assert_eq!(scene.plan_to(kind).0, 10, "setting {number}");
        let (code, said) = scene.within("plan.json", &[]);
        assert_eq!(code, 0, "setting {number}: {said}");
        assert_eq!(scene.named(NEW).len(), 1, "setting {number}");
    }
}

#[test]
fn a_lost_answer_makes_no_second_one() {
    for (service, method, path) in [
        (Service::DevOps, "POST", "/_apis/serviceendpoint/endpoints"),
        (Service::Arm, "PUT", "/roleAssignments/"),
        (Service::DevOps, "POST", "/checks/configurations"),
    ] {
        let scene = Scene::new();
        assert_eq!(scene.plan_to("application").0, 10);
        scene.fixture.emulator.fault(Fault::on(service, method, path).lose_answer());
        let (code, said) = scene.apply(&[]);
        assert_eq!(code, 0, "{method} {path}: {said}\n{}", scene.fixture.emulator.journal_text());
        let made = scene.named(NEW);
        assert_eq!((made.len(), made[0].record.checks.len()), (1, 2), "{method} {path}");
        assert_eq!(scene.roles(made[0].client).len(), 2, "{method} {path}");
    }
}

/// An apply that is killed at a request, and resumed.
fn killed_at(hold: fn(Fault, &Gate) -> Fault, (service, method, path): (Service, &str, &str)) {
    let scene = Scene::new();
    let before = Before::of(&scene);
    assert_eq!(scene.plan_to("application").0, 10);
    let mut command = scene.command(&["apply", "plan.json", "--yes"]);
    kill_when(&scene.fixture.emulator, hold, Fault::on(service, method, path), &mut command);
    let (code, said) = scene.within("plan.json", &["--resume"]);
    let moment = format!("{method} {path}: {said}\n{}", scene.fixture.emulator.journal_text());
    assert_eq!(code, 0, "{moment}");
    let made = scene.named(NEW);
    assert_eq!((made.len(), made[0].record.checks.len()), (1, 2), "{moment}");
    assert_eq!(scene.roles(made[0].client).len(), 2, "{moment}");
    assert_eq!(Before::of(&scene).old, before.old);
    let (code, said) = scene.plan_to("application");
    assert_eq!(code, 0, "{said}");
}

const KILLED_AT: [(Service, &str, &str); 6] = [
    (Service::Graph, "PATCH", "/applications(uniqueName"),
    (Service::Arm, "PUT", "/roleAssignments/"),
    (Service::DevOps, "POST", "/_apis/serviceendpoint/endpoints"),
    (Service::Graph, "PATCH", "/federatedIdentityCredentials"),
    (Service::DevOps, "POST", "/checks/configurations"),
    (Service::DevOps, "PATCH", "/pipelinePermissions/"),
];

#[test]
fn an_apply_that_was_killed_makes_no_second_one() {
    thread::scope(|scope| {
        for at in KILLED_AT {
            scope.spawn(move || killed_at(Fault::gate, at));
            scope.spawn(move || killed_at(Fault::answer_gate, at));
        }
    });
}

#[test]
fn what_another_person_has_to_do_is_printed_for_each_side() {
    let scene = Scene::new();
    assert_eq!(scene.plan_to("application").0, 10);
    let hand_off = |side: &str| scene.run(&["hand-off", "plan.json", "--to", side]).1;
    let (devops, azure) = (hand_off("devops"), hand_off("azure"));
    assert!(devops.contains("az rest --method post") && devops.contains("checks/configurations"), "{devops}");
    assert!(
        azure.contains("--condition '((!(ActionMatches") && azure.contains("--condition-version"),
        "{azure}"
    );
    assert!(hand_off("entra").contains("create-if-missing"));
}

#[test]
fn what_could_not_be_looked_for_is_told_and_does_not_stop_the_migration() {
    let scene = Scene::new();
    for (service, method, path) in [
        (Service::Graph, "GET", "/memberOf"),
        (Service::Graph, "GET", "/appRoleAssignments"),
        (Service::Arm, "GET", "/roleEligibilityScheduleInstances"),
    ] {
        scene.fixture.emulator.fault(Fault::on(service, method, path).always().status(403));
    }
    let (code, said) = scene.plan_to("application");
    assert_eq!(code, 10, "{said}");
    for told in ["groups and directory roles", "application permissions", "eligible roles at"] {
        assert!(said.contains(&format!("note: {told}")), "{told}: {said}");
    }
}

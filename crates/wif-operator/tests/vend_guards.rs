//! What the plan of a request refuses (privileged roles, names that do not exist), and what its `apply` notices (changes by others).

use std::process::Stdio;

use emulator::{
    Fault, Gate, Service,
    directory::{Issuer, RoleAssignment},
};
use serde_json::json;
use uuid::Uuid;

use crate::support::request::{CONNECTION, Scene};

#[test]
fn privileged_roles_and_whole_scopes_are_refused_by_the_entry_of_the_request() {
    let scene = Scene::new();
    let good = scene.request("application");
    let subscription = format!("/subscriptions/{}", scene.fixture.made.subscription);
    let entry = |role: &str, scope: &str| json!([good["access"][0], { "role": role, "scope": scope }]);
    let group = scene.group();
    for (field, value, named) in [
        ("access", entry("Owner", &group), "access[1]"),
        ("access", entry("user access administrator", &group), "access[1]"),
        ("access", entry("Role Based Access Control Administrator", &group), "access[1]"),
        ("access", entry("Reader", &subscription), "access[1]"),
        ("access", entry("Reader", "/providers/Microsoft.Management/managementGroups/root"), "access[1]"),
        ("scope", json!({ "subscription": scene.fixture.made.subscription }), "scope"),
        ("scope", json!({ "managementGroup": "root" }), "scope"),
    ] {
        let mut request = good.clone();
        request[field] = value;
        scene.write(&request);
        let (code, said) = scene.plan(&[]);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(&format!("sc.yaml: {named}")) && said.contains("--allow-privileged"), "{said}");
        let (code, said) = scene.plan(&["--allow-privileged"]);
        assert_eq!(code, 10, "{said}");
    }
    assert_eq!(scene.writes(), 0);
}

#[test]
fn what_a_request_names_and_is_not_there_is_an_argument_error() {
    let scene = Scene::new();
    for (field, value, said_of) in [
        ("pipelines", json!(["pipeline-22"]), "pipeline-2"),
        ("checks", json!({ "approvers": ["[Project 0000]\\Leaders"] }), "Leaders"),
        ("access", json!([{ "role": "Readr", "scope": scene.group() }]), "access[0]"),
        ("identity", json!({ "kind": "existing", "client": Uuid::from_u128(5) }), "identity"),
        ("projects", json!(["Project 0007"]), "Project 000"),
    ] {
        let mut request = scene.request("application");
        request[field] = value;
        scene.write(&request);
        let (code, said) = scene.plan(&[]);
        assert_eq!(code, 2, "{field}: {said}");
        assert!(said.contains(said_of), "{field}: {said}");
    }
    scene.write(&scene.request("application"));
    scene.fixture.emulator.directory().quirks.resource_graph_denied = true;
    assert_eq!(scene.plan(&[]).0, 10);
}

#[test]
fn a_connection_of_that_name_that_appeared_meanwhile_is_left_alone() {
    let scene = Scene::new();
    scene.write(&scene.request("application"));
    assert_eq!(scene.plan(&[]).0, 10);
    {
        let mut directory = scene.fixture.emulator.directory();
        let mut other = directory.connection(scene.fixture.made.healthy[0]).clone();
        (other.id, other.name) = (Uuid::from_u128(99), CONNECTION.to_owned());
        directory.add_connection(scene.fixture.made.projects[0], other);
    }
    let writes = scene.writes();
    let (code, said) = scene.apply(&[]);
    assert_eq!(code, 13, "{said}");
    assert_eq!((scene.vended().len(), scene.writes()), (1, writes));
}

#[test]
fn an_issuer_that_was_not_to_be_expected_is_not_trusted_and_everything_is_put_back() {
    let scene = Scene::under(|quirks| quirks.creation_yields = Issuer::DevOps);
    scene.write(&scene.request("application"));
    assert_eq!(scene.plan(&[]).0, 10);
    let (code, said) = scene.apply(&[]);
    assert_eq!(code, 11, "{said}");
    assert!(said.contains("https://vstoken.dev.azure.com/") && said.contains("as it was before"), "{said}");
    assert!(scene.vended().is_empty());
    let credentials = "PATCH /v1.0/applications(appId";
    assert_eq!(scene.fixture.calls(Service::Graph, credentials), 0);
}

#[test]
fn an_identity_of_the_requested_name_that_others_made_is_not_taken() {
    let scene = Scene::new();
    let mut request = scene.request("application");
    scene.vend(&request);
    // Made for one connection, it is another's for the next.
    request["connection"] = json!("sc-other");
    scene.write(&request);
    let (code, said) = scene.plan(&[]);
    assert!(code == 0 && said.contains("was not made for this request"), "{code} {said}");
}

#[test]
fn a_reason_of_several_lines_is_refused() {
    let scene = Scene::new();
    let mut request = scene.request("application");
    request["reason"] = json!("CHG-1\ncurl evil.example");
    scene.write(&request);
    let (code, said) = scene.plan(&[]);
    assert!(code == 2 && said.contains("reason: it has a line end"), "{code} {said}");
}

/// Gives the identity that is there a role.
fn give(scene: &Scene, role: &str, id: &str, scope: &str) {
    let connection = scene.fixture.made.healthy[0];
    let mut directory = scene.fixture.emulator.directory();
    let client = directory.connection(connection).client;
    let principal = directory.app(client).object_id;
    directory.role_assignments.push(RoleAssignment {
        id: Uuid::from_u128(4712),
        principal,
        principal_type: "ServicePrincipal".to_owned(),
        role: Uuid::try_parse(id).unwrap(),
        role_name: role.to_owned(),
        scope: scope.to_owned(),
        condition: None,
        condition_version: None,
        description: None,
        delegated: None,
    });
}

#[test]
fn an_identity_that_is_there_and_privileged_is_taken_only_where_that_is_allowed() {
    let owner = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
    let administrator = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9";
    let contributor = "b24988ac-6180-42a0-ab88-20f7382dd24c";
    for (role, id, is_whole) in [
        ("Owner", owner, false),
        ("User Access Administrator", administrator, false),
        ("Contributor", contributor, true),
    ] {
        let scene = Scene::new();
        let subscription = format!("/subscriptions/{}", scene.fixture.made.subscription);
        give(&scene, role, id, &if is_whole { subscription } else { scene.group() });
        scene.write(&scene.request("existing"));
        let (code, said) = scene.plan(&[]);
        assert_eq!(code, 2, "{role}: {said}");
        for part in ["sc.yaml: identity", role, "--allow-privileged"] {
            assert!(said.contains(part), "{role}: {said}");
        }
        assert_eq!(scene.plan(&["--allow-privileged"]).0, 10, "{role}");
    }
    // A role that cannot take more for itself is none of them.
    let scene = Scene::new();
    give(&scene, "Contributor", contributor, &scene.group());
    scene.write(&scene.request("existing"));
    assert_eq!(scene.plan(&[]).0, 10);
}

#[test]
fn roles_of_an_identity_that_could_not_be_read_are_not_none() {
    let scene = Scene::new();
    scene.write(&scene.request("existing"));
    let root = format!(
        "/subscriptions/{}/providers/Microsoft.Authorization/roleAssignments",
        scene.fixture.made.subscription
    );
    scene.fixture.emulator.fault(Fault::on(Service::Arm, "GET", &root).status(403));
    let (code, said) = scene.plan(&[]);
    assert!(code == 12 && said.contains("role assignments could not be read"), "{code} {said}");
}

#[test]
fn a_plan_is_stale_when_anything_that_it_follows_from_has_changed() {
    type Change = fn(&Scene);
    let changes: [(&str, Change); 5] = [
        ("another pipeline may use it", |scene| scene.change(|one| one.record.pipelines.push(1))),
        ("every pipeline may use it", |scene| scene.change(|one| one.record.open_to_all = true)),
        ("a check has gone", |scene| scene.change(|one| drop(one.record.checks.pop()))),
        ("a role has gone", |scene| {
            let client = scene.vended()[0].client;
            let mut directory = scene.fixture.emulator.directory();
            let principal = directory.app(client).object_id;
            directory.role_assignments.retain(|one| one.principal != principal);
        }),
        ("a federated credential has gone", |scene| {
            let client = scene.vended()[0].client;
            scene.fixture.emulator.directory().app(client).federated_credentials.clear();
        }),
    ];
    for (what, change) in changes {
        let scene = Scene::new();
        scene.vend(&scene.request("application"));
        scene.change(|one| one.record.shared_with.clear());
        assert_eq!(scene.plan(&[]).0, 10, "{what}");
        change(&scene);
        let writes = scene.writes();
        let (code, said) = scene.apply(&[]);
        assert_eq!((code, scene.writes()), (13, writes), "{what}: {said}");
        assert!(said.contains("WIF7002"), "{what}: {said}");
    }
}

#[test]
fn a_connection_that_is_not_as_it_was_asked_for_when_it_is_read_back_is_put_back() {
    type Change = fn(&Scene);
    let changes: [(&str, Change); 2] = [
        ("scope", |scene| {
            let scope = format!("/subscriptions/{}/resourceGroups/other", scene.fixture.made.subscription);
            scene.change(|one| drop(one.parameters.insert("scope".to_owned(), scope)));
        }),
        ("projects", |scene| scene.change(|one| one.record.shared_with.clear())),
    ];
    for (what, change) in changes {
        let scene = Scene::new();
        scene.write(&scene.request("application"));
        assert_eq!(scene.plan(&[]).0, 10);
        let gate = Gate::new();
        let made = Fault::on(Service::DevOps, "POST", "/_apis/serviceendpoint/endpoints");
        scene.fixture.emulator.fault(made.answer_gate(&gate));
        let mut command = scene.command(&["apply", "plan.json", "--yes"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        gate.wait_until_reached(1);
        change(&scene);
        gate.open();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(11), "{what}: {said}");
        assert!(said.contains(what) && said.contains("as it was before"), "{what}: {said}");
        assert!(scene.vended().is_empty(), "{what}");
    }
}

#[test]
fn an_identity_without_room_for_another_credential_is_refused_in_the_plan() {
    let scene = Scene::new();
    let client = scene.request("existing")["identity"]["client"].as_str().unwrap().to_owned();
    {
        let mut directory = scene.fixture.emulator.directory();
        let credentials = &mut directory.app(client.parse().unwrap()).federated_credentials;
        for number in credentials.len()..19 {
            let mut other = credentials[0].clone();
            (other.name, other.subject) = (format!("other-{number}"), format!("subject-{number}"));
            credentials.push(other);
        }
    }
    // The first takes the last room.
    let first = scene.request("existing");
    let mut second = first.clone();
    second["connection"] = "sc-second".into();
    std::fs::write(scene.folder.path().join("second.yaml"), second.to_string()).unwrap();
    scene.write(&first);
    let (code, said) = scene.plan(&["second.yaml"]);
    assert!(code == 10 && said.contains("1 connections to change"), "{said}");
    assert!(said.contains("sc-second") && said.contains("20 of 20 federated credentials"), "{said}");
    let (code, said) = scene.apply(&[]);
    assert_eq!(code, 0, "{said}");
    std::fs::remove_file(scene.folder.path().join("plan.json.journal")).unwrap();
    scene.write(&second);
    let (code, said) = scene.plan(&[]);
    assert!(code == 0 && said.contains("20 of 20 federated credentials"), "{code} {said}");
}

#[test]
fn a_second_request_for_an_identity_that_the_plan_makes_is_left_out_with_the_way_to_it() {
    for kind in ["application", "managedIdentity"] {
        let scene = Scene::new();
        let mut second = scene.request(kind);
        second["connection"] = "sc-second".into();
        std::fs::write(scene.folder.path().join("second.yaml"), second.to_string()).unwrap();
        scene.write(&scene.request(kind));
        let (code, said) = scene.plan(&["second.yaml"]);
        assert!(code == 10 && said.contains("1 connections to change"), "{said}");
        assert!(
            said.contains("is made by the request before it, for the connection sc-platform-prod"),
            "{said}"
        );
        assert!(said.contains("kind: existing"), "{said}");
        let (code, said) = scene.apply(&[]);
        assert_eq!(code, 0, "{said}");
    }
}

#[test]
fn a_finished_journal_says_that_nothing_is_left_also_where_a_person_has_to_decide() {
    let scene = Scene::new();
    scene.vend(&scene.request("existing"));
    give(&scene, "Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7", &format!("{}-2", scene.group()));
    let (code, said) = scene.plan(&[]);
    assert!(code == 10 && said.contains("! the role Reader"), "{said}");
    assert_eq!(scene.apply(&[]).0, 10);
    let (code, said) = scene.apply(&["--resume"]);
    assert_eq!(code, 0, "{said}");
}

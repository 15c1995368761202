//! `wif migrate`: connections put beside old ones and proven, what runs on either, and the end of the old ones, against an emulated
//! organization that really does what is asked for.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, and says what it saw"
)]
#![allow(dead_code, reason = "what the tests of reading share has more than this needs")]

mod support;

use std::{
    fs,
    process::{Child, Command, Stdio},
    thread,
};

use emulator::{
    Fault, Gate, Service,
    directory::{App, Connection, Execution, Kind, Person, Quirks, RoleAssignment, SharedWith},
    organization::{OrganizationPlan, Planted},
};
use serde_json::{Value, json};
use uuid::Uuid;

use wif_io::clock::Clock;

use support::{Fixture, NAME};

/// An organization of two projects, a folder, and tokens of an identity that may change everything.
struct Scene {
    fixture: Fixture,
    folder: tempfile::TempDir,
    /// The old connection.
    old: Uuid,
}

const NEW: &str = "sc-stored-secret-wif";
const LEADS: Uuid = Uuid::from_u128(77);
const CONDITION: &str =
    "((!(ActionMatches{'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'})))";
const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
const BLOB_READER: &str = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1";

impl Scene {
    fn new() -> Self {
        Self::under(|_| {})
    }

    /// With what is usual changed.
    fn under(change: impl FnOnce(&mut Quirks)) -> Self {
        let plan = OrganizationPlan::new(NAME).projects(2).connections(1).planted(&[
            Planted::StoredSecret,
            Planted::OtherTypeWithSecret,
            Planted::OldIssuer,
        ]);
        let fixture = Fixture::new(&plan);
        let operator = fixture.emulator.add_operator(fixture.made.subscription);
        let token = |resource: &str| fixture.emulator.access_token(operator, resource);
        let (graph, arm) = (token("https://graph.microsoft.com"), token("https://management.azure.com"));
        let fixture = fixture.set("WIF_GRAPH_TOKEN", &graph).set("WIF_ARM_TOKEN", &arm);
        let old = fixture.made.planted[&Planted::StoredSecret];
        {
            let mut directory = fixture.emulator.directory();
            change(&mut directory.quirks);
            let leads = Person {
                id: LEADS,
                name: "[Project 0000]\\Leads".to_owned(),
                unique_name: "leads".to_owned(),
                disabled: false,
            };
            directory.known_identities.push(leads);
            let other = fixture.made.projects[1];
            let record = &mut directory.connection(old).record;
            record.shared_with = vec![SharedWith { project: other, name: "sc-there".to_owned() }];
            (record.pipelines, record.pipelines_elsewhere) = (vec![2, 999], vec![(other, 3)]);
            record.checks = vec![approval(), branch_control()];
            let client = directory.connection(old).client;
            let principal = directory.app(client).object_id;
            let known = directory.role_assignments.iter().find(|one| one.principal == principal).unwrap();
            let conditional = RoleAssignment {
                id: Uuid::from_u128(4711),
                role: Uuid::try_parse(BLOB_READER).unwrap(),
                role_name: "Storage Blob Data Reader".to_owned(),
                scope: format!("/subscriptions/{}/resourceGroups/rg-data", fixture.made.subscription),
                condition: Some(CONDITION.to_owned()),
                condition_version: Some("2.0".to_owned()),
                description: Some("CHG-7".to_owned()),
                ..known.clone()
            };
            directory.role_assignments.push(conditional);
        }
        Self { fixture, folder: tempfile::tempdir().unwrap(), old }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wif-operator"));
        command.current_dir(&self.folder).args(arguments);
        command.env_clear().envs(self.fixture.env().iter()).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(arguments).output().unwrap();
        let mut said = [&*output.stdout, &*output.stderr].concat();
        for file in fs::read_dir(&self.folder).unwrap() {
            said.extend(fs::read(file.unwrap().path()).unwrap());
        }
        assert_eq!(emulator::leaks(&self.fixture.emulator.issued(), &said), Vec::<String>::new());
        assert!(!String::from_utf8_lossy(&said).contains("client-secret-"));
        let shown = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(shown).unwrap())
    }

    fn plan(&self, more: &[&str]) -> (i32, String) {
        let _ = fs::remove_file(self.folder.path().join("plan.json.journal"));
        let begin = ["migrate", "plan", "--org", NAME, "--output", "plan.json"];
        self.run(&[&begin[..], more].concat())
    }

    /// Plans the migration of the old connection to an identity of this kind.
    fn plan_to(&self, kind: &str) -> (i32, String) {
        let (old, subscription) = (self.old.to_string(), self.fixture.made.subscription.to_string());
        let mut arguments = vec!["--connection", &old, "--to", kind];
        if kind == "managedIdentity" {
            arguments.extend(["--resource-group", "rg-app", "--subscription", &subscription]);
        }
        self.plan(&arguments)
    }

    fn apply(&self, more: &[&str]) -> (i32, String) {
        self.run(&[&["apply", "plan.json", "--yes"][..], more].concat())
    }

    /// Plans and applies the migration.
    fn migrate(&self, kind: &str) {
        let (code, said) = self.plan_to(kind);
        assert_eq!(code, 10, "{said}");
        let (code, said) = self.apply(&[]);
        assert_eq!(code, 0, "{said}\n{}", self.fixture.emulator.journal_text());
    }

    fn plan_file(&self) -> Value {
        serde_json::from_slice(&fs::read(self.folder.path().join("plan.json")).unwrap()).unwrap()
    }

    fn named(&self, name: &str) -> Vec<Connection> {
        let directory = self.fixture.emulator.directory();
        directory.connections().filter(|one| one.name == name).cloned().collect()
    }

    fn old(&self) -> Connection {
        self.fixture.emulator.directory().connection(self.old).clone()
    }

    fn app(&self, client: Uuid) -> App {
        self.fixture.emulator.directory().app(client).clone()
    }

    fn roles(&self, client: Uuid) -> Vec<RoleAssignment> {
        let mut directory = self.fixture.emulator.directory();
        let principal = directory.app(client).object_id;
        let mut roles: Vec<_> = directory.role_assignments.clone();
        roles.retain(|one| one.principal == principal);
        roles.sort_by_key(|one| one.scope.clone());
        roles
    }

    fn writes(&self) -> usize {
        let is_write = |one: &&emulator::Entry| {
            ["PUT", "PATCH", "DELETE"].contains(&one.method.as_str())
                || one.method == "POST"
                    && ["/endpoints", "/configurations", "/servicePrincipals", "/restore"]
                        .iter()
                        .any(|end| one.path.split('?').next().unwrap().ends_with(end))
        };
        self.fixture.emulator.journal().iter().filter(is_write).count()
    }

    /// Nothing of the new one is left, and the old one is as it was.
    fn is_as_before(&self, before: &Before) {
        assert!(self.named(NEW).is_empty());
        assert_eq!(Before::of(self), *before);
    }
}

/// What a migration must not change, and must not leave behind.
#[derive(Debug, PartialEq, Eq)]
struct Before {
    old: String,
    roles: usize,
    apps: usize,
}

impl Before {
    fn of(scene: &Scene) -> Self {
        let old = scene.old();
        let app = scene.app(old.client);
        let directory = scene.fixture.emulator.directory();
        let apps = directory.tenants.iter().flat_map(|tenant| &tenant.apps);
        let of_old = (&old.scheme, old.client, &old.parameters, &old.name, &old.record.checks);
        let permissions = (&old.record.pipelines, &old.record.pipelines_elsewhere, old.record.modified);
        Self {
            old: format!("{of_old:?} {permissions:?} {:?}", app.federated_credentials),
            roles: directory.role_assignments.len(),
            apps: apps.filter(|app| !app.record.deleted).count(),
        }
    }
}

fn approval() -> Value {
    json!({
        "type": { "id": "8c6f20a7-a545-4486-9777-f762fafe0d4d", "name": "Approval" },
        "settings": {
            "approvers": [{ "id": LEADS, "displayName": "Leads" }], "executionOrder": "anyOrder",
            "minRequiredApprovers": 1, "instructions": "ask", "requesterCannotBeApprover": true,
            "blockedApprovers": [],
        },
        "timeout": 43200,
    })
}

fn branch_control() -> Value {
    json!({
        "type": { "id": "fe1de3ee-a436-41b4-bb20-f6eb4cb879a7", "name": "Task Check" },
        "settings": {
            "definitionRef": {
                "id": "86b05a0c-73e6-4f7d-b3cf-e38f3b39a75b", "name": "evaluatebranchProtection", "version": "0.0.1",
            },
            "displayName": "Branch control",
            "inputs": { "allowedBranches": "refs/heads/main", "ensureProtectionOfBranch": "true" },
            "retryInterval": 5,
        },
        "timeout": 1440,
    })
}

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
        "access policies of key vaults, eligible assignments",
        "the new one is not opened to all",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    assert!(!scene.plan_file().to_string().contains("function-key"));
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
        scene.migrate(if number % 2 == 0 { "application" } else { "managedIdentity" });
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
    let gate = Gate::new();
    scene.fixture.emulator.fault(hold(Fault::on(service, method, path), &gate));
    let mut command = scene.command(&["apply", "plan.json", "--yes"]);
    let mut child: Child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    gate.wait_until_reached(1);
    child.kill().unwrap();
    child.wait().unwrap();
    scene.fixture.emulator.mend();
    let (code, said) = scene.apply(&["--resume"]);
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

/// A pipeline runs on a connection, so many minutes after now.
fn run_on(scene: &Scene, connection: Uuid, pipeline: u32, minutes: i64, result: &str) {
    let started = scene.fixture.clock.now() + time::Duration::minutes(minutes);
    let run = Execution {
        pipeline,
        started,
        finished: Some(started + time::Duration::minutes(1)),
        result: result.to_owned(),
    };
    scene.fixture.emulator.directory().connection(connection).record.history.insert(0, run);
}

impl Scene {
    /// About the connection that is federated by the issuer of Azure DevOps.
    fn of_old_issuer() -> Self {
        let scene = Self::new();
        let old = scene.fixture.made.planted[&Planted::OldIssuer];
        Self { old, ..scene }
    }

    /// Migrated, and a run on the new one has succeeded.
    fn soaked(self) -> Self {
        self.migrate("application");
        let new = self.new_one().id;
        run_on(&self, new, 2, 1, "succeeded");
        self
    }

    fn new_one(&self) -> Connection {
        let name = format!("{}-wif", self.old().name);
        let found = self.named(&name);
        assert_eq!(found.len(), 1);
        found[0].clone()
    }

    fn status(&self, more: &[&str]) -> (i32, String) {
        self.run(&[&["migrate", "status", "plan.json.journal"][..], more].concat())
    }

    fn plan_retirement(&self, more: &[&str]) -> (i32, String) {
        let _ = fs::remove_file(self.folder.path().join("end.json.journal"));
        let begin = ["migrate", "retire", "plan", "plan.json.journal", "--output", "end.json"];
        self.run(&[&begin[..], more].concat())
    }

    fn retire(&self, more: &[&str]) -> (i32, String) {
        self.run(&[&["apply", "end.json", "--yes"][..], more].concat())
    }

    fn has_old(&self) -> bool {
        self.fixture.emulator.directory().connections().any(|one| one.id == self.old)
    }
}

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

impl Scene {
    fn new_one_after(&self) -> Connection {
        self.named("sc-old-issuer-wif")[0].clone()
    }
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
        (code, serde_json::from_str::<Value>(&said[begin..=end]).unwrap())
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
    scene.fixture.emulator.directory().connection(old).record.history.remove(0);
    let (code, status) = json();
    assert_eq!((code, &status["migrations"][0]["state"]), (0, &json!("ready")));
    assert!(scene.status(&[]).1.contains("wif migrate retire plan plan.json.journal"));
    assert_eq!(scene.plan_retirement(&["--managed-by", "none"]).0, 10);
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
                let gate = Gate::new();
                scene.fixture.emulator.fault(hold(Fault::on(service, "DELETE", path), &gate));
                let mut command = scene.command(&["apply", "end.json", "--yes"]);
                let mut child: Child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
                gate.wait_until_reached(1);
                child.kill().unwrap();
                child.wait().unwrap();
                scene.fixture.emulator.mend();
                let (code, said) = scene.retire(&["--resume"]);
                assert_eq!(code, 0, "{path}: {said}\n{}", scene.fixture.emulator.journal_text());
                assert!(!scene.has_old() && scene.app(client).record.deleted, "{path}");
                assert!(scene.roles(client).is_empty(), "{path}");
            });
        }
    });
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

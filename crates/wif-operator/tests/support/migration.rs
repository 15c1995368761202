//! An emulated organization with an old connection, and an operator who may put another one beside it.

use std::{
    fs,
    process::{Command, Stdio},
};

use emulator::{
    directory::{App, Connection, Execution, Person, Quirks, RoleAssignment, SharedWith},
    organization::{OrganizationPlan, Planted},
};
use serde_json::{Value, json};
use uuid::Uuid;
use wif_io::clock::Clock;

use crate::support::{Fixture, NAME, within};

/// An organization of two projects, a folder, and tokens of an identity that may change everything.
pub(crate) struct Scene {
    pub(crate) fixture: Fixture,
    pub(crate) folder: tempfile::TempDir,
    /// The old connection.
    pub(crate) old: Uuid,
}

pub(crate) const NEW: &str = "sc-stored-secret-wif";
pub(crate) const LEADS: Uuid = Uuid::from_u128(77);
pub(crate) const CONDITION: &str =
    "((!(ActionMatches{'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'})))";
pub(crate) const BLOB_READER: &str = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1";

impl Scene {
    pub(crate) fn new() -> Self {
        Self::under(|_| {})
    }

    /// With what is usual changed.
    pub(crate) fn under(change: impl FnOnce(&mut Quirks)) -> Self {
        let plan = OrganizationPlan::new(NAME).projects(2).connections(1).planted(&[
            Planted::StoredSecret,
            Planted::OtherTypeWithSecret,
            Planted::OldIssuer,
        ]);
        let (fixture, _) = Fixture::of_operator(&plan);
        let old = fixture.made.planted[&Planted::StoredSecret];
        {
            let mut directory = fixture.emulator.directory();
            change(&mut directory.quirks);
            let leads = Person {
                id: LEADS,
                name: "[Project 0000]\\Leads".to_owned(),
                unique_name: "leads".to_owned(),
                disabled: false,
                gone: false,
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

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wif-operator"));
        command.current_dir(&self.folder).args(arguments);
        command.env_clear().envs(self.fixture.env().iter()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String) {
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

    /// Applies within this process, where waiting takes no time.
    pub(crate) fn within(&self, plan: &str, more: &[&str]) -> (i32, String) {
        let path = self.folder.path().join(plan);
        within(&self.fixture, &[&["apply", path.to_str().unwrap(), "--yes"][..], more].concat())
    }

    pub(crate) fn plan(&self, more: &[&str]) -> (i32, String) {
        let _ = fs::remove_file(self.folder.path().join("plan.json.journal"));
        let begin = ["migrate", "plan", "--org", NAME, "--output", "plan.json"];
        self.run(&[&begin[..], more].concat())
    }

    /// Plans the migration of the old connection to an identity of this kind.
    pub(crate) fn plan_to(&self, kind: &str) -> (i32, String) {
        let (old, subscription) = (self.old.to_string(), self.fixture.made.subscription.to_string());
        let mut arguments = vec!["--connection", &old, "--to", kind];
        if kind == "managedIdentity" {
            arguments.extend(["--resource-group", "rg-app", "--subscription", &subscription]);
        }
        self.plan(&arguments)
    }

    pub(crate) fn apply(&self, more: &[&str]) -> (i32, String) {
        self.run(&[&["apply", "plan.json", "--yes"][..], more].concat())
    }

    /// Plans and applies the migration.
    pub(crate) fn migrate(&self, kind: &str) {
        let (code, said) = self.plan_to(kind);
        assert_eq!(code, 10, "{said}");
        let (code, said) = self.apply(&[]);
        assert_eq!(code, 0, "{said}\n{}", self.fixture.emulator.journal_text());
    }

    pub(crate) fn plan_file(&self) -> Value {
        serde_json::from_slice(&fs::read(self.folder.path().join("plan.json")).unwrap()).unwrap()
    }

    pub(crate) fn named(&self, name: &str) -> Vec<Connection> {
        let directory = self.fixture.emulator.directory();
        directory.connections().filter(|one| one.name == name).cloned().collect()
    }

    pub(crate) fn old(&self) -> Connection {
        self.fixture.emulator.directory().connection(self.old).clone()
    }

    pub(crate) fn app(&self, client: Uuid) -> App {
        self.fixture.emulator.directory().app(client).clone()
    }

    pub(crate) fn roles(&self, client: Uuid) -> Vec<RoleAssignment> {
        let mut directory = self.fixture.emulator.directory();
        let principal = directory.app(client).object_id;
        let mut roles: Vec<_> = directory.role_assignments.clone();
        roles.retain(|one| one.principal == principal);
        roles.sort_by_key(|one| one.scope.clone());
        roles
    }

    pub(crate) fn writes(&self) -> usize {
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
    pub(crate) fn is_as_before(&self, before: &Before) {
        assert!(self.named(NEW).is_empty());
        assert_eq!(Before::of(self), *before);
    }
}

/// What a migration must not change, and must not leave behind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Before {
    pub(crate) old: String,
    pub(crate) roles: usize,
    pub(crate) apps: usize,
}

impl Before {
    pub(crate) fn of(scene: &Scene) -> Self {
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

pub(crate) fn approval() -> Value {
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

pub(crate) fn branch_control() -> Value {
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

/// A pipeline runs on a connection, so many minutes after now.
pub(crate) fn run_on(scene: &Scene, connection: Uuid, pipeline: u32, minutes: i64, result: &str) {
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
    pub(crate) fn of_old_issuer() -> Self {
        let scene = Self::new();
        let old = scene.fixture.made.planted[&Planted::OldIssuer];
        Self { old, ..scene }
    }

    /// Migrated, and a run on the new one has succeeded.
    pub(crate) fn soaked(self) -> Self {
        self.migrate("application");
        let new = self.new_one().id;
        run_on(&self, new, 2, 1, "succeeded");
        self
    }

    pub(crate) fn new_one(&self) -> Connection {
        let name = format!("{}-wif", self.old().name);
        let found = self.named(&name);
        assert_eq!(found.len(), 1);
        found[0].clone()
    }

    pub(crate) fn status(&self, more: &[&str]) -> (i32, String) {
        self.run(&[&["migrate", "status", "plan.json.journal"][..], more].concat())
    }

    pub(crate) fn plan_retirement(&self, more: &[&str]) -> (i32, String) {
        let _ = fs::remove_file(self.folder.path().join("end.json.journal"));
        let begin = ["migrate", "retire", "plan", "plan.json.journal", "--output", "end.json"];
        self.run(&[&begin[..], more].concat())
    }

    pub(crate) fn retire(&self, more: &[&str]) -> (i32, String) {
        self.run(&[&["apply", "end.json", "--yes"][..], more].concat())
    }

    pub(crate) fn has_old(&self) -> bool {
        self.fixture.emulator.directory().connections().any(|one| one.id == self.old)
    }

    pub(crate) fn new_one_after(&self) -> Connection {
        self.named("sc-old-issuer-wif")[0].clone()
    }
}

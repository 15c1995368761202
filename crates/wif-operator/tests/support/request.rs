//! An emulated organization, a request, and an operator who may follow it.

use std::{
    fs,
    process::{Command, Stdio},
};

use emulator::{
    directory::{Connection, Person, Quirks},
    organization::OrganizationPlan,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Fixture, NAME, within};

/// An organization of two projects, a folder, and tokens of an identity that may change everything.
pub(crate) struct Scene {
    pub(crate) fixture: Fixture,
    pub(crate) folder: tempfile::TempDir,
}

/// The connection that is asked for.
pub(crate) const CONNECTION: &str = "sc-platform-prod";
/// The approvers that are asked for.
pub(crate) const LEADS: &str = "[Project 0000]\\Leads";

impl Scene {
    pub(crate) fn new() -> Self {
        Self::under(|_| {})
    }

    /// With what is usual changed.
    pub(crate) fn under(change: impl FnOnce(&mut Quirks)) -> Self {
        let (fixture, _) = Fixture::of_operator(&OrganizationPlan::new(NAME).projects(2).connections(1));
        {
            let mut directory = fixture.emulator.directory();
            change(&mut directory.quirks);
            directory.known_identities.push(Person {
                id: Uuid::from_u128(77),
                name: LEADS.to_owned(),
                unique_name: "vstfs:///Classification/TeamProject/1\\Leads".to_owned(),
                disabled: false,
                gone: false,
            });
        }
        Self { fixture, folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn group(&self) -> String {
        format!("/subscriptions/{}/resourceGroups/rg-app", self.fixture.made.subscription)
    }

    /// A request for an identity of this kind.
    pub(crate) fn request(&self, kind: &str) -> Value {
        let subscription = self.fixture.made.subscription;
        let identity = match kind {
            "application" => json!({ "kind": kind, "name": "platform-prod" }),
            "managedIdentity" => json!({
                "kind": kind, "name": "id-platform-prod", "resourceGroup": "rg-app", "subscription": subscription,
            }),
            _ => {
                let id = self.fixture.made.healthy[0];
                json!({ "kind": kind, "client": self.fixture.emulator.directory().connection(id).client })
            }
        };
        json!({
            "apiVersion": "wif/v1",
            "connection": CONNECTION,
            "projects": ["Project 0000", "Project 0001"],
            "identity": identity,
            "scope": { "subscription": subscription, "resourceGroup": "rg-app" },
            "access": [{ "role": "Reader", "scope": self.group() }],
            "pipelines": ["pipeline-2"],
            "checks": { "branches": ["refs/heads/main"], "approvers": [LEADS] },
            "owner": "platform-team@contoso.com",
            "reason": "CHG-1042",
        })
    }

    pub(crate) fn write(&self, request: &Value) {
        fs::write(self.folder.path().join("sc.yaml"), request.to_string()).unwrap();
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
        for file in ["plan.json", "plan.json.journal"] {
            said.extend(fs::read(self.folder.path().join(file)).unwrap_or_default());
        }
        assert_eq!(emulator::leaks(&self.fixture.emulator.issued(), &said), Vec::<String>::new());
        let shown = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(shown).unwrap())
    }

    pub(crate) fn plan(&self, more: &[&str]) -> (i32, String) {
        // A plan that was applied before is another one.
        let _ = fs::remove_file(self.folder.path().join("plan.json.journal"));
        // Without a word on whether code manages it nothing is deleted.
        let begin =
            ["connection", "plan", "--org", NAME, "sc.yaml", "--output", "plan.json", "--managed-by", "none"];
        self.run(&[&begin[..], more].concat())
    }

    /// Plans without a word on whether code manages the connection.
    pub(crate) fn plan_in_doubt(&self) -> (i32, String) {
        let _ = fs::remove_file(self.folder.path().join("plan.json.journal"));
        self.run(&["connection", "plan", "--org", NAME, "sc.yaml", "--output", "plan.json"])
    }

    pub(crate) fn apply(&self, more: &[&str]) -> (i32, String) {
        self.run(&[&["apply", "plan.json", "--yes"][..], more].concat())
    }

    /// Applies within this process, where waiting takes no time.
    pub(crate) fn apply_within(&self, more: &[&str]) -> (i32, String) {
        let path = self.folder.path().join("plan.json");
        within(&self.fixture, &[&["apply", path.to_str().unwrap(), "--yes"][..], more].concat())
    }

    /// Plans and applies what is asked for.
    pub(crate) fn vend(&self, request: &Value) {
        self.write(request);
        let (code, said) = self.plan(&[]);
        assert_eq!(code, 10, "{said}");
        let (code, said) = self.apply(&[]);
        assert_eq!(code, 0, "{said}\n{}", self.fixture.emulator.journal_text());
    }

    /// Nothing is to be done, by both commands, and neither writes.
    pub(crate) fn is_settled(&self) {
        let writes = self.writes();
        let (code, said) = self.run(&["connection", "drift", "--org", NAME, "sc.yaml"]);
        assert_eq!(code, 0, "{said}");
        let (code, said) = self.plan(&[]);
        assert_eq!(code, 0, "{said}");
        assert_eq!(self.writes(), writes);
    }

    pub(crate) fn writes(&self) -> usize {
        let is_write = |one: &&emulator::Entry| {
            ["PUT", "PATCH", "DELETE"].contains(&one.method.as_str())
                || one.method == "POST"
                    && ["/endpoints", "/configurations", "/servicePrincipals"]
                        .iter()
                        .any(|end| one.path.split('?').next().unwrap().ends_with(end))
        };
        self.fixture.emulator.journal().iter().filter(is_write).count()
    }

    pub(crate) fn vended(&self) -> Vec<Connection> {
        let directory = self.fixture.emulator.directory();
        directory.connections().filter(|one| one.name == CONNECTION).cloned().collect()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Connection)) {
        let id = self.vended()[0].id;
        change(self.fixture.emulator.directory().connection(id));
    }
}

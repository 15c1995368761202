//! An emulated organization, and an operator who may change it.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use emulator::{
    Service,
    directory::Quirks,
    organization::{OrganizationPlan, Planted},
};
use serde_json::Value;
use uuid::Uuid;
use wif_io::clock::Clock as _;

use crate::support::{Fixture, NAME, pages::follow, within};

/// An organization, a folder for plans, and tokens of an identity that may change it.
pub(crate) struct Scene {
    pub(crate) fixture: Fixture,
    pub(crate) operator: Uuid,
    pub(crate) folder: tempfile::TempDir,
}

impl Scene {
    pub(crate) fn new(planted: &[Planted], healthy: usize) -> Self {
        let plan = OrganizationPlan::new(NAME).connections(healthy).planted(planted);
        let (fixture, operator) = Fixture::of_operator(&plan);
        Self { fixture, operator, folder: tempfile::tempdir().unwrap() }
    }

    /// With what is usual changed.
    pub(crate) fn under(planted: &[Planted], change: impl FnOnce(&mut Quirks)) -> Self {
        let scene = Self::new(planted, 0);
        change(&mut scene.fixture.emulator.directory().quirks);
        scene
    }

    pub(crate) fn plan(&self) -> PathBuf {
        self.folder.path().join("plan.json")
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.path().join("plan.json.journal")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wif-operator"));
        command.args(arguments).env_clear().envs(self.fixture.env().iter()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        let mut said = [&*output.stdout, &*output.stderr].concat();
        for file in [self.plan(), self.journal()] {
            said.extend(fs::read(file).unwrap_or_default());
        }
        assert_eq!(emulator::leaks(&self.fixture.emulator.issued(), &said), Vec::<String>::new());
        output
    }

    /// Runs, and returns the exit code and what was said.
    pub(crate) fn code(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }

    pub(crate) fn convert_plan(&self, more: &[&str]) -> (i32, String) {
        self.plan_of("convert", more)
    }

    /// Makes the plan of a command.
    pub(crate) fn plan_of(&self, command: &str, more: &[&str]) -> (i32, String) {
        let path = self.plan();
        let begin = [command, "plan", "--org", NAME, "--output", path.to_str().unwrap()];
        // Otherwise nothing is deleted.
        let managed: &[&str] = if command == "issuer" { &["--managed-by", "none"] } else { &[] };
        self.code(&[&begin[..], managed, more].concat())
    }

    pub(crate) fn apply(&self, more: &[&str]) -> (i32, String) {
        let path = self.plan();
        self.code(&[&["apply", path.to_str().unwrap()][..], more].concat())
    }

    pub(crate) fn id(&self, planted: Planted) -> Uuid {
        self.fixture.made.planted[&planted]
    }

    pub(crate) fn scheme(&self, id: Uuid) -> String {
        self.fixture.emulator.directory().connection(id).scheme.clone()
    }

    /// The subjects that the application of a connection trusts.
    pub(crate) fn trusted(&self, id: Uuid) -> Vec<String> {
        let mut directory = self.fixture.emulator.directory();
        let client = directory.connection(id).client;
        directory.app(client).federated_credentials.iter().map(|one| one.subject.clone()).collect()
    }

    /// How many requests with this method were answered with success.
    pub(crate) fn done(&self, service: Service, method: &str) -> usize {
        let journal = self.fixture.emulator.journal();
        let is_it = |entry: &&emulator::Entry| {
            entry.service == service
                && entry.method == method
                && entry.status.is_some_and(|status| (200..300).contains(&status))
        };
        journal.iter().filter(is_it).count()
    }

    /// How many requests there were that change something.
    pub(crate) fn writes(&self) -> usize {
        let changes = |entry: &&emulator::Entry| ["PUT", "PATCH", "DELETE"].contains(&entry.method.as_str());
        self.fixture.emulator.journal().iter().filter(changes).count()
    }

    pub(crate) fn phases(&self) -> Vec<String> {
        let text = fs::read_to_string(self.journal()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| line["phase"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn apply_command(&self, more: &[&str]) -> Command {
        let path = self.plan();
        self.command(&[&["apply", path.to_str().unwrap()][..], more].concat())
    }

    pub(crate) fn spawn_apply(&self, more: &[&str]) -> Child {
        self.apply_command(more).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Runs a block of commands of a page in the folder; `after` is told each code.
    pub(crate) fn follow(&self, block: &str, after: impl FnMut(i32)) {
        let in_folder = |arguments: &[&str]| {
            let mut command = self.command(arguments);
            command.current_dir(self.folder.path());
            command
        };
        follow(block, in_folder, after);
    }

    /// Applies within this process, where waiting takes no time.
    pub(crate) fn apply_within(&self, more: &[&str]) -> (i32, String) {
        let path = self.plan();
        within(&self.fixture, &[&["apply", path.to_str().unwrap()][..], more].concat())
    }

    /// How far the clock of the commands within this process is ahead.
    pub(crate) fn passed(&self) -> time::Duration {
        self.fixture.clock.elapsed().try_into().unwrap()
    }
}

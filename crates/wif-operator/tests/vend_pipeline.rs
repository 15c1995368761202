//! The example `vend.yml`, run by the emulated agent: the real task signs in, and the real programs plan and apply.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use emulator::{
    Emulator, Proxy,
    agent::{Agent, JobReport, JobResult, Pipeline, ProxySettings, StepResult, jobs_from_yaml},
    organization::OrganizationPlan,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::artifacts::stand_in;

const ORGANIZATION: &str = "fabrikam";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The task folder with this build's `wif`, beside which no `wif-operator` lies.
fn task_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["task.json", "index.js", "post.js"] {
        fs::copy(repository().join("task").join(file), folder.path().join(file)).unwrap();
    }
    let node = Command::new("node").args(["-p", "`${process.platform}-${process.arch}`"]).output().unwrap();
    let bin = folder.path().join("bin").join(String::from_utf8(node.stdout).unwrap().trim());
    fs::create_dir_all(&bin).unwrap();
    // Of the whole workspace, which is what `cargo xtask test` builds.
    let program = Path::new(env!("CARGO_BIN_EXE_wif-operator")).with_file_name("wif");
    assert!(program.exists(), "build wif first: cargo nextest run --workspace");
    fs::hard_link(&program, bin.join("wif"))
        .or_else(|_| fs::copy(&program, bin.join("wif")).map(|_| ()))
        .unwrap();
    folder
}

/// The repository of a team, and the two jobs of its pipeline.
struct Team {
    emulator: Emulator,
    agent: Agent,
    jobs: Vec<(String, Pipeline)>,
    kept: TempDir,
    _proxy: Proxy,
    _folders: [TempDir; 4],
}

impl Team {
    fn new(request: impl FnOnce(&str) -> Value) -> Self {
        let emulator = Emulator::start();
        let made = emulator.add_organization(&OrganizationPlan::new(ORGANIZATION).connections(1));
        {
            let usual = emulator.usual();
            let mut directory = emulator.directory();
            directory.public_names = true;
            directory.subscription(made.subscription).roles.push(usual.client);
            let app = directory.app(usual.client);
            (app.reads_applications, app.writes_applications) = (true, true);
        }
        let proxy = Proxy::start(Proxy::leading_to(&emulator));
        let settings = ProxySettings { url: proxy.url(), ..ProxySettings::default() };
        let path = tempfile::tempdir().unwrap();
        symlink(env!("CARGO_BIN_EXE_wif-operator"), path.path().join("wif-operator")).unwrap();
        #[expect(clippy::disallowed_methods, reason = "the agent finds bash and Node as this machine does")]
        let own = std::env::var("PATH").unwrap();
        let paths = format!("{}:{own}", path.path().display());
        let agent = Agent::new()
            .ca_file(emulator.ca_file())
            .machine_env("SSL_CERT_FILE", emulator.ca_file().display().to_string())
            .machine_env("PATH", paths)
            .proxy(settings);
        let folder = agent.sources_folder().join("connections");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("sc-app.yaml"), request(&made.subscription.to_string()).to_string()).unwrap();

        let (task, kept) = (task_folder(), tempfile::tempdir().unwrap());
        let (download, publish) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        stand_in(download.path(), kept.path(), "artifactName", "fs.cpSync(kept, path, { recursive: true })");
        stand_in(publish.path(), kept.path(), "artifact", "fs.cpSync(path, kept, { recursive: true })");
        let folder_of = |name: &str| match name {
            "AzureWorkloadIdentity@1" => Some(task.path().to_owned()),
            "DownloadPipelineArtifact@2" => Some(download.path().to_owned()),
            "PublishPipelineArtifact@1" => Some(publish.path().to_owned()),
            _ => None,
        };
        let text = fs::read_to_string(repository().join("docs/examples/vend.yml")).unwrap();
        // The connections and the organization are the emulator's.
        let here = text
            .replace("azureSubscription: sc-reader", "azureSubscription: sc-prod")
            .replace("azureSubscription: sc-vending", "azureSubscription: sc-prod")
            .replace("$(System.CollectionUri)", ORGANIZATION);
        let jobs = jobs_from_yaml(&here, &folder_of).unwrap();
        Self { emulator, agent, jobs, kept, _proxy: proxy, _folders: [task, download, publish, path] }
    }

    fn run(&self, job: &str) -> JobReport {
        let (_, pipeline) = self.jobs.iter().find(|(name, _)| name == job).unwrap();
        let message = self.emulator.job(self.emulator.usual().connection);
        let report = self.agent.run(&message, &pipeline.steps);
        let said = report.log.as_bytes();
        assert_eq!(emulator::leaks(&self.emulator.issued(), said), Vec::<String>::new(), "{}", report.log);
        report
    }

    /// How many requests have changed the organization or its identities.
    fn writes(&self) -> usize {
        let is_write = |one: &&emulator::Entry| {
            ["PUT", "PATCH", "DELETE"].contains(&one.method.as_str())
                || one.path.ends_with("/endpoints?api-version=7.1")
        };
        self.emulator.journal().iter().filter(is_write).count()
    }
}

fn request(subscription: &str) -> Value {
    let scope = format!("/subscriptions/{subscription}/resourceGroups/rg-app");
    json!({
        "apiVersion": "wif/v1",
        "connection": "sc-app",
        "projects": ["Project 0000"],
        "identity": { "kind": "application", "name": "app" },
        "scope": { "subscription": subscription, "resourceGroup": "rg-app" },
        "access": [{ "role": "Reader", "scope": scope }],
        "owner": "team@contoso.com",
        "reason": "CHG-1",
    })
}

/// What the step says to the stage that follows.
fn has_changes(report: &JobReport) -> &str {
    let commands = &report.step("Plan").commands;
    let set = commands.iter().find(|command| command.is("task", "setvariable")).unwrap();
    assert_eq!((set.property("variable"), set.property("isOutput")), (Some("changes"), Some("true")));
    &set.data
}

#[test]
fn the_example_shows_the_plan_and_applies_exactly_that_one() {
    let team = Team::new(request);
    let planned = team.run("Plan");
    assert_eq!((planned.result, has_changes(&planned)), (JobResult::Succeeded, "true"), "{}", planned.log);
    let summary = planned
        .summaries
        .iter()
        .find_map(|one| one.content.as_deref().filter(|text| text.contains("sc-app")));
    assert!(summary.unwrap().contains("make the connection sc-app"), "{}", planned.log);
    assert_eq!(team.writes(), 0);
    let plan = fs::read(team.kept.path().join("plan/plan.json")).unwrap();

    let applied = team.run("Apply");
    assert_eq!(applied.result, JobResult::Succeeded, "{}\n{}", applied.log, team.emulator.journal_text());
    let made = team.emulator.directory().connections().filter(|one| one.name == "sc-app").count();
    assert_eq!(made, 1);
    let journal = fs::read_to_string(team.kept.path().join("applied-1/plan.json.journal")).unwrap();
    let sum = serde_json::from_slice::<Value>(&plan).unwrap()["sha256"].clone();
    assert!(journal.contains(sum.as_str().unwrap()) && journal.contains("\"done\""), "{journal}");

    let again = team.run("Plan");
    assert_eq!((again.result, has_changes(&again)), (JobResult::Succeeded, "false"), "{}", again.log);
}

#[test]
fn a_request_that_asks_for_too_much_fails_the_run() {
    let team = Team::new(|subscription| {
        let mut request = request(subscription);
        request["access"][0]["role"] = json!("Owner");
        request
    });
    let planned = team.run("Plan");
    let step = planned.step("Plan");
    assert_eq!((step.result, step.exit_code), (StepResult::Failed, Some(2)), "{}", planned.log);
    assert!(step.log.contains("Owner is a privileged role"), "{}", step.log);
}

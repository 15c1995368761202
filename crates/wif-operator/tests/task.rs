//! The task `AuditServiceConnections@1`: the real shim and the real program, run by the emulated agent.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use emulator::{
    Emulator, Fault, Gate, Proxy, Service,
    agent::{Agent, JobReport, JobResult, ProxySettings, Step, StepReport, StepResult, pipeline_from_yaml},
    job::JobMessage,
    organization::{OrganizationPlan, Planted},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::artifacts::stand_in;

const ORGANIZATION: &str = "fabrikam";
const STEP: &str = "Audit";

/// A job that is to audit another organization, by a connection whose identity may read everything there.
struct Night {
    emulator: Emulator,
    proxy: Proxy,
    agent: Agent,
    message: JobMessage,
    task: TempDir,
    written: TempDir,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The task folder as the extension has it, with this build's program for this machine.
fn task_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = repository();
    for (file, source) in [
        ("task.json", "audit-task/task.json"),
        ("audit.js", "audit-task/audit.js"),
        ("index.js", "task/index.js"),
    ] {
        fs::copy(from.join(source), folder.path().join(file)).unwrap();
    }
    let node = Command::new("node").args(["-p", "`${process.platform}-${process.arch}`"]).output().unwrap();
    let bin = folder.path().join("bin").join(String::from_utf8(node.stdout).unwrap().trim());
    fs::create_dir_all(&bin).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_wif-operator"));
    let staged = bin.join(program.file_name().unwrap());
    fs::hard_link(program, &staged).or_else(|_| fs::copy(program, &staged).map(|_| ())).unwrap();
    folder
}

impl Night {
    fn new(plan: &OrganizationPlan) -> Self {
        let emulator = Emulator::start();
        let made = emulator.add_organization(plan);
        let usual = emulator.usual();
        {
            let mut directory = emulator.directory();
            directory.public_names = true;
            directory.subscription(made.subscription).roles.push(usual.client);
            directory.app(usual.client).reads_applications = true;
        }
        let message = emulator.job(usual.connection);
        let proxy = Proxy::start(Proxy::leading_to(&emulator));
        let settings = ProxySettings { url: proxy.url(), ..ProxySettings::default() };
        let agent = Agent::new().ca_file(emulator.ca_file()).proxy(settings);
        let written = tempfile::tempdir().unwrap();
        Self { emulator, proxy, agent, message, task: task_folder(), written }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.written.path().join("reports").join(file)
    }

    /// Runs the step. Whatever it printed, no secret is in it, and nothing stays behind.
    fn run(&self, inputs: &[(&str, &str)]) -> JobReport {
        let folder = self.path("").display().to_string();
        let usual = [
            ("azureSubscription", "sc-prod"),
            ("organization", ORGANIZATION),
            ("outputFolder", folder.as_str()),
        ];
        let inputs: Vec<_> = usual.iter().chain(inputs).copied().collect();
        let report =
            self.agent.run(&self.message, &[Step::task(self.task.path(), &inputs).display_name(STEP)]);
        assert_eq!(emulator::leaks(&self.emulator.issued(), report.log.as_bytes()), Vec::<String>::new());
        assert_eq!(report.killed_orphans.len(), 0, "{}", report.log);
        report
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("audit.json")).unwrap()).unwrap()
    }
}

/// What the agent is told at the end: the result, and the sentence beside it.
fn ended(step: &StepReport) -> (Option<&str>, &str) {
    let last = step.commands.last().unwrap();
    assert!(last.is("task", "complete"), "{}", step.log);
    (last.property("result"), &last.data)
}

#[test]
fn the_step_audits_by_its_connection_and_fails_by_fail_on() {
    let plan = OrganizationPlan::new(ORGANIZATION).projects(2).connections(3);
    let night = Night::new(&plan.planted(&[Planted::StoredSecret, Planted::OpenToAll]));
    let report = night.run(&[("formats", "json, sarif\nHTML, csv, markdown, text")]);
    let step = report.step(STEP);
    assert_eq!(
        (report.result, step.result, step.exit_code),
        (JobResult::Failed, StepResult::Failed, Some(0))
    );
    let (result, text) = ended(step);
    assert_eq!(result, Some("Failed"), "{}", step.log);
    assert!(text.contains("failOn is warning"), "{text}");
    let codes = |kind| -> Vec<_> {
        let all = step.issues.iter().filter(|issue| issue.kind == kind);
        all.map(|issue| issue.code.as_deref().unwrap_or_default()).collect()
    };
    assert_eq!(codes(emulator::agent::IssueKind::Error), ["WIF6101"], "{}", step.log);
    assert_eq!(codes(emulator::agent::IssueKind::Warning), ["WIF6301"], "{}", step.log);
    assert_eq!(report.summaries.len(), 1);
    let summary = report.summaries[0].content.as_deref().unwrap();
    assert!(summary.contains("# Service connections") && summary.contains("WIF6101"), "{summary}");
    for file in ["audit.json", "audit.sarif", "audit.html", "audit.csv", "audit.md", "audit.txt"] {
        assert!(fs::metadata(night.path(file)).is_ok_and(|file| file.len() > 100), "{file}");
    }
    let json = night.json();
    assert_eq!(json["organizations"][0]["name"], ORGANIZATION);
    assert_eq!((&json["totals"]["connections"], &json["totals"]["faults"]), (&5.into(), &1.into()));
    let unread: Vec<_> =
        json["coverage"].as_array().unwrap().iter().filter(|entry| entry["state"] != "read").collect();
    assert!(unread.is_empty(), "{unread:#?}");
    // The log of the step has the report as text.
    assert!(step.log.contains("5 connections: 1 with a stored secret, 4 federated"), "{}", step.log);
    assert_eq!(step.raw_stderr, "");
    assert!(night.proxy.tunnels("graph.microsoft.com:443") > 0);
    // Nothing is written to the organization.
    let asked = night.emulator.journal();
    let is_write = |entry: &&emulator::Entry| {
        let is_query = ["/oidctoken", "/token", "queryconfigurations", "$batch", "ResourceGraph"];
        entry.method != "GET" && !is_query.iter().any(|part| entry.path.contains(part))
    };
    assert_eq!(asked.iter().filter(is_write).count(), 0);
}

#[test]
fn what_the_baseline_has_does_not_fail_the_step() {
    let plan = OrganizationPlan::new(ORGANIZATION).connections(1).planted(&[Planted::StoredSecret]);
    let night = Night::new(&plan);
    let missing = night.path("last.json").display().to_string();
    let first = night.run(&[("failOn", "new:fault"), ("baseline", &missing), ("formats", "json")]);
    let step = first.step(STEP);
    assert_eq!(step.result, StepResult::Failed, "{}", step.log);
    assert!(step.warnings().iter().any(|text| text.contains("everything counts as new")), "{}", step.log);
    fs::rename(night.path("audit.json"), night.path("last.json")).unwrap();
    let second = night.run(&[("failOn", "new:fault"), ("baseline", &missing), ("formats", "json")]);
    let step = second.step(STEP);
    assert_eq!((second.result, step.result), (JobResult::Succeeded, StepResult::Succeeded), "{}", step.log);
    assert_eq!(night.json()["baseline"]["new"], 0);
    assert!(!night.path("audit.sarif").exists());
}

#[test]
fn what_could_not_be_read_is_no_success() {
    let night = Night::new(&OrganizationPlan::new(ORGANIZATION).connections(2));
    let refused = Fault::on(Service::Graph, "GET", "/v1.0/").status(403).always();
    night.emulator.fault(refused);
    night.emulator.fault(Fault::on(Service::Graph, "POST", "/v1.0/").status(403).always());
    let report = night.run(&[]);
    let step = report.step(STEP);
    assert_eq!(step.result, StepResult::SucceededWithIssues, "{}", step.log);
    let (result, text) = ended(step);
    assert_eq!(result, Some("SucceededWithIssues"));
    assert!(text.contains("not seen is not good"), "{text}");
    assert!(report.summaries[0].content.as_deref().unwrap().contains("Not seen, and so not judged"));
}

#[test]
fn a_finding_that_counts_fails_the_step_also_where_not_everything_could_be_read() {
    let plan = OrganizationPlan::new(ORGANIZATION).connections(1).planted(&[Planted::OpenToAll]);
    let night = Night::new(&plan);
    for method in ["GET", "POST"] {
        night.emulator.fault(Fault::on(Service::Graph, method, "/v1.0/").status(403).always());
    }
    for (fail_on, expected, words) in [
        ("warning", StepResult::Failed, "failOn is warning"),
        ("fault", StepResult::SucceededWithIssues, "not seen is not good"),
    ] {
        let report = night.run(&[("failOn", fail_on)]);
        let step = report.step(STEP);
        assert_eq!(step.result, expected, "{fail_on}: {}", step.log);
        assert!(ended(step).1.contains(words), "{}", step.log);
        let totals = &night.json()["totals"];
        assert_eq!(totals["faults"], 0, "{totals}");
        assert_ne!(totals["warnings"], 0, "{totals}");
    }
}

#[test]
fn a_connection_that_is_not_trusted_fails_the_step_as_the_other_task_says_it() {
    let night = Night::new(&OrganizationPlan::new(ORGANIZATION).connections(1));
    night.emulator.fault(Fault::on(Service::Entra, "POST", "/token").aadsts(7_002_138).always());
    let report = night.run(&[]);
    let step = report.step(STEP);
    assert_eq!(step.result, StepResult::Failed);
    let errors = step.errors();
    assert!(errors[0].starts_with("WIF2013: ") && errors[0].contains("AADSTS7002138"), "{errors:?}");
    assert!(!night.path("audit.json").exists());
}

#[test]
fn a_variable_of_an_earlier_step_that_could_stand_for_an_input_ends_the_step() {
    let night = Night::new(&OrganizationPlan::new(ORGANIZATION).planted(&[Planted::StoredSecret]));
    for name in ["input.failOn", "INPUT_ORGANIZATION", "endpoint.url.SystemVssConnection"] {
        let before = Step::bash(format!("echo '##vso[task.setvariable variable={name}]none'"));
        let folder = night.path("").display().to_string();
        let inputs =
            [("azureSubscription", "sc-prod"), ("organization", ORGANIZATION), ("outputFolder", &*folder)];
        let step = Step::task(night.task.path(), &inputs).display_name(STEP);
        let report = night.agent.run(&night.message, &[before, step]);
        let step = report.step(STEP);
        assert_eq!(step.result, StepResult::Failed, "{name}: {}", step.log);
        let errors = step.errors().concat();
        assert!(errors.contains(&format!("a variable '{name}'")), "{errors}");
    }
    assert_eq!(night.emulator.journal().len(), 0);
}

#[test]
fn inputs_that_cannot_be_used_are_named_before_anything_is_asked() {
    let night = Night::new(&OrganizationPlan::new(ORGANIZATION));
    let file = night.written.path().join("file");
    fs::write(&file, "").unwrap();
    let below_a_file = file.join("reports").display().to_string();
    for (name, value, expected) in [
        ("failOn", "error", "the input failOn is 'error'"),
        ("formats", "pdf", "the input formats has 'pdf'"),
        ("organization", "https://evil.example/contoso", "names the host evil.example"),
        ("failOn", "new:warning", "the input baseline is empty"),
        ("outputFolder", &below_a_file, "could not be made"),
    ] {
        let report = night.run(&[(name, value)]);
        let errors = report.step(STEP).errors().concat();
        assert_eq!(report.step(STEP).result, StepResult::Failed);
        assert!(errors.contains(expected), "{errors}");
    }
    assert_eq!(night.emulator.journal().len(), 0);
}

#[test]
fn two_steps_at_once_write_into_one_folder_whose_name_has_blanks() {
    let night = Night::new(&OrganizationPlan::new(ORGANIZATION).connections(1));
    let folder = night.written.path().join("two runs, one folder (x)").display().to_string();
    let inputs =
        [("azureSubscription", "sc-prod"), ("organization", ORGANIZATION), ("outputFolder", &*folder)];
    let step = || [Step::task(night.task.path(), &inputs).display_name(STEP)];
    let other = Agent::new().ca_file(night.emulator.ca_file());
    let other = other.proxy(ProxySettings { url: night.proxy.url(), ..ProxySettings::default() });
    let jobs = [night.agent.start(&night.message, &step()), other.start(&night.message, &step())];
    for job in jobs {
        let report = job.finish();
        assert_eq!(report.step(STEP).result, StepResult::Succeeded, "{}", report.log);
        assert!(report.log.contains("two runs, one folder (x)/audit.json"), "{}", report.log);
    }
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|one| one.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["audit.html", "audit.json", "audit.sarif"]);
}

#[test]
fn a_step_that_is_canceled_while_it_reads_writes_no_file_and_no_summary() {
    let night = Night::new(&OrganizationPlan::new(ORGANIZATION).projects(3).connections(3));
    let gate = Gate::new();
    let list = Fault::on(Service::DevOps, "GET", "/serviceendpoint/endpoints");
    night.emulator.fault(list.always().gate(&gate));
    let folder = night.path("").display().to_string();
    let inputs =
        [("azureSubscription", "sc-prod"), ("organization", ORGANIZATION), ("outputFolder", &*folder)];
    let step = Step::task(night.task.path(), &inputs).display_name(STEP);
    let job = night.agent.start(&night.message, &[step]);
    gate.wait_until_reached(1);
    job.cancel();
    let report = job.finish();
    gate.open();
    let step = report.step(STEP);
    assert_eq!(step.result, StepResult::Canceled, "{}", report.log);
    assert!(step.log.contains("Nothing was read of fabrikam"), "{}", step.log);
    let issues = step.issues.iter().filter(|issue| issue.code.is_some());
    assert_eq!((report.summaries.len(), issues.count()), (0, 0), "{}", step.log);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    assert_eq!(report.killed_orphans.len(), 0, "{}", report.log);
}

#[test]
fn the_example_pipeline_runs_and_keeps_its_report_for_the_next_night() {
    let text = fs::read_to_string(repository().join("docs/examples/audit.yml")).unwrap();
    let plan = OrganizationPlan::new(ORGANIZATION).connections(1).planted(&[Planted::StoredSecret]);
    let night = Night::new(&plan);
    // What Azure DevOps keeps of a run, for the next one.
    let kept = tempfile::tempdir().unwrap();
    let (download, publish) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    stand_in(download.path(), kept.path(), "artifactName", "fs.cpSync(kept, path, { recursive: true })");
    stand_in(publish.path(), kept.path(), "artifact", "fs.cpSync(path, kept, { recursive: true })");
    let folder = |task: &str| match task {
        "AuditServiceConnections@1" => Some(night.task.path().to_owned()),
        "DownloadPipelineArtifact@2" => Some(download.path().to_owned()),
        "PublishPipelineArtifact@1" => Some(publish.path().to_owned()),
        _ => None,
    };
    let here = text
        .replace("azureSubscription: sc-audit", "azureSubscription: sc-prod\n      organization: fabrikam");
    let pipeline = pipeline_from_yaml(&here, &folder).unwrap();
    fs::write(night.agent.sources_folder().join("waivers.yml"), "[]\n").unwrap();
    let first = night.agent.run(&night.message, &pipeline.steps);
    assert_eq!(first.step(STEP).result, StepResult::Failed, "{}", first.log);
    for file in ["audit/audit.json", "audit/audit.html", "CodeAnalysisLogs/audit.sarif"] {
        assert!(kept.path().join(file).exists(), "{file}: {}", first.log);
    }
    let second = night.agent.run(&night.message, &pipeline.steps);
    assert_eq!(
        (second.result, second.step(STEP).result),
        (JobResult::Succeeded, StepResult::Succeeded),
        "{}",
        second.log
    );
    assert!(text.contains("schedules:") && text.contains("failOn: new:fault"));
    let declared = fs::read_to_string(repository().join("audit-task/task.json")).unwrap();
    let declared: Value = serde_json::from_str(&declared).unwrap();
    let names: Vec<_> =
        declared["inputs"].as_array().unwrap().iter().map(|input| input["name"].as_str().unwrap()).collect();
    let step = text.split("- task: AuditServiceConnections@1").nth(1).unwrap();
    let inputs = step.split("inputs:").nth(1).unwrap().lines().skip(1);
    let inputs: Vec<_> = inputs.take_while(|line| line.starts_with("      ")).collect();
    assert!(inputs.len() >= 3, "{inputs:?}");
    for line in inputs {
        let (name, _) = line.trim().split_once(':').unwrap();
        assert!(names.contains(&name), "the example gives {name}");
    }
}

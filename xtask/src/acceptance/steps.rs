//! Steps of public repositories that use `AzureCLI@2`, with the real az: each runs as a step of the task, with the name changed and
//! nothing else, and once more after a plain `az login --service-principal --federated-token`. What az asks Azure for must be the same.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use emulator::{
    Emulator, Entry, Proxy, Service,
    agent::{Agent, JobReport, Pipeline, ProxySettings, Step, StepResult, pipeline_from_yaml},
    job::{JobMessage, Variable},
};

use super::{
    install::{self, Found, Installed},
    journal::is_by,
    table::{CloudRow, Outcome},
};
use crate::process::{Result, root};

/// A step whose commands of az are all in az itself, so that they run without an extension.
struct Compared {
    /// The row's name ends with the name of its file in `tests/azure_cli_steps/`, without `.yml`.
    row: &'static str,
    /// How many requests to Azure az sends at least: none would prove nothing, where one is meant.
    requests: usize,
    /// For which resources az asks Entra itself after the login.
    resources: &'static [&'static str],
}

const fn step(row: &'static str, requests: usize) -> Compared {
    Compared { row, requests, resources: &[] }
}

const STEPS: &[Compared] = &[
    step("AzureCLI@2, 01-identity-into-variables", 0),
    step("AzureCLI@2, 02-workspace-file", 0),
    step("AzureCLI@2, 11-subscription-deployment", 1),
    step("AzureCLI@2, 12-script-of-the-repository", 1),
    step("AzureCLI@2, 14-web-app", 2),
    step("AzureCLI@2, 15-wheel-of-a-spark-pool", 2),
    step("AzureCLI@2, 16-tests-with-connection-strings", 1),
    step("AzureCLI@2, 17-database-as-it-was", 1),
    Compared {
        resources: &["https://storage.azure.com"],
        ..step("AzureCLI@2, 18-token-of-another-service", 0)
    },
];

/// Runs those that are asked for, by a part of their names.
pub(super) fn run(task: &Path, folder: &Path, only: Option<&str>) -> Vec<CloudRow> {
    let wanted: Vec<_> =
        STEPS.iter().filter(|step| only.is_none_or(|only| step.row.contains(only))).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    println!("steps of AzureCLI@2");
    let found = install::azure_cli(folder);
    let mut rows = Vec::new();
    for step in wanted {
        let (version, outcome) = match &found {
            Found::Ready(az) => (az.version.clone(), step.run(task, az).unwrap_or_else(Outcome::Failed)),
            Found::Missing(what) => (String::new(), Outcome::Skipped(what.clone())),
            Found::Broken(log) => (String::new(), Outcome::Failed(log.clone())),
        };
        println!("  {}: {}", step.row, outcome.word());
        if let Outcome::Failed(log) = &outcome {
            println!("{log}");
        }
        rows.push(CloudRow { client: step.row, version, outcome });
    }
    rows
}

impl Compared {
    fn run(&self, task: &Path, az: &Installed) -> Result<Outcome> {
        let text = fs::read_to_string(self.file()).map_err(|error| format!("{}: {error}", self.row))?;
        let changed = text.replace("AzureCLI@2", "AzureWorkloadIdentity@1");
        let ours = Machine::new(az)?;
        let report = ours.run(&pipeline(&changed, task)?);
        let ours = Seen::of(&ours, &report, 0)?;

        let plain = Machine::new(az)?;
        let login = kept("login.sh");
        let login = fs::read_to_string(&login).map_err(|error| format!("{}: {error}", login.display()))?;
        let login = Step::bash(login).env("SYSTEM_ACCESSTOKEN", "$(System.AccessToken)");
        let report = plain.run(&Pipeline { steps: vec![login], variables: Vec::new() });
        if report.steps.iter().any(|step| step.result != StepResult::Succeeded) {
            return Err(format!(
                "the plain login failed:\n{}\n{}",
                report.log,
                plain.emulator.journal_text()
            ));
        }
        let before = plain.emulator.journal().len();
        let report = plain.run(&pipeline(&text, &kept(""))?);
        let plain = Seen::of(&plain, &report, before)?;

        let mut complaints = ours.beside(&plain);
        if plain.requests.len() < self.requests {
            complaints.push(format!("az asked Azure {} times after its login", plain.requests.len()));
        }
        for resource in self.resources {
            let asked = |seen: &Seen| seen.scopes.iter().any(|scope| scope.starts_with(resource));
            if !asked(&plain) || !asked(&ours) {
                complaints.push(format!("nobody asked Entra for {resource}"));
            }
        }
        if complaints.is_empty() {
            return Ok(Outcome::Ok);
        }
        Ok(Outcome::Failed(format!("{}\n\n{}\n\n{}", complaints.join("\n"), ours.log, plain.log)))
    }

    fn file(&self) -> PathBuf {
        let (_task, name) = self.row.rsplit_once(' ').unwrap_or_default();
        root().join("tests").join("azure_cli_steps").join(format!("{name}.yml"))
    }
}

fn pipeline(text: &str, task: &Path) -> Result<Pipeline> {
    pipeline_from_yaml(text, &|_name| Some(task.to_owned()))
}

/// A file beside the task that stands for `AzureCLI@2`; the folder itself for an empty name.
fn kept(name: &str) -> PathBuf {
    root().join("xtask").join("acceptance").join("azure-cli-2").join(name)
}

/// An agent with az, and services of its own that it finds under their public names.
struct Machine {
    emulator: Emulator,
    _proxy: Proxy,
    agent: Agent,
    message: JobMessage,
    _home: tempfile::TempDir,
}

impl Machine {
    fn new(az: &Installed) -> Result<Self> {
        let failed = |error: std::io::Error| error.to_string();
        let emulator = Emulator::start();
        emulator.directory().public_names = true;
        let usual = emulator.usual();
        let proxy = Proxy::start(Proxy::leading_to(&emulator));
        let mut message = emulator.job(usual.connection);
        let job_token = message.job_token.clone();
        for (name, value, secret) in [
            ("CLIENT", usual.client.to_string(), false),
            ("TENANT", usual.tenant.to_string(), false),
            ("SUBSCRIPTION", usual.subscription.to_string(), false),
            ("serviceConnectionId", usual.connection.to_string(), false),
            ("System.AccessToken", job_token, true),
        ] {
            message.variables.push(Variable { name: name.to_owned(), value, secret });
        }
        let home = tempfile::tempdir().map_err(failed)?;
        let ca = emulator.ca_file().to_string_lossy().into_owned();
        let mut agent = Agent::new()
            .ca_file(emulator.ca_file())
            .proxy(ProxySettings { url: proxy.url(), ..ProxySettings::default() })
            .path(&kept("stand-ins"))
            .machine_env("HTTPS_PROXY", proxy.url())
            .machine_env("REQUESTS_CA_BUNDLE", &ca)
            .machine_env("CURL_CA_BUNDLE", &ca)
            .machine_env("HOME", home.path().to_string_lossy())
            .machine_env("AZURE_CORE_COLLECT_TELEMETRY", "no");
        if let Some(path) = &az.path {
            agent = agent.path(path);
        }
        // What the scripts find in their repositories.
        let sources = agent.sources_folder();
        for folder in ["drop", "e2e", "infrastructure"] {
            fs::create_dir_all(sources.join(folder)).map_err(failed)?;
        }
        for (file, text) in [
            ("infrastructure/main.bicep", "targetScope = 'subscription'\n"),
            ("drop/requirements.txt", "flask\n"),
            ("quick-setup.bash", "az group show --subscription \"$2\" --name \"$3\"\n"),
        ] {
            fs::write(sources.join(file), text).map_err(failed)?;
        }
        Ok(Self { emulator, _proxy: proxy, agent, message, _home: home })
    }

    fn run(&self, pipeline: &Pipeline) -> JobReport {
        let mut message = self.message.clone();
        pipeline.add_variables(&mut message);
        self.agent.run(&message, &pipeline.steps)
    }
}

/// What is to be the same of both.
struct Seen {
    /// What Azure was asked by others than `wif`, in order.
    requests: Vec<String>,
    /// The resources that Entra was asked for: by our sign-in, by az and by the script.
    scopes: BTreeSet<String>,
    result: StepResult,
    /// What the script set for later steps; not the value of a secret.
    variables: BTreeSet<(String, String)>,
    log: String,
}

impl Seen {
    fn of(machine: &Machine, report: &JobReport, before: usize) -> Result<Self> {
        let journal = machine.emulator.journal();
        let after: Vec<_> = journal.iter().skip(before).collect();
        let of_az =
            |entry: &&&Entry| matches!(entry.service, Service::Arm | Service::Graph) && !is_by(entry, "wif/");
        let requests = after.iter().filter(of_az).map(|entry| line(entry)).collect();
        let scopes = after.iter().filter(|entry| entry.service == Service::Entra);
        let scopes = scopes.filter_map(|entry| entry.form("scope")).map(str::to_owned).collect();
        let step = report.steps.first().ok_or("no step ran")?;
        let set = step.commands.iter().filter(|command| command.is("task", "setvariable"));
        let variables = set.filter_map(|command| {
            let is_secret =
                command.property("issecret").is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
            let value = if is_secret { "a secret" } else { &command.data };
            Some((command.property("variable")?.to_owned(), value.to_owned()))
        });
        let (variables, result) = (variables.collect(), step.result);
        let log = format!("{}\n{}", report.log, machine.emulator.journal_text());
        Ok(Self { requests, scopes, result, variables, log })
    }

    /// How this differs from what came of the same script after a plain login.
    fn beside(&self, plain: &Self) -> Vec<String> {
        let mut complaints = Vec::new();
        if self.requests != plain.requests {
            complaints.push(format!(
                "after a plain login az asked Azure for\n{}\nand in the step of the task for\n{}",
                plain.requests.join("\n"),
                self.requests.join("\n")
            ));
        }
        if self.result != plain.result {
            complaints.push(format!(
                "the script ended as {:?}, and in the step of the task as {:?}",
                plain.result, self.result
            ));
        }
        for (name, value) in plain.variables.difference(&self.variables) {
            complaints
                .push(format!("the script set {name} to '{value}', and in the step of the task did not"));
        }
        complaints
    }
}

/// Method, path and query.
fn line(entry: &Entry) -> String {
    let query: Vec<_> = entry.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{:?}: {} {}?{}", entry.service, entry.method, entry.path, query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_that_is_compared_is_there() {
        for step in STEPS {
            assert!(step.file().is_file(), "{}", step.file().display());
        }
    }

    #[test]
    fn another_request_another_end_and_another_variable_are_seen() {
        let seen = |request: &str, result: StepResult, value: &str| Seen {
            requests: vec![request.to_owned()],
            scopes: BTreeSet::new(),
            result,
            variables: BTreeSet::from([("NAME".to_owned(), value.to_owned())]),
            log: String::new(),
        };
        let plain = seen("GET /", StepResult::Succeeded, "1");
        assert_eq!(plain.beside(&plain), Vec::<String>::new());
        for other in [
            seen("GET /other", StepResult::Succeeded, "1"),
            seen("GET /", StepResult::Failed, "1"),
            seen("GET /", StepResult::Succeeded, "2"),
        ] {
            assert_eq!(other.beside(&plain).len(), 1);
        }
    }
}

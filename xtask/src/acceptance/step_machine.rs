//! The agent that runs a step of `AzureCLI@2`, with az, and the services that it finds under their public names.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use emulator::{
    Emulator, Proxy, Usual,
    agent::{Agent, JobReport, Pipeline, ProxySettings, Step, StepResult},
    directory::Resource,
    job::{JobMessage, Variable},
};
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

use super::{install::Installed, server::Server};
use crate::process::{Result, output, root};

/// An agent with az, and services of its own.
pub(super) struct Machine {
    pub(super) emulator: Emulator,
    pub(super) agent: Agent,
    /// The home of the agent's user.
    pub(super) home: TempDir,
    proxy: Proxy,
    message: JobMessage,
    index: Server,
}

/// What the agent's user has of az before the step.
#[derive(Clone, Copy)]
pub(super) struct User {
    /// Defaults: the resource group and the workspace of machine learning, as steps before those of `ml` set them.
    pub(super) workspace: bool,
    /// The stand-in for az's extension `ml`.
    pub(super) extension: bool,
}

impl Machine {
    /// Starts it all.
    pub(super) fn new(az: &Installed, user: User) -> Result<Self> {
        let failed = |error: std::io::Error| error.to_string();
        let emulator = Emulator::start();
        emulator.directory().public_names = true;
        let usual = emulator.usual();
        // Claims of access tokens have it, and they are compared.
        emulator.directory().app(usual.client).object_id = OBJECT_ID;
        // For the upload of a web app.
        emulator.directory().tenant(usual.tenant).resources.push("https://appservice.azure.com".to_owned());
        emulator.directory().resources = resources(&usual)?;
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
        let own = home.path().join(".azure");
        fs::create_dir_all(&own).map_err(failed)?;
        if user.workspace {
            let defaults = "[defaults]\ngroup = ml-dev\nworkspace = mlw-dev\n";
            fs::write(own.join("config"), defaults).map_err(failed)?;
        }
        let python = az.path.as_deref().map(|bin| bin.join("python")).ok_or("az has no folder")?;
        let wheel = home.path().join("ml-0.0.1-py3-none-any.whl");
        let mut index = Command::new(&python);
        index.arg(kept("extension-ml").join("index.py")).arg(&wheel);
        let index = Server::start("the index of az's extensions", index)?;
        if user.extension {
            let mut unpack = Command::new(&python);
            unpack.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(own.join("cliextensions").join("ml"));
            output(&mut unpack)?;
        }

        let ca = emulator.ca_file().to_string_lossy().into_owned();
        let mut agent = Agent::new()
            .ca_file(emulator.ca_file())
            .proxy(ProxySettings { url: proxy.url(), ..ProxySettings::default() })
            .path(&kept("stand-ins"))
            .machine_env("HTTPS_PROXY", proxy.url())
            .machine_env("REQUESTS_CA_BUNDLE", &ca)
            .machine_env("CURL_CA_BUNDLE", &ca)
            .machine_env("HOME", home.path().to_string_lossy())
            .machine_env("AZURE_CORE_COLLECT_TELEMETRY", "no")
            .machine_env(
                "AZURE_EXTENSION_INDEX_URL",
                format!("http://127.0.0.1:{}/index.json", index.port()),
            );
        if let Some(path) = &az.path {
            agent = agent.path(path);
        }
        check_out(&agent.sources_folder()).map_err(failed)?;
        Ok(Self { emulator, agent, home, proxy, message, index })
    }

    /// Signs az in by `az login` with an id token, for the agent's user.
    pub(super) fn log_in(&self) -> Result<()> {
        let file = kept("login.sh");
        let login = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let login = Step::bash(login).env("SYSTEM_ACCESSTOKEN", "$(System.AccessToken)");
        let report = self.run(&Pipeline { steps: vec![login], variables: Vec::new() });
        if report.steps.iter().all(|step| step.result == StepResult::Succeeded) {
            return Ok(());
        }
        Err(format!("the plain login failed:\n{}\n{}", report.log, self.emulator.journal_text()))
    }

    /// Runs a pipeline's steps in a job.
    pub(super) fn run(&self, pipeline: &Pipeline) -> JobReport {
        let mut message = self.message.clone();
        pipeline.add_variables(&mut message);
        self.agent.run(&message, &pipeline.steps)
    }

    /// Hosts that were asked for, and that nothing answers for: `host:port`.
    pub(super) fn unanswered(&self) -> BTreeSet<String> {
        let refused = self.proxy.journal().into_iter().filter(|entry| entry.status != 200);
        refused.map(|entry| entry.target).collect()
    }

    /// The text without what differs from machine to machine: folders and ports.
    pub(super) fn anywhere(&self, text: &str) -> String {
        let folder = |path: &Path| path.to_string_lossy().into_owned();
        let address = |url: &str| url.trim_start_matches("http://").to_owned();
        let index = format!("127.0.0.1:{}", self.index.port());
        let own = [
            (folder(self.agent.root_folder()), "AGENT"),
            (folder(self.home.path()), "HOME"),
            (folder(self.emulator.ca_file()), "CA"),
            (address(&self.proxy.url()), "PROXY"),
            (index, "INDEX"),
        ];
        own.iter().fold(text.to_owned(), |text, (own, name)| text.replace(own, name))
    }
}

/// A file beside the task that stands for `AzureCLI@2`; the folder itself for an empty name.
pub(super) fn kept(name: &str) -> PathBuf {
    root().join("xtask").join("acceptance").join("azure-cli-2").join(name)
}

/// What the scripts find in their repositories.
fn check_out(sources: &Path) -> std::io::Result<()> {
    for folder in ["data", "drop", "e2e", "infrastructure", "internal/acceptancetests", "mlops"] {
        fs::create_dir_all(sources.join(folder))?;
    }
    for (file, text) in [
        ("data/taxi.yml", "path: data/taxi.csv\n"),
        ("drop/requirements.txt", "flask\n"),
        ("infrastructure/main.bicep", "targetScope = 'subscription'\n"),
        ("mlops/deployment.yml", "model: azureml:taxi:1\ninstance_type: Standard_DS3_v2\n"),
        ("mlops/endpoint.yml", "authMode: Key\n"),
        ("mlops/pipeline.yml", "jobType: Pipeline\n"),
        ("quick-setup.bash", "az group show --subscription \"$2\" --name \"$3\"\n"),
    ] {
        fs::write(sources.join(file), text)?;
    }
    Ok(())
}

/// What the resource manager has for the scripts: `resources.json`, whose paths begin in the subscription, in the workspace of machine
/// learning (`WORKSPACE`), or in neither (`EVERYBODY`). A name may have the id of the client that is signed in.
fn resources(usual: &Usual) -> Result<Vec<Resource>> {
    let file = kept("resources.json");
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let text = fs::read_to_string(&file).map_err(|error| failed(&error))?;
    let table: BTreeMap<String, Vec<Value>> = serde_json::from_str(&text).map_err(|error| failed(&error))?;
    let own = |path: String| {
        if let Some(path) = path.strip_prefix("EVERYBODY") {
            return path.to_owned();
        }
        let path = path.replace("WORKSPACE", WORKSPACE).replace("CLIENT", &usual.client.to_string());
        format!("/subscriptions/{}{path}", usual.subscription)
    };
    Ok(table.into_iter().map(|(path, answers)| Resource { path: own(path), answers }).collect())
}

const OBJECT_ID: Uuid = Uuid::from_u128(0x0b1e_c700_0000_4000_8000_0000_0000_0001);
const WORKSPACE: &str =
    "/resourceGroups/ml-dev/providers/Microsoft.MachineLearningServices/workspaces/mlw-dev";

//! The start of a job: its variables, its connections, and the masks that hold from the first line on
//! (`JobRunner.cs`, `ExecutionContext.InitializeJob`, `Worker.cs`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use super::command;
use super::log::Log;
use super::machine::Agent;
use super::mask::Masker;
use super::message::{JobMessage, ServiceEndpoint, Variable};
use super::orphans::{self, LOOKUP_ID, ProcessRecord};
use super::report::{Attachment, JobResult};
use super::variables::{Kind, Variables};

/// The state that the steps of a job share, and that their commands change.
pub(super) struct JobContext {
    pub(super) agent: Agent,
    pub(super) variables: Variables,
    pub(super) masker: Masker,
    pub(super) prepended: Vec<String>,
    pub(super) system: ServiceEndpoint,
    pub(super) endpoints: Vec<ServiceEndpoint>,
    pub(super) summaries: Vec<PathBuf>,
    pub(super) attachments: Vec<Attachment>,
    pub(super) scripts: BTreeSet<PathBuf>,
    pub(super) observed: Vec<ProcessRecord>,
    pub(super) lookup_id: String,
    pub(super) debug: bool,
    pub(super) result: Option<JobResult>,
    pub(super) cancel: Arc<AtomicBool>,
    pub(super) log: Arc<Log>,
}

impl JobContext {
    pub(super) fn new(agent: Agent, message: &JobMessage, cancel: Arc<AtomicBool>, log: Arc<Log>) -> Self {
        let lookup_id = format!("vsts_{}", Uuid::new_v4());
        let mut variables = Variables::default();
        for variable in message.variables.iter().chain(&agent.settings.variables()) {
            variables.set(
                &variable.name,
                &variable.value,
                Kind { secret: variable.secret, ..Kind::default() },
            );
        }
        // A step gets it only by `$(System.AccessToken)`: the server sends it as a secret variable.
        variables.set("System.AccessToken", &message.job_token, Kind { secret: true, ..Kind::default() });
        variables.set_public("System.TeamFoundationServerUri", &message.system_connection_url);
        if variables.get("System.TeamFoundationCollectionUri").is_none() {
            variables.set_public("System.TeamFoundationCollectionUri", &message.system_connection_url);
        }
        for (name, value) in agent_variables(&agent) {
            variables.set_public(name, &value);
        }
        variables.set_public(LOOKUP_ID, &lookup_id);
        let masker = initial_masks(message, &agent);
        let mut endpoints = message.endpoints.clone();
        for value in endpoints.iter_mut().flat_map(|endpoint| endpoint.data.values_mut()) {
            *value = variables.expand(value, &agent.machine);
        }
        Self {
            debug: variables.knob("System.Debug", &BTreeMap::new(), false),
            system: system_connection(message),
            agent,
            variables,
            masker,
            prepended: Vec::new(),
            endpoints,
            summaries: Vec::new(),
            attachments: Vec::new(),
            scripts: BTreeSet::new(),
            observed: Vec::new(),
            lookup_id,
            result: None,
            cancel,
            log,
        }
    }

    /// Notes the job's processes that were not seen before.
    pub(super) fn observe(&mut self, step: &str) {
        for process in orphans::of_job(&self.lookup_id, step) {
            let known = |seen: &ProcessRecord| {
                (seen.pid, &seen.arguments) == (process.pid, &process.arguments)
                    && seen.environment == process.environment
            };
            if !self.observed.iter().any(known) {
                self.observed.push(process);
            }
        }
    }

    /// Sets the result, unless the present one is worse.
    pub(super) fn worsen(&mut self, result: JobResult) {
        self.result = Some(self.result.map_or(result, |now| now.max(result)));
    }
}

fn system_connection(message: &JobMessage) -> ServiceEndpoint {
    ServiceEndpoint {
        id: Uuid::nil(),
        name: "SystemVssConnection".to_owned(),
        url: message.system_connection_url.clone(),
        scheme: "OAuth".to_owned(),
        parameters: BTreeMap::from([("AccessToken".to_owned(), message.job_token.clone())]),
        data: BTreeMap::new(),
    }
}

fn agent_variables(agent: &Agent) -> Vec<(&'static str, String)> {
    let work = agent.work_folder();
    let show = |path: &Path| path.display().to_string();
    let build = work.join("1");
    let sources = show(&agent.sources_folder());
    let os = match std::env::consts::OS {
        "windows" => "Windows_NT",
        "macos" => "Darwin",
        _ => "Linux",
    };
    let architecture = if std::env::consts::ARCH == "aarch64" { "ARM64" } else { "X64" };
    vec![
        ("Agent.BuildDirectory", show(&build)),
        ("Agent.HomeDirectory", show(agent.root_folder())),
        ("Agent.Id", "7".to_owned()),
        ("Agent.IsSelfHosted", "1".to_owned()),
        ("Agent.JobName", "Job".to_owned()),
        ("Agent.MachineName", "emulator".to_owned()),
        ("Agent.Name", "emulator".to_owned()),
        ("Agent.OS", os.to_owned()),
        ("Agent.OSArchitecture", architecture.to_owned()),
        ("Agent.RootDirectory", show(&work)),
        ("Agent.TempDirectory", show(&agent.temp_folder())),
        ("Agent.ToolsDirectory", show(&work.join("_tool"))),
        ("Agent.Version", "4.270.0".to_owned()),
        ("Agent.WorkFolder", show(&work)),
        ("Build.ArtifactStagingDirectory", show(&build.join("a"))),
        ("Build.BinariesDirectory", show(&build.join("b"))),
        ("Build.Repository.LocalPath", sources.clone()),
        ("Build.SourcesDirectory", sources.clone()),
        ("Build.StagingDirectory", show(&build.join("a"))),
        ("Pipeline.Workspace", show(&build)),
        ("System.DefaultWorkingDirectory", sources),
    ]
}

/// Authorization parameters that are not masked (`MaskingUtil.cs`); every other one is, the client id among them.
const UNMASKED_PARAMETERS: [&str; 12] = [
    "accessTokenFetchingMethod",
    "accessTokenType",
    "audience",
    "authenticationType",
    "authorizationType",
    "expiresAt",
    "issuedAt",
    "role",
    "scope",
    "tenantid",
    "unsecured",
    "useWindowsSecurity",
];

pub(super) fn is_unmasked(parameter: &str) -> bool {
    UNMASKED_PARAMETERS.iter().any(|open| open.eq_ignore_ascii_case(parameter))
}

fn initial_masks(message: &JobMessage, agent: &Agent) -> Masker {
    let mut masker = Masker::default();
    let settings = agent.settings.variables();
    for Variable { value, .. } in message.variables.iter().chain(&settings).filter(|variable| variable.secret)
    {
        // The base64 form is masked for these secrets only, not for those that are registered later.
        for form in [
            value,
            value.trim(),
            value.trim_matches(['"', '\'']),
            &command::escape(value),
            &STANDARD.encode(value),
        ] {
            if !value.is_empty() {
                masker.add(form);
            }
        }
    }
    masker.add(&message.job_token);
    for endpoint in &message.endpoints {
        for (name, value) in &endpoint.parameters {
            if !is_unmasked(name) {
                masker.add(value);
            }
        }
    }
    masker
}

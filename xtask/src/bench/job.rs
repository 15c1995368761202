//! A job to measure in: an emulator, and the environment that the agent would give to the step.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use emulator::{
    Emulator,
    agent::{Agent, Step},
};
use tempfile::TempDir;

use crate::{
    process::{Result, root},
    stage,
};

/// What a step finds.
pub(super) struct Job {
    pub(super) emulator: Emulator,
    environment: BTreeMap<String, String>,
    /// Keeps the folders.
    _agent: Agent,
}

/// A task that only tells what it finds.
const TELL: &str = "require('fs').writeFileSync(process.env.TELL_TO, JSON.stringify(process.env))";

impl Job {
    /// With a connection that leads to Entra's public name.
    pub(super) fn public() -> Result<Self> {
        let emulator = Emulator::start();
        emulator.directory().connection(emulator.usual().connection).custom = false;
        Self::new(emulator, &[])
    }

    /// With the usual connection, and these inputs.
    pub(super) fn new(emulator: Emulator, inputs: &[(&str, &str)]) -> Result<Self> {
        let failed = |error: std::io::Error| format!("the environment of a step: {error}");
        let task = TempDir::new().map_err(failed)?;
        fs::copy(root().join("task").join("task.json"), task.path().join("task.json")).map_err(failed)?;
        for script in ["index.js", "post.js"] {
            fs::write(task.path().join(script), if script == "index.js" { TELL } else { "" })
                .map_err(failed)?;
        }
        let told = task.path().join("environment.json");
        let usual = emulator.usual();
        let message = emulator.job(usual.connection);
        let agent = Agent::new().ca_file(emulator.ca_file()).machine_env("TELL_TO", told.to_string_lossy());
        let mut all = vec![("azureSubscription", usual.connection_name), stage::EMULATOR];
        all.extend(inputs);
        let report = agent.run(&message, &[Step::task(task.path(), &all)]);
        let text = fs::read_to_string(&told).map_err(|error| format!("{error}: {}", report.log))?;
        let environment = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        Ok(Self { emulator, environment, _agent: agent })
    }

    /// A command with that environment and nothing else.
    pub(super) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().envs(&self.environment);
        command
    }

    /// A variable of it.
    pub(super) fn variable(&self, name: &str) -> Result<&str> {
        self.environment.get(name).map(String::as_str).ok_or_else(|| format!("a step finds no {name}"))
    }
}

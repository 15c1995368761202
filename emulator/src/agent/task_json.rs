//! The parts of a `task.json` that the agent reads (`TaskManager.cs`).

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::report::Stage;
use super::restrictions::Restrictions;

/// A task's definition.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub(super) struct TaskDefinition {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) friendly_name: String,
    pub(super) description: String,
    pub(super) help_mark_down: String,
    pub(super) help_url: String,
    pub(super) author: String,
    version: Version,
    pub(super) output_variables: Vec<OutputVariable>,
    pub(super) inputs: Vec<Input>,
    prejobexecution: Option<Map<String, Value>>,
    execution: Option<Map<String, Value>>,
    postjobexecution: Option<Map<String, Value>>,
    pub(super) restrictions: Option<Restrictions>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Version {
    major: Value,
    minor: Value,
    patch: Value,
}

/// An entry of `outputVariables`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct OutputVariable {
    pub(super) name: String,
}

/// An entry of `inputs`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Input {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    default_value: Value,
    pub(super) aliases: Vec<String>,
}

impl Input {
    pub(super) fn default(&self) -> String {
        text(&self.default_value)
    }

    /// Whether it names service connections.
    pub(super) fn is_connection(&self) -> bool {
        self.kind.to_ascii_lowercase().starts_with("connectedservice:")
    }

    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
            || self.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    }
}

/// What one stage runs.
pub(super) struct Handler {
    pub(super) target: PathBuf,
    pub(super) working_directory: Option<String>,
}

/// Handlers in the order in which the agent prefers them; here all run on the machine's one Node.
const NODE_HANDLERS: [&str; 5] = ["Node24", "Node20_1", "Node16", "Node10", "Node"];

impl TaskDefinition {
    /// Reads the definition in a task folder; panics when it is missing or wrong.
    pub(super) fn read(folder: &Path) -> Self {
        let path = folder.join("task.json");
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(text.trim_start_matches('\u{feff}'))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// `Major.Minor.Patch`.
    pub(super) fn version(&self) -> String {
        [&self.version.major, &self.version.minor, &self.version.patch].map(text).join(".")
    }

    pub(super) fn has(&self, stage: Stage) -> bool {
        self.handlers(stage).is_some_and(|handlers| !handlers.is_empty())
    }

    /// The handler of a stage (`HandlerFactory.cs`); `None` when the machine can run none of them.
    pub(super) fn handler(&self, stage: Stage, folder: &Path) -> Option<Handler> {
        let handlers = self.handlers(stage)?;
        let data = NODE_HANDLERS
            .iter()
            .find_map(|known| handlers.iter().find(|(name, _)| name.eq_ignore_ascii_case(known)))?
            .1;
        let target =
            data.get("target")?.as_str()?.replace("$(currentDirectory)", &folder.display().to_string());
        let working_directory =
            data.get("workingDirectory").and_then(Value::as_str).filter(|text| !text.is_empty());
        Some(Handler { target: folder.join(target), working_directory: working_directory.map(str::to_owned) })
    }

    fn handlers(&self, stage: Stage) -> Option<&Map<String, Value>> {
        match stage {
            Stage::Pre => self.prejobexecution.as_ref(),
            Stage::Main => self.execution.as_ref(),
            Stage::Post => self.postjobexecution.as_ref(),
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    }
}

//! Reads pipelines in YAML: the part of the schema that the examples and tests use; the rest is an error.

use std::path::PathBuf;
use std::time::Duration;

use serde_yaml_ng::{Mapping, Value};

use super::message::{JobMessage, Variable};
use super::step::{Condition, Shell, Step};

/// One job of a pipeline.
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    /// Its steps.
    pub steps: Vec<Step>,
    /// The variables of the pipeline, the stage and the job.
    pub variables: Vec<Variable>,
}

impl Pipeline {
    /// Adds the pipeline's variables to a job message, as the server does.
    pub fn add_variables(&self, message: &mut JobMessage) {
        message.variables.extend(self.variables.iter().cloned());
    }
}

/// Finds the folder of a task, `Name@Major`.
type Tasks<'a> = &'a dyn Fn(&str) -> Option<PathBuf>;

/// Reads a pipeline that has one job: `steps:` at the top, or below `jobs:`, or below `stages:` and `jobs:`.
///
/// # Errors
/// A text that says what is not understood: YAML, a key, a condition, a task without a folder, or several jobs.
pub fn pipeline_from_yaml(text: &str, tasks: Tasks<'_>) -> Result<Pipeline, String> {
    let mut jobs = jobs_from_yaml(text, tasks)?;
    match jobs.len() {
        1 => Ok(jobs.remove(0).1),
        count => Err(format!("the pipeline has {count} jobs, and each of them runs on an agent of its own")),
    }
}

/// Reads every job of a pipeline, with its name.
///
/// # Errors
/// A text that says what is not understood.
pub fn jobs_from_yaml(text: &str, tasks: Tasks<'_>) -> Result<Vec<(String, Pipeline)>, String> {
    let root: Value = serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    collect(&root, &[], tasks, &mut found)?;
    Ok(found)
}

fn collect(
    level: &Value,
    outer: &[Variable],
    tasks: Tasks<'_>,
    found: &mut Vec<(String, Pipeline)>,
) -> Result<(), String> {
    let mut variables = outer.to_vec();
    variables.extend(read_variables(level.get("variables"))?);
    for inner in ["stages", "jobs"].into_iter().filter_map(|key| level.get(key)).flat_map(list) {
        collect(inner, &variables, tasks, found)?;
    }
    if let Some(steps) = deployment_steps(level).or_else(|| level.get("steps")) {
        let name =
            ["job", "deployment"].into_iter().find_map(|key| level.get(key)).map_or_else(String::new, text);
        let steps: Result<Vec<_>, _> =
            list(steps).map(|step| read_step(step, tasks)).filter_map(Result::transpose).collect();
        found.push((name, Pipeline { steps: steps?, variables }));
    }
    Ok(())
}

fn deployment_steps(job: &Value) -> Option<&Value> {
    job.get("strategy")?.get("runOnce")?.get("deploy")?.get("steps")
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_sequence().into_iter().flatten()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        other => serde_yaml_ng::to_string(other).unwrap_or_default(),
    }
}

fn pairs(value: Option<&Value>) -> Vec<(String, String)> {
    let entries = value.and_then(Value::as_mapping).map(Mapping::iter).into_iter().flatten();
    entries.map(|(name, value)| (text(name), text(value))).collect()
}

/// A map of names to values, or a list of `name:` and `value:`.
fn read_variables(value: Option<&Value>) -> Result<Vec<Variable>, String> {
    let public = |name, value| Variable { name, value, secret: false };
    match value {
        Some(Value::Sequence(entries)) => {
            entries
                .iter()
                .map(|entry| match (entry.get("name"), entry.get("value")) {
                    (Some(name), Some(value)) => Ok(public(text(name), text(value))),
                    _ => Err("a variable needs a name and a value; groups and templates are the server's"
                        .to_owned()),
                })
                .collect()
        }
        other => Ok(pairs(other).into_iter().map(|(name, value)| public(name, value)).collect()),
    }
}

const STEP_KEYS: [&str; 18] = [
    "task",
    "script",
    "bash",
    "pwsh",
    "powershell",
    "checkout",
    "displayName",
    "name",
    "condition",
    "env",
    "inputs",
    "continueOnError",
    "timeoutInMinutes",
    "retryCountOnTaskFailure",
    "enabled",
    "target",
    "workingDirectory",
    "failOnStderr",
];

fn read_step(value: &Value, tasks: Tasks<'_>) -> Result<Option<Step>, String> {
    let map = value.as_mapping().ok_or("a step is a mapping")?;
    if let Some(unknown) = map.keys().map(text).find(|key| !STEP_KEYS.contains(&key.as_str())) {
        return Err(format!("the key {unknown:?} of a step is not understood"));
    }
    let get = |key: &str| map.get(key);
    let disabled = get("enabled").is_some_and(|value| text(value) == "false");
    if get("checkout").is_some() || disabled {
        return Ok(None);
    }
    let shells = [
        ("script", Shell::Script),
        ("bash", Shell::Bash),
        ("pwsh", Shell::Pwsh),
        ("powershell", Shell::Pwsh),
    ];
    let shell = shells.iter().find_map(|(key, shell)| Some((*shell, get(key)?)));
    let step = if let Some((shell, script)) = shell {
        Step::shell(shell, text(script))
    } else {
        let reference = text(get("task").ok_or("a step has a task or a script")?);
        task_step(&reference, &pairs(get("inputs")), tasks)?
    };
    apply_keys(step, map).map(Some)
}

fn task_step(reference: &str, inputs: &[(String, String)], tasks: Tasks<'_>) -> Result<Step, String> {
    if let Some(folder) = tasks(reference) {
        let inputs: Vec<_> = inputs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        return Ok(Step::task(folder, &inputs));
    }
    let script = inputs.iter().find(|(name, _)| name.eq_ignore_ascii_case("script"));
    let shell = match reference {
        "CmdLine@2" => Shell::Script,
        "Bash@3" => Shell::Bash,
        "PowerShell@2" => Shell::Pwsh,
        _ => return Err(format!("there is no folder for the task {reference}")),
    };
    let (_, script) =
        script.ok_or_else(|| format!("{reference} is understood with an inline script only"))?;
    Ok(Step::shell(shell, script))
}

fn apply_keys(mut step: Step, map: &Mapping) -> Result<Step, String> {
    let get = |key: &str| map.get(key);
    step.env = pairs(get("env"));
    step.name = get("name").map(text);
    step.display_name = get("displayName").map(text);
    step.working_directory = get("workingDirectory").map(text);
    step.continue_on_error = get("continueOnError").is_some_and(|value| text(value) == "true");
    if let Some(condition) = get("condition") {
        step.condition = read_condition(&text(condition))?;
    }
    if let Some(minutes) = get("timeoutInMinutes") {
        let minutes: f64 = text(minutes).parse().map_err(|error| format!("timeoutInMinutes: {error}"))?;
        step.timeout = (minutes > 0.0).then(|| Duration::from_secs_f64(minutes * 60.0));
    }
    if let Some(count) = get("retryCountOnTaskFailure") {
        step =
            step.retries(text(count).parse().map_err(|error| format!("retryCountOnTaskFailure: {error}"))?);
    }
    if let Some(target) = get("target") {
        step.restricted = target.get("commands").is_some_and(|mode| text(mode) == "restricted");
        step.settable = match target.get("settableVariables") {
            Some(Value::Sequence(names)) => Some(names.iter().map(text).collect()),
            Some(none) if text(none) == "none" => Some(Vec::new()),
            _ => None,
        };
    }
    Ok(step)
}

fn read_condition(condition: &str) -> Result<Condition, String> {
    let plain: String = condition.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
    Ok(match plain.as_str() {
        "succeeded()" => Condition::Succeeded,
        "always()" | "true" => Condition::Always,
        "failed()" => Condition::Failed,
        "succeededorfailed()" | "not(canceled())" => Condition::SucceededOrFailed,
        "never()" | "false" => Condition::Never,
        _ => return Err(format!("the condition {condition:?} is not understood")),
    })
}

//! The inputs of a task: what the pipeline gives, over what `task.json` declares (`TaskRunner.cs`).

use std::collections::BTreeMap;

use uuid::Uuid;

use super::job_start::JobContext;
use super::message::ServiceEndpoint;
use super::task_json::TaskDefinition;
use super::variables::Variables;

/// The inputs as the server sends them to the agent: aliases become names, and names of connections become ids. An
/// unknown name stays.
pub(super) fn as_sent(
    definition: &TaskDefinition,
    given: &[(String, String)],
    endpoints: &[ServiceEndpoint],
    variables: &Variables,
) -> Vec<(String, String)> {
    let id_of = |name: &str| {
        let found = endpoints.iter().find(|endpoint| endpoint.name.eq_ignore_ascii_case(name.trim()));
        found.map(|endpoint| endpoint.id.to_string())
    };
    let each = |(name, value): &(String, String)| {
        let Some(input) = definition.inputs.iter().find(|input| input.is_called(name)) else {
            return (name.clone(), value.clone());
        };
        if !input.is_connection() {
            return (input.name.clone(), value.clone());
        }
        let expanded = variables.expand(value, &BTreeMap::new());
        let ids: Option<Vec<_>> = expanded.split(',').map(id_of).collect();
        (input.name.clone(), ids.map_or_else(|| value.clone(), |ids| ids.join(",")))
    };
    given.iter().map(each).collect()
}

/// The value of every input, given or default: trimmed, and then with its macros replaced. The text of a macro is not
/// trimmed, unless a knob says so.
pub(super) fn resolve(
    definition: &TaskDefinition,
    given: &[(String, String)],
    job: &JobContext,
) -> BTreeMap<String, String> {
    let machine = &job.agent.machine;
    let keep_blanks = job.variables.knob("DISABLE_INPUT_TRIMMING", machine, false);
    let trim_macros = job.variables.knob("AGENT_ENABLE_VARIABLE_INPUT_TRIMMING", machine, false);
    let trim = |text: &str| if keep_blanks { text.to_owned() } else { text.trim().to_owned() };
    let mut inputs: BTreeMap<String, String> =
        definition.inputs.iter().map(|input| (input.name.clone(), trim(&input.default()))).collect();
    for (name, value) in given {
        inputs.insert(name.trim().to_owned(), trim(value));
    }
    for (name, value) in &mut inputs {
        *value = job.variables.expand(value, machine);
        if trim_macros {
            *value = trim(value);
        }
        let is_path = |kind: &str| kind.eq_ignore_ascii_case("filePath");
        if definition.inputs.iter().any(|input| input.name == *name && is_path(&input.kind)) {
            *value = job.agent.sources_folder().join(value.as_str()).display().to_string();
        }
    }
    inputs
}

/// The connections that the inputs refer to; text that is not an id is ignored.
pub(super) fn connections(definition: &TaskDefinition, inputs: &BTreeMap<String, String>) -> Vec<Uuid> {
    definition
        .inputs
        .iter()
        .filter(|input| input.is_connection())
        .filter_map(|input| inputs.get(&input.name))
        .flat_map(|value| value.split(','))
        .filter_map(|part| Uuid::parse_str(part.trim()).ok())
        .filter(|id| !id.is_nil())
        .collect()
}

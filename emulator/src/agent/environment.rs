//! The environment of a step, made in the agent's order (`NodeHandler.cs`, `Handler.cs`).

use std::collections::BTreeMap;

use super::job_start::JobContext;
use super::task_json::TaskDefinition;
use super::variables::{Entry, Variables, env_name};
use super::{endpoints, inputs};

type Environment = BTreeMap<String, String>;

/// The environment of a Node task. Later parts overwrite earlier ones, and a variable overwrites an `env:` entry of that name.
pub(super) fn of_task(
    job: &JobContext,
    env: &[(String, String)],
    definition: &TaskDefinition,
    given: &BTreeMap<String, String>,
    task_variables: &Variables,
) -> Environment {
    let mut environment = with_variables(job, env);
    for entry in job.variables.all().filter(|entry| entry.secret) {
        environment.insert(format!("SECRET_{}", entry.formatted()), entry.value.clone());
    }
    environment.insert("VSTS_PUBLIC_VARIABLES".to_owned(), names(job, false));
    environment.insert("VSTS_SECRET_VARIABLES".to_owned(), names(job, true));
    for (name, value) in given {
        environment.insert(format!("INPUT_{}", env_name(name)), value.clone());
    }
    let wanted = inputs::connections(definition, given);
    for endpoint in job.endpoints.iter().filter(|endpoint| wanted.contains(&endpoint.id)) {
        endpoints::add(endpoint, &mut environment);
    }
    endpoints::add(&job.system, &mut environment);
    for entry in task_variables.all() {
        environment.insert(format!("VSTS_TASKVARIABLE_{}", entry.formatted()), entry.value.clone());
    }
    over_machine(job, environment)
}

/// The environment of a script. The script tasks are Node tasks whose library takes secrets, inputs and authorizations out of
/// the environment before it starts the shell; the system connection's URL stays.
pub(super) fn of_script(job: &JobContext, env: &[(String, String)]) -> Environment {
    let mut environment = with_variables(job, env);
    environment.insert("ENDPOINT_URL_SYSTEMVSSCONNECTION".to_owned(), job.system.url.clone());
    over_machine(job, environment)
}

/// `env:` and the public variables.
fn with_variables(job: &JobContext, env: &[(String, String)]) -> Environment {
    let machine = &job.agent.machine;
    let mut environment = Environment::new();
    for (name, value) in env.iter().filter(|(name, _)| !name.trim().is_empty()) {
        environment.insert(name.trim().to_owned(), job.variables.expand(value.trim(), machine));
    }
    for entry in job.variables.all().filter(|entry| !entry.secret) {
        environment.insert(entry.formatted(), entry.value.clone());
        if entry.name.eq_ignore_ascii_case("agent.jobstatus") {
            environment.insert("agent.jobstatus".to_owned(), entry.value.clone());
        }
    }
    environment
}

/// The names of the secret or the public variables, as a JSON array.
fn names(job: &JobContext, secret: bool) -> String {
    let chosen = |entry: &&Entry| entry.secret == secret;
    let names: Vec<_> = job.variables.all().filter(chosen).map(|entry| &entry.name).collect();
    serde_json::to_string(&names).expect("a list of texts is JSON")
}

/// Lays a step's environment over the worker's own, which every process inherits.
fn over_machine(job: &JobContext, environment: Environment) -> Environment {
    let mut whole = job.agent.machine.clone();
    whole.extend(environment);
    if !job.prepended.is_empty() {
        // The path that was prepended last comes first.
        let mut paths: Vec<_> = job.prepended.iter().rev().cloned().collect();
        paths.extend(whole.remove("PATH"));
        let separator = if cfg!(windows) { ";" } else { ":" };
        whole.insert("PATH".to_owned(), paths.join(separator));
    }
    whole.insert("TF_BUILD".to_owned(), "True".to_owned());
    whole
}

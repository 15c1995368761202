//! The environment of the command.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use wif_core::{
    exports::{self, Value, Variable, YieldingVariable, may_replace},
    secret::Secret,
};
use wif_io::{child::ChildVariable, env::Env};

use crate::{
    agent::{
        commands::Visibility,
        inputs::{env_name, exported_name},
    },
    task::{export::no_proxy_variables, plan::Plan},
};

/// What the command finds beside what this process has found, and what the user is told of it.
pub(super) struct Environment {
    pub(super) variables: Vec<(String, ChildVariable)>,
    pub(super) notes: Vec<String>,
}

/// The session's variables on top, and what would win over them removed.
pub(super) fn environment(
    plan: &Plan,
    env: &Env,
    session: &[Variable],
    program: Option<&Path>,
    session_folder: Option<&Path>,
) -> Environment {
    let mut notes = Vec::new();
    let mut variables = BTreeMap::new();
    let mut removed: BTreeSet<String> = plan.stale_variables(env, session).into_iter().collect();
    if !plan.is_named() {
        let facts = plan.expected_facts();
        let is_ours = |name: &str| session.iter().any(|variable| variable.name == name);
        let families = plan.families.iter().copied();
        for conflict in
            exports::conflicts_in_force(families, plan.session_kind(), &facts, |name| env.get(name), is_ours)
        {
            notes.push(format!(
                "{} is not passed on to the command: {}",
                conflict.variables.join(" and "),
                conflict.effect
            ));
            removed.extend(conflict.variables.iter().map(|name| (*name).to_owned()));
        }
    }
    variables.extend(removed.into_iter().map(|name| (name, ChildVariable::Removed)));
    for Variable { name, value } in session {
        let yielding = plan.families.iter().filter_map(|family| family.yielding());
        let kept = yielding
            .filter(|yielding| yielding.variable == name)
            .find(|_| env.get(name).is_some_and(|value| !may_replace(name, value)));
        if let Some(YieldingVariable { effect, .. }) = kept {
            notes.push(format!("{name} is kept as it is: {effect}"));
            continue;
        }
        let value = match value {
            Value::Plain(text) => Secret::new(text.clone()),
            Value::Masked(secret) | Value::Secret(secret) => secret.clone(),
        };
        variables.insert(exported_name(name), ChildVariable::Set(value));
    }
    for (name, value, visibility) in no_proxy_variables(env) {
        let name = if visibility == Visibility::CaseKept { name.to_owned() } else { env_name(name) };
        variables.insert(name, ChildVariable::Set(Secret::new(value)));
    }
    if let Some(path) = path_with(env, program, plan.targets.programs(session_folder)) {
        variables.insert("PATH".to_owned(), ChildVariable::Set(Secret::new(path)));
    }
    Environment { variables: variables.into_iter().collect(), notes }
}

/// The `PATH` with this program's folder at its end, so that the command finds `wif`, and nothing else before its own but the
/// programs of the session.
fn path_with(env: &Env, program: Option<&Path>, programs: Option<PathBuf>) -> Option<String> {
    let folder = program?.parent()?;
    let path = env.get("PATH").unwrap_or_default();
    let mut folders: Vec<_> =
        std::env::split_paths(path).filter(|one| !path.is_empty() || !one.as_os_str().is_empty()).collect();
    let is_there = folders.iter().any(|one| one == folder);
    if is_there && programs.is_none() {
        return None;
    }
    if !is_there {
        folders.push(folder.to_owned());
    }
    folders.splice(0..0, programs);
    std::env::join_paths(folders).ok()?.into_string().ok()
}

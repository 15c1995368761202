//! The environment of the command.

use std::path::Path;

use wif_core::exports::{Variable, conflict::Conflict};
use wif_io::{child::ChildVariable, env::Env};

use crate::task::{
    child_changes::{ChildEnvironment, PathPlace, child_changes},
    conflicts,
    plan::Plan,
};

/// What the command finds beside what this process has found, and what the user is told of it.
pub(super) struct Environment {
    pub(super) variables: Vec<(String, ChildVariable)>,
    pub(super) notes: Vec<String>,
}

/// The session's variables on top, and what would win over them removed: also what the source has read, where the command is to find
/// the session's instead.
pub(super) fn environment(
    plan: &Plan,
    env: &Env,
    session: &[Variable],
    of_source: &[&'static str],
    program: Option<&Path>,
    session_folder: Option<&Path>,
) -> Environment {
    let mut notes = Vec::new();
    let stale = plan.stale_variables(env, session);
    let of_source = of_source.iter().filter(|name| !session.iter().any(|one| one.name == **name));
    let of_source: Vec<_> = of_source.copied().filter(|name| env.get(name).is_some()).collect();
    let mut removed: Vec<_> = stale.iter().map(String::as_str).collect();
    for Conflict { variables, effect, .. } in conflicts::in_force(env, plan, session) {
        // Each variable is told once.
        if !variables.iter().all(|name| of_source.contains(name)) {
            notes.push(format!("{} not passed on to the command: {effect}", are(variables)));
        }
        removed.extend(*variables);
    }
    if !of_source.is_empty() {
        notes.push(format!(
            "{} not passed on to the command: it is the source's role, and the command is signed in as another",
            are(&of_source)
        ));
    }
    removed.extend(of_source);
    let kept = conflicts::kept(env, plan);
    notes.extend(kept.iter().map(|(one, _)| format!("{} is kept as it is: {}", one.variable, one.effect)));
    let is_kept = |variable: &&Variable| kept.iter().any(|(one, _)| one.variable == variable.name);
    let set: Vec<_> = session.iter().filter(|variable| !is_kept(variable)).collect();
    let variables = child_changes(&ChildEnvironment {
        env,
        removed: &removed,
        variables: &set,
        program,
        programs: plan.targets.programs(session_folder),
        place: PathPlace::Last,
    });
    Environment { variables, notes }
}

/// `A is`, `A and B are`
fn are(names: &[&str]) -> String {
    format!("{} {}", names.join(" and "), if names.len() == 1 { "is" } else { "are" })
}

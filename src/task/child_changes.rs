//! The environment of a child that a session is for, a command or a script: what it has beside this process's own, or lacks.

use std::path::{Path, PathBuf};

use wif_core::{
    exports::{Value, Variable},
    secret::Secret,
};
use wif_io::{child::ChildVariable, env::Env};

use super::export::no_proxy_variables;
use crate::agent::{
    commands::Visibility,
    inputs::{env_name, exported_name},
};

/// What the changes are made of.
pub(crate) struct ChildEnvironment<'a> {
    /// The environment as the child would have it.
    pub(crate) env: &'a Env,
    /// What is to be taken out.
    pub(crate) removed: &'a [&'a str],
    /// The session's variables.
    pub(crate) variables: &'a [&'a Variable],
    /// This program.
    pub(crate) program: Option<&'a Path>,
    /// The folder of the session's programs, which comes before the child's own.
    pub(crate) programs: Option<PathBuf>,
    /// Where this program is on the child's `PATH`.
    pub(crate) place: PathPlace,
}

/// A place on a `PATH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathPlace {
    /// The first, as the agent has it for later steps.
    First,
    /// The last, so that nothing comes before the child's own.
    Last,
}

/// The changes. Of two for one name the later one counts.
pub(crate) fn child_changes(child: &ChildEnvironment<'_>) -> Vec<(String, ChildVariable)> {
    let removed = child.removed.iter().map(|name| ((*name).to_owned(), ChildVariable::Removed));
    let mut changes: Vec<_> = removed.collect();
    let mut set = |name: String, value: Secret| changes.push((name, ChildVariable::Set(value)));
    for Variable { name, value } in child.variables {
        let value = match value {
            Value::Plain(text) => Secret::new(text.clone()),
            Value::Masked(secret) | Value::Secret(secret) => secret.clone(),
        };
        set(exported_name(name), value);
    }
    for (variable, value, visibility) in no_proxy_variables(child.env) {
        // As the agent makes names of the environment of variables.
        let name = if visibility == Visibility::CaseKept { variable.to_owned() } else { env_name(variable) };
        set(name, Secret::new(value));
    }
    if let Some(path) = path(child) {
        set("PATH".to_owned(), Secret::new(path));
    }
    changes
}

/// The `PATH` with the program's folder. Where there is none, the folder is all of it: an empty entry is the current folder.
fn path(child: &ChildEnvironment<'_>) -> Option<String> {
    let folder = child.program?.parent()?;
    let old = child.env.get("PATH").into_iter().flat_map(std::env::split_paths);
    let mut folders: Vec<_> = old.collect();
    match child.place {
        PathPlace::First => folders.insert(0, folder.to_owned()),
        PathPlace::Last if folders.iter().any(|one| one == folder) => {
            child.programs.as_ref()?;
        }
        PathPlace::Last => folders.push(folder.to_owned()),
    }
    folders.splice(0..0, child.programs.clone());
    std::env::join_paths(folders).ok()?.into_string().ok()
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn changed(env: &[(&str, &str)], place: PathPlace, name: &str) -> Option<String> {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let masked =
            Variable { name: "MY.TOKEN".to_owned(), value: Value::Secret(Secret::new("a-token".to_owned())) };
        let changes = child_changes(&ChildEnvironment {
            env: &env,
            removed: &["MY_TOKEN", "GONE"],
            variables: &[&masked],
            program: Some(Path::new("/opt/wif/wif")),
            programs: None,
            place,
        });
        let last = changes.into_iter().rfind(|(changed, _)| changed == name);
        last.map(|(_, change)| match change {
            ChildVariable::Set(value) => value.expose().to_owned(),
            ChildVariable::Removed => "removed".to_owned(),
        })
    }

    #[test]
    fn a_path_that_is_not_set_does_not_become_the_current_folder() {
        for place in [PathPlace::First, PathPlace::Last] {
            for env in [&[][..], &[("PATH", "")]] {
                assert_eq!(changed(env, place, "PATH").as_deref(), Some("/opt/wif"), "{place:?} {env:?}");
            }
        }
        let env = &[("PATH", "/bin:/usr/bin")];
        assert_eq!(changed(env, PathPlace::First, "PATH").unwrap(), "/opt/wif:/bin:/usr/bin");
        assert_eq!(changed(env, PathPlace::Last, "PATH").unwrap(), "/bin:/usr/bin:/opt/wif");
        assert_eq!(changed(&[("PATH", "/opt/wif:/bin")], PathPlace::Last, "PATH"), None);
    }

    #[test]
    fn the_sessions_own_value_wins_over_what_is_taken_out_and_has_the_name_that_scripts_find() {
        assert_eq!(changed(&[], PathPlace::First, "MY_TOKEN").as_deref(), Some("a-token"));
        assert_eq!(changed(&[], PathPlace::First, "GONE").as_deref(), Some("removed"));
        assert_eq!(changed(&[], PathPlace::First, "MY.TOKEN"), None);
    }

    #[test]
    fn the_broker_is_kept_from_a_proxy_by_both_names() {
        let env = &[("https_proxy", "http://proxy:8080"), ("no_proxy", "intra")];
        for name in ["NO_PROXY", "no_proxy"] {
            assert_eq!(changed(env, PathPlace::First, name).unwrap(), "intra,127.0.0.1,localhost");
        }
        assert_eq!(changed(&[], PathPlace::First, "NO_PROXY"), None);
    }
}

//! Writing what later steps find: variables, outputs, and the folder of the session.

use std::{io, path::Path};

use wif_core::{
    exports::{Value, Variable},
    failure::Failure,
};
use wif_io::{env::Env, private_folder::Folder};

use crate::agent::{
    commands::{Commands, OutputError, Visibility},
    task_variables::FOLDER_VARIABLE,
};

/// A value that the agent would change before a later step sees it.
#[derive(Debug, thiserror::Error)]
#[error("the value of {name} holds {what}, so that later steps would not find it as it is")]
pub(super) struct ValueError {
    name: String,
    what: &'static str,
}

pub(super) fn export<'a>(
    commands: &mut Commands<'_>,
    variables: impl Iterator<Item = &'a Variable>,
    program: Option<&Path>,
    programs: Option<&Path>,
) -> io::Result<()> {
    for Variable { name, value } in variables {
        match value {
            Value::Plain(text) => commands.set_variable(name, text, Visibility::Plain)?,
            Value::Masked(secret) => {
                // What made it may not have masked it.
                commands.mask(secret)?;
                commands.set_variable(name, secret.expose(), Visibility::Plain)?;
            }
            Value::Secret(secret) => commands.set_variable(name, secret.expose(), Visibility::Secret)?,
        }
    }
    // A path that the agent would change is left out: a sign-in does not fail for it.
    let folders = program.and_then(Path::parent).into_iter().chain(programs).filter_map(Path::to_str);
    let mut folders = folders.filter(|folder| !folder.contains(['\r', '\n']));
    folders.try_for_each(|folder| commands.prepend_path(folder))
}

pub(super) fn export_outputs(commands: &mut Commands<'_>, outputs: &[Variable]) -> io::Result<()> {
    outputs.iter().try_for_each(|Variable { name, value }| match value {
        Value::Plain(text) => commands.set_output_variable(name, text),
        // Other jobs get no secret.
        Value::Masked(_) | Value::Secret(_) => Ok(()),
    })
}

/// The agent expands `$(…)` in values again before every step, and ends a command at a line end.
pub(super) fn check(variable: &Variable) -> Result<(), ValueError> {
    let value = match &variable.value {
        Value::Plain(text) => text.as_str(),
        Value::Masked(secret) => secret.expose(),
        Value::Secret(_) => return Ok(()),
    };
    let what = match value {
        value if value.contains("$(") => "$(",
        value if value.contains(['\r', '\n']) => "a line end",
        _ => return Ok(()),
    };
    Err(ValueError { name: variable.name.clone(), what })
}

/// The post-job stage hears of the folder before it is there, so that it is removed even if this process is killed.
pub(super) fn make_folder(commands: &mut Commands<'_>, path: &Path) -> Result<Folder, Failure> {
    commands.set_task_variable(FOLDER_VARIABLE, &path.to_string_lossy()).map_err(OutputError)?;
    Ok(Folder::create(path.to_owned())?)
}

/// Loopback addresses are not for a proxy. Names of agent variables are the same in any case: `NO.PROXY` becomes
/// `NO_PROXY`, and `no_proxy` keeps its own.
pub(crate) fn no_proxy_variables(env: &Env) -> Vec<(&'static str, String, Visibility)> {
    let set = [
        "AGENT_PROXYURL",
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
    ];
    if set.iter().all(|name| env.get(name).is_none()) {
        return Vec::new();
    }
    let extended = |first: &str, second: &str| {
        let own = env.get(first).or(env.get(second)).unwrap_or_default();
        // Every host, to curl and Python only where it stands alone.
        if own.trim() == "*" {
            return own.to_owned();
        }
        let mut hosts: Vec<_> = own.split(',').filter(|host| !host.is_empty()).collect();
        hosts.extend(
            ["127.0.0.1", "localhost"].into_iter().filter(|host| !hosts.contains(host)).collect::<Vec<_>>(),
        );
        hosts.join(",")
    };
    let both = [
        ("NO.PROXY", "NO_PROXY", extended("NO_PROXY", "no_proxy"), Visibility::Plain),
        ("no_proxy", "no_proxy", extended("no_proxy", "NO_PROXY"), Visibility::CaseKept),
    ];
    // A step's own `no_proxy` (env:) would lose against a variable of the job.
    let missing = both.into_iter().filter(|(_, name, hosts, _)| env.get(name) != Some(hosts));
    missing.map(|(variable, _, hosts, visibility)| (variable, hosts, visibility)).collect()
}

//! The main stage: sign in, and leave to later steps what they need.

use std::{io, path::Path, sync::Arc};

use super::{
    FOLDER_VARIABLE, TASK_VARIABLES, azure_cli, diagnose::diagnose, live, output_variables::output_variables,
    plan::Plan, sign_in::SignIn, subscriptions::Listing, summary::Summary,
};
use crate::{
    agent::{
        commands::{Commands, Visibility},
        inputs::Inputs,
        network::{self, Remarks},
        shadowed,
    },
    env::Env,
    error::Failure,
    exports::{self, Value, Variable},
    folder::Folder,
    http::Http,
    world::World,
};

/// A value that the agent would change before a later step sees it.
#[derive(Debug, thiserror::Error)]
#[error("the value of {name} holds {what}, so that later steps would not find it as it is")]
pub(super) struct ValueError {
    name: String,
    what: &'static str,
}

/// Standard output is gone.
#[derive(Debug, thiserror::Error)]
#[error("standard output cannot be written")]
pub(super) struct OutputError(#[from] pub(super) io::Error);

/// Signs in and exports. Everything that can fail comes before the first export.
///
/// # Errors
///
/// Whatever went wrong; nothing is exported then, and no file is left.
pub async fn run(world: &mut World) -> Result<(), Failure> {
    shadowed::check(&world.env, &TASK_VARIABLES)?;
    // Always set, so that the post-job stage never takes its name from a later step.
    Commands::new(&mut *world.out, &world.env).set_task_variable(FOLDER_VARIABLE, "").map_err(OutputError)?;
    let inputs = Inputs::read(&world.env)?;
    if inputs.diagnose {
        return diagnose(world, &inputs).await;
    }
    let plan = Plan::make(&world.env)?;
    let (settings, Remarks { mut warnings, notes }) = network::settings(&world.env)?;
    warnings.extend(plan.warnings());
    warnings.extend(azure_cli::warning(&plan));
    let mut commands = Commands::new(&mut *world.out, &world.env);
    plan.notes().try_for_each(|note| commands.line(note)).map_err(OutputError)?;
    plan.reminders().try_for_each(|reminder| commands.line(&reminder)).map_err(OutputError)?;
    notes.iter().try_for_each(|note| commands.line(note)).map_err(OutputError)?;
    warnings.iter().try_for_each(|warning| commands.warning(warning)).map_err(OutputError)?;
    let folder = plan.folder.as_deref().map(|path| make_folder(&mut commands, path)).transpose()?;

    let http = Arc::new(Http::new(settings, Arc::clone(&world.clock))?);
    let listing = Listing::prepare(&http, &plan);
    let (env, connection, allowed_hosts) = (&world.env, &plan.connection, &plan.allowed_hosts);
    let sign_in = SignIn { http, env, connection, allowed_hosts, listing: listing.as_ref().ok() };
    let signed_in = sign_in.run(&plan.resources(), &mut |id_token| commands.mask(id_token)).await?;
    let tokens = plan.granted(&signed_in);
    let file = folder
        .as_ref()
        .filter(|_| plan.needs_file())
        .zip(signed_in.id_token.as_ref())
        .map(|(folder, id_token)| folder.write("id-token", &id_token.token));
    let file = file.transpose()?;
    let mut broker = if plan.refresh {
        let (program, now) = (world.program.as_deref(), world.clock.now());
        Some(live::start(program, &world.env, &plan, &signed_in, file.clone(), now, &mut commands).await?)
    } else {
        None
    };
    let prepared = async {
        // The list has come along beside the broker.
        let client = signed_in.client;
        let azure_cli =
            azure_cli::sign_in(folder.as_ref(), env, &plan, client, &listing, &mut commands).await?;
        let door = broker.as_ref().map(|broker| &broker.door);
        let mut variables = plan.variables(client, file, azure_cli, door);
        variables.extend(exports::access_tokens(&tokens));
        let outputs = output_variables(&plan.connection, client);
        variables.iter().chain(&outputs).try_for_each(check)?;
        tokens.iter().try_for_each(|granted| commands.mask(&granted.token)).map_err(OutputError)?;
        if let Some(broker) = &mut broker {
            broker.starting.go().await?;
        }
        Ok((variables, outputs))
    };
    let (variables, outputs) = match prepared.await {
        Ok(prepared) => prepared,
        Err(failure) => {
            // The broker ends with this stage, so that the post-job stage does not miss it.
            live::forget(&mut commands).map_err(OutputError)?;
            return Err(failure);
        }
    };
    let around_proxy = around_proxy(&world.env);
    let leftovers = plan.leftovers(&world.env, &variables);

    let set = variables.iter().filter(|variable| plan.arrival.sets(&world.env, variable));
    export(&mut commands, set, world.program.as_deref()).map_err(OutputError)?;
    let mut emptied = leftovers.iter().map(String::as_str).chain(plan.arrival.emptied.iter().copied());
    emptied.try_for_each(|name| commands.set_variable(name, "", Visibility::Plain)).map_err(OutputError)?;
    around_proxy
        .iter()
        .try_for_each(|(name, value, visibility)| commands.set_variable(name, value, *visibility))
        .map_err(OutputError)?;
    export_outputs(&mut commands, &outputs).map_err(OutputError)?;
    if let Some(broker) = broker {
        broker.starting.leave();
    }
    if let Some(folder) = folder {
        folder.keep();
    }
    if let Some(warning) = sign_in.clock_warning() {
        commands.warning(&warning).map_err(OutputError)?;
    }
    let summary = Summary {
        connection: &plan.connection,
        signed_in: &signed_in,
        tokens: &tokens,
        exported: &variables,
        now: world.clock.now(),
    };
    summary.write(&mut commands).map_err(OutputError)?;
    Ok(())
}

/// Loopback addresses are not for a proxy. Names of agent variables are the same in any case: `NO.PROXY` becomes
/// `NO_PROXY`, and `no_proxy` keeps its own.
fn around_proxy(env: &Env) -> Vec<(&'static str, String, Visibility)> {
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

/// The post-job stage hears of the folder before it is there, so that it is removed even if this process is killed.
fn make_folder(commands: &mut Commands<'_>, path: &Path) -> Result<Folder, Failure> {
    commands.set_task_variable(FOLDER_VARIABLE, &path.to_string_lossy()).map_err(OutputError)?;
    Ok(Folder::create(path.to_owned())?)
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

fn export<'a>(
    commands: &mut Commands<'_>,
    variables: impl Iterator<Item = &'a Variable>,
    program: Option<&Path>,
) -> io::Result<()> {
    for Variable { name, value } in variables {
        match value {
            Value::Plain(text) => commands.set_variable(name, text, Visibility::Plain)?,
            Value::Masked(secret) => commands.set_variable(name, secret.expose(), Visibility::Plain)?,
            Value::Secret(secret) => commands.set_variable(name, secret.expose(), Visibility::Secret)?,
        }
    }
    // A folder that the agent would not carry as it is, is no loss that a sign-in should fail for.
    match program.and_then(Path::parent).and_then(Path::to_str) {
        Some(folder) if !folder.contains(['\r', '\n']) => commands.prepend_path(folder),
        _ => Ok(()),
    }
}

fn export_outputs(commands: &mut Commands<'_>, outputs: &[Variable]) -> io::Result<()> {
    outputs.iter().try_for_each(|Variable { name, value }| match value {
        Value::Plain(text) => commands.set_output_variable(name, text),
        // Other jobs get no secret.
        Value::Masked(_) | Value::Secret(_) => Ok(()),
    })
}

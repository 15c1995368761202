//! The main stage: sign in, and leave to later steps what they need.

use std::{io, path::PathBuf, sync::Arc};

use wif_core::{
    code::Code,
    exports::{self, Variable},
    failure::Failure,
    secret::Secret,
};
use wif_io::{child::Signals, env::Env, http::Http, private_folder::Folder};

use super::{
    azure_cli,
    diagnose::diagnose,
    existing_variables::ExistingVariables,
    export::{check, export, export_outputs, make_folder, no_proxy_variables},
    output_variables::output_variables,
    plan::Plan,
    script::{
        prepared::Prepared,
        ready::{ReadyScript, ScriptEnd},
        session::ScriptSession,
    },
    summary::Summary,
};
use crate::{
    agent::{
        commands::{Commands, OutputError, Visibility},
        inputs::Inputs,
        network::{self, Remarks},
        shadowed,
        task_variables::{FOLDER_VARIABLE, TASK_VARIABLES},
    },
    session::{
        start::{self, NewSession, Step},
        unowned::Unowned,
    },
    sign_in::{SignIn, SignedIn},
    sources::azure_pipelines::AzurePipelines,
    world::World,
};

/// How the main stage ended, when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// What later steps need is exported, or the report of a diagnosis is written.
    Done,
    /// The script succeeded.
    ScriptSucceeded,
    /// The agent asked the step to stop.
    Canceled,
}

/// Signs in and exports, or runs the script that is signed in alone. A signal ends the sign-in; a script may answer it.
///
/// # Errors
///
/// The first fault; nothing is exported then, and no file is left.
pub async fn run(world: &mut World, signals: &mut Signals) -> Result<Ended, Failure> {
    let unowned = Unowned::default();
    let signed_in = tokio::select! {
        biased;
        _ = signals.ending() => None,
        signed_in = sign_in(world, &unowned) => Some(signed_in),
    };
    if !matches!(signed_in, Some(Ok(_))) {
        let left = unowned.revoke().await;
        let mut commands = Commands::new(&mut *world.out, &world.env);
        for sentence in left {
            commands.warning(&sentence).map_err(OutputError)?;
        }
    }
    let Some(script) = signed_in.transpose()? else { return Ok(Ended::Canceled) };
    let Some(script) = script else { return Ok(Ended::Done) };
    Ok(match script.run(world, signals).await? {
        ScriptEnd::Succeeded => Ended::ScriptSucceeded,
        ScriptEnd::Canceled => Ended::Canceled,
    })
}

/// Signs in and exports; or signs in and gives the script that is to run then. Everything that can fail comes before the
/// first export.
///
/// # Errors
///
/// The first fault; nothing is exported then, and no file is left.
async fn sign_in(world: &mut World, unowned: &Unowned) -> Result<Option<ReadyScript>, Failure> {
    shadowed::check(&world.env, &TASK_VARIABLES)?;
    // Always set, so that the post-job stage never takes its name from a later step.
    Commands::new(&mut *world.out, &world.env).set_task_variable(FOLDER_VARIABLE, "").map_err(OutputError)?;
    let inputs = Inputs::read(&world.env)?;
    if inputs.diagnose {
        return diagnose(world, &inputs).await.map(|()| None);
    }
    let mut plan = Plan::make(&world.env)?;
    let script = plan.script.clone().map(|script| Prepared::find(script, &world.env)).transpose()?;
    let existing = ExistingVariables::find(&world.env, &plan)?;
    plan.propose_folder(&world.env)?;
    let (settings, remarks) = network::settings(&world.env)?;
    let mut commands = Commands::new(&mut *world.out, &world.env);
    write_remarks(&mut commands, &plan, &existing, remarks).map_err(OutputError)?;
    let folder = plan.folder.as_deref().map(|path| make_folder(&mut commands, path)).transpose()?;

    let http = Arc::new(Http::new(settings, Arc::clone(&world.clock))?);
    let listing = plan.listing(&http);
    let (env, identity) = (&world.env, &plan.connection.identity);
    let source = Arc::new(AzurePipelines::of(&plan.connection, env, &plan.allowed_hosts));
    let sign_in =
        SignIn { http: Arc::clone(&http), env, identity, source: &*source, listing: listing.as_ref().ok() };
    let signed_in = sign_in.run(&plan.resources(), &mut |id_token| commands.mask(id_token)).await?;
    let (assertion, mut mask) = (plan.assertion(&signed_in), |secret: &Secret| commands.mask(secret));
    let granted = plan.targets.sign_in(&http, &*source, &signed_in, assertion, unowned, &mut mask).await?;
    let tokens = plan.named_tokens(&signed_in);
    let file = write_id_token(&plan, folder.as_ref(), &signed_in)?;
    if let Some(script) = script {
        // Never the other mode instead: that would sign later steps in, and run nothing.
        let folder = folder.ok_or_else(|| {
            Failure::new(Code::Bug, "the script has no private folder", "report it, with the step's log")
        })?;
        let session = ScriptSession {
            env,
            program: world.program.as_deref(),
            plan: &plan,
            existing: &existing,
            signed_in: &signed_in,
            granted: &granted,
            tokens: &tokens,
            id_token_file: file,
            http: &http,
            source: Arc::clone(&source),
            listing: &listing,
            clock_warning: sign_in.clock_warning(),
        };
        return session.open(&script, folder, &mut commands).await.map(Some);
    }
    let mut broker = if plan.refresh {
        let step = Step { program: world.program.as_deref(), env: &world.env, clock: &*world.clock };
        let session = NewSession { targets: &granted, ..plan.new_session(&signed_in, file.clone()) };
        Some(start::start(&step, session, &mut commands).await?)
    } else {
        None
    };
    let prepared = async {
        // The list has come along beside the broker.
        let client = signed_in.client;
        let azure_cli =
            azure_cli::sign_in(folder.as_ref(), env, &plan, client, &listing, &mut commands).await?;
        let endpoint = broker.as_ref().map(|broker| &broker.endpoint);
        let notes =
            plan.targets.prepare(env, folder.as_ref(), endpoint, &granted, world.program.as_deref())?;
        notes.iter().try_for_each(|note| commands.line(note)).map_err(OutputError)?;
        let mut variables = plan.variables(client, file, azure_cli, endpoint);
        variables.extend(exports::access_tokens(&tokens));
        let outputs = output_variables(&plan.connection, client);
        variables.iter().chain(&outputs).try_for_each(check)?;
        tokens.iter().try_for_each(|named| commands.mask(&named.token)).map_err(OutputError)?;
        if let Some(broker) = &mut broker {
            broker.process.confirm(&*world.clock).await?;
        }
        Ok((variables, outputs))
    };
    let (variables, outputs) = match prepared.await {
        Ok(prepared) => prepared,
        Err(failure) => {
            // The broker ends with this stage, so that the post-job stage does not miss it.
            start::clear_task_variables(&mut commands).map_err(OutputError)?;
            return Err(failure);
        }
    };
    let set = variables.iter().filter(|variable| existing.sets(env, variable));
    let programs = plan.targets.programs(plan.folder.as_deref());
    export(&mut commands, set, world.program.as_deref(), programs.as_deref()).map_err(OutputError)?;
    empty_others(&mut commands, env, &plan, &existing, &variables).map_err(OutputError)?;
    export_outputs(&mut commands, &outputs).map_err(OutputError)?;
    leave(broker, folder);
    if let Some(warning) = sign_in.clock_warning() {
        commands.warning(&warning).map_err(OutputError)?;
    }
    let summary = Summary {
        connection: &plan.connection,
        signed_in: &signed_in,
        tokens: &tokens,
        exported: &variables,
        audience: plan.audience(),
        refresh: plan.refresh,
        now: world.clock.now(),
    };
    summary.write(&mut commands).map_err(OutputError)?;
    Ok(None)
}

/// Leaves the broker and the private folder to later steps.
fn leave(broker: Option<start::StartedBroker>, folder: Option<Folder>) {
    if let Some(broker) = broker {
        broker.process.detach();
    }
    if let Some(folder) = folder {
        folder.keep();
    }
}

/// Writes the id token into the private folder, where a family needs it in a file.
fn write_id_token(
    plan: &Plan,
    folder: Option<&Folder>,
    signed_in: &SignedIn,
) -> Result<Option<PathBuf>, Failure> {
    let needed = folder.filter(|_| plan.needs_file()).zip(signed_in.id_token.as_ref());
    Ok(needed.map(|(folder, id_token)| folder.write("id-token", &id_token.token)).transpose()?)
}

/// Writes what may not be as it is meant, and what is worth a line of the log.
fn write_remarks(
    commands: &mut Commands<'_>,
    plan: &Plan,
    existing: &ExistingVariables,
    Remarks { mut warnings, notes }: Remarks,
) -> io::Result<()> {
    warnings.extend(plan.warnings.iter().map(|warning| (*warning).to_owned()));
    warnings.extend(existing.warnings.iter().map(ToString::to_string));
    warnings.extend(plan.connection.stored_secret_warning());
    warnings.extend(azure_cli::warning(plan));
    plan.notes.iter().try_for_each(|note| commands.line(note))?;
    existing.notes.iter().try_for_each(|note| commands.line(note))?;
    existing.reminders.iter().try_for_each(|reminder| commands.line(&reminder.to_string()))?;
    notes.iter().try_for_each(|note| commands.line(note))?;
    warnings.iter().try_for_each(|warning| commands.warning(warning))
}

/// Empties for later steps what would win over the exports, and keeps the broker's address from the proxy.
fn empty_others(
    commands: &mut Commands<'_>,
    env: &Env,
    plan: &Plan,
    existing: &ExistingVariables,
    exported: &[Variable],
) -> io::Result<()> {
    let stale = plan.stale_variables(env, exported);
    let mut emptied = stale.iter().map(String::as_str).chain(existing.emptied.iter().copied());
    emptied.try_for_each(|name| commands.set_variable(name, "", Visibility::Plain))?;
    let no_proxy = no_proxy_variables(env);
    no_proxy.iter().try_for_each(|(name, value, visibility)| commands.set_variable(name, value, *visibility))
}

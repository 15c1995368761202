//! The main stage: sign in, and leave to later steps what they need.

use std::sync::Arc;

use wif_core::{exports, failure::Failure};
use wif_io::http::Http;

use super::{
    azure_cli,
    diagnose::diagnose,
    existing_variables::ExistingVariables,
    export::{check, export, export_outputs, make_folder, no_proxy_variables},
    output_variables::output_variables,
    plan::Plan,
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
    session::start::{self, NewSession, Step},
    sign_in::SignIn,
    sources::azure_pipelines::AzurePipelines,
    world::World,
};

/// Signs in and exports. Everything that can fail comes before the first export.
///
/// # Errors
///
/// The first fault; nothing is exported then, and no file is left.
pub async fn run(world: &mut World) -> Result<(), Failure> {
    shadowed::check(&world.env, &TASK_VARIABLES)?;
    // Always set, so that the post-job stage never takes its name from a later step.
    Commands::new(&mut *world.out, &world.env).set_task_variable(FOLDER_VARIABLE, "").map_err(OutputError)?;
    let inputs = Inputs::read(&world.env)?;
    if inputs.diagnose {
        return diagnose(world, &inputs).await;
    }
    let mut plan = Plan::make(&world.env)?;
    let existing = ExistingVariables::find(&world.env, &plan)?;
    plan.propose_folder(&world.env)?;
    let (settings, Remarks { mut warnings, notes }) = network::settings(&world.env)?;
    warnings.extend(plan.warnings());
    warnings.extend(existing.warnings.iter().map(ToString::to_string));
    warnings.extend(plan.connection.stored_secret_warning());
    warnings.extend(azure_cli::warning(&plan));
    let mut commands = Commands::new(&mut *world.out, &world.env);
    plan.notes().try_for_each(|note| commands.line(note)).map_err(OutputError)?;
    existing.notes.iter().try_for_each(|note| commands.line(note)).map_err(OutputError)?;
    let mut reminders = existing.reminders.iter().map(ToString::to_string);
    reminders.try_for_each(|reminder| commands.line(&reminder)).map_err(OutputError)?;
    notes.iter().try_for_each(|note| commands.line(note)).map_err(OutputError)?;
    warnings.iter().try_for_each(|warning| commands.warning(warning)).map_err(OutputError)?;
    let folder = plan.folder.as_deref().map(|path| make_folder(&mut commands, path)).transpose()?;

    let http = Arc::new(Http::new(settings, Arc::clone(&world.clock))?);
    let listing = plan.listing(&http);
    let (env, identity) = (&world.env, &plan.connection.identity);
    let source = AzurePipelines::of(&plan.connection, env, &plan.allowed_hosts);
    let sign_in = SignIn { http, env, identity, source: &source, listing: listing.as_ref().ok() };
    let signed_in = sign_in.run(&plan.resources(), &mut |id_token| commands.mask(id_token)).await?;
    let granted =
        plan.targets.sign_in(&sign_in.http, &source, &signed_in, &mut |secret| commands.mask(secret)).await?;
    let tokens = plan.named_tokens(&signed_in);
    let file = folder
        .as_ref()
        .filter(|_| plan.needs_file())
        .zip(signed_in.id_token.as_ref())
        .map(|(folder, id_token)| folder.write("id-token", &id_token.token))
        .transpose()?;
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
        plan.targets.prepare(env, folder.as_ref(), endpoint, &granted)?;
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
    let no_proxy = no_proxy_variables(&world.env);
    let stale = plan.stale_variables(&world.env, &variables);

    let set = variables.iter().filter(|variable| existing.sets(&world.env, variable));
    export(&mut commands, set, world.program.as_deref()).map_err(OutputError)?;
    let mut emptied = stale.iter().map(String::as_str).chain(existing.emptied.iter().copied());
    emptied.try_for_each(|name| commands.set_variable(name, "", Visibility::Plain)).map_err(OutputError)?;
    no_proxy
        .iter()
        .try_for_each(|(name, value, visibility)| commands.set_variable(name, value, *visibility))
        .map_err(OutputError)?;
    export_outputs(&mut commands, &outputs).map_err(OutputError)?;
    if let Some(broker) = broker {
        broker.process.detach();
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

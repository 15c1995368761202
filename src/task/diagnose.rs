//! `diagnose: true`: no sign-in, but every check of the connection.

use std::sync::Arc;

use super::{guards, run::OutputError};
use crate::{
    agent::{
        commands::Commands,
        connection::{self, Connection},
        inputs::Inputs,
        job,
    },
    doctor::{Report, in_job, show},
    error::Failure,
    folder::Folder,
    secret::Secret,
    world::World,
};

/// The name of the report among a run's summaries.
const FILE: &str = "diagnosis.md";

/// Checks the connection, and writes the report to the log and to the run's summary. Nothing is exported.
///
/// # Errors
///
/// A check found a fault, or the inputs or guards do not hold.
pub(super) async fn diagnose(world: &mut World, inputs: &Inputs) -> Result<(), Failure> {
    let mut resources = Vec::new();
    // A connection that cannot be read is a finding, and not the end.
    if let Ok(scheme) = connection::scheme(&world.env, inputs.connection) {
        guards::scheme(inputs, scheme)?;
        if let Ok(connection) = Connection::read(&world.env, inputs.connection) {
            guards::place(inputs, &connection)?;
            let tokens = inputs.access_tokens(&connection.audiences)?;
            resources.extend(tokens.into_iter().map(|(_, resource)| resource));
        }
    }
    let mut commands = Commands::new(&mut *world.out, &world.env);
    let mut seen = |id_token: &Secret| commands.mask(id_token);
    let report = in_job(&world.env, Arc::clone(&world.clock), inputs, &resources, &mut seen).await;
    commands.line(&show::text(&report)).map_err(OutputError)?;
    match summary(world, &report) {
        Ok(path) => Commands::new(&mut *world.out, &world.env).upload_summary(&path).map_err(OutputError)?,
        Err(failure) => {
            let text = format!("The run has no summary of this: {}", failure.story());
            Commands::new(&mut *world.out, &world.env).warning(&text).map_err(OutputError)?;
        }
    }
    report.failure().map_or(Ok(()), Err)
}

/// The file stays until the agent empties its temporary folder: it reads a summary some time after it hears of it, and
/// may do so after the post-job stage.
fn summary(world: &World, report: &Report) -> Result<String, Failure> {
    let folder = Folder::create(Folder::propose(&job::temp_folder(&world.env)?)?)?;
    let path = folder.write(FILE, &Secret::new(show::markdown(report)))?;
    folder.keep();
    Ok(path.to_string_lossy().into_owned())
}

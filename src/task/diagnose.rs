//! `diagnose: true`: no sign-in, but every check of the connection and of the job around it.

use std::sync::Arc;

use wif_core::{failure::Failure, secret::Secret};
use wif_io::{env::Env, private_folder::Folder};

use super::{
    existing_variables::{ExistingVariables, Warning},
    plan::Plan,
};
use crate::{
    agent::{
        commands::{Commands, OutputError},
        connection::{self, Connection},
        inputs::Inputs,
        job,
    },
    doctor::{JobCheck, JobFindings, Report, in_job, show},
    guards,
    world::World,
};

/// The name of the report among a run's summaries.
const SUMMARY_FILE: &str = "diagnosis.md";

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
            let tokens = inputs.access_tokens(&connection.identity.audiences)?;
            resources.extend(tokens.into_iter().map(|(_, resource)| resource));
        }
    }
    let mut commands = Commands::new(&mut *world.out, &world.env);
    let mut on_id_token = |id_token: &Secret| commands.mask(id_token);
    let (findings, plan) = look_at_job(&world.env);
    let (families, targets) = plan.map(|plan| (plan.families, plan.targets.set)).unwrap_or_default();
    let job = JobCheck { resources: &resources, findings, families, targets };
    let report = in_job(&world.env, Arc::clone(&world.clock), inputs, job, &mut on_id_token).await;
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

/// What a sign-in with these inputs would find in the job, by its own code, and what it would do.
fn look_at_job(env: &Env) -> (JobFindings, Option<Plan>) {
    let faulty = |failure: Failure| JobFindings { faults: vec![failure], ..JobFindings::default() };
    let plan = match Plan::make(env) {
        Ok(plan) => plan,
        Err(failure) => return (faulty(failure), None),
    };
    let findings = match ExistingVariables::find(env, &plan) {
        Ok(existing) => JobFindings {
            faults: Vec::new(),
            warnings: existing.warnings.iter().chain(&existing.reminders).map(Warning::failure).collect(),
            facts: plan
                .warnings
                .iter()
                .chain(&plan.notes)
                .map(|text| (*text).to_owned())
                .chain(existing.notes)
                .collect(),
        },
        Err(error) => faulty(error.into()),
    };
    (findings, Some(plan))
}

/// The file stays until the agent empties its temporary folder: it reads a summary some time after it hears of it, and
/// may do so after the post-job stage.
fn summary(world: &World, report: &Report) -> Result<String, Failure> {
    let folder = Folder::create(Folder::propose(&job::temp_folder(&world.env)?)?)?;
    let path = folder.write(SUMMARY_FILE, &Secret::new(show::markdown(report)))?;
    folder.keep();
    Ok(path.to_string_lossy().into_owned())
}

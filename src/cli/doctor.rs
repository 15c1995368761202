//! `wif doctor`: every check that needs no task, from a terminal or in a later step of a job.

use std::{collections::BTreeSet, io::Write, sync::Arc, time::Duration};

use reqwest::Method;
use wif_broker::paths;
use wif_core::{
    code::Code,
    failure::{Failure, Place},
};
use wif_io::{clock::Clock, env::Env};

use super::{
    DoctorArguments, ExecArguments, Screen,
    ask::{address, failure_of},
    screen::unwritable,
};
use crate::{
    agent::sessions::{self, prefix},
    doctor::{self, Report, SessionStatus, Target, Trial, TrialTool, show},
    exec,
};

/// How long a broker may take to say who its session is.
const STATUS_TIMEOUT: Duration = Duration::from_secs(10);

/// Checks a connection, and in a job what this step finds of its session. Prints the report: 0, nothing; 10, warnings; 11,
/// faults.
///
/// # Errors
///
/// There is no token to ask with, or the arguments name nothing.
pub async fn doctor(
    arguments: &DoctorArguments,
    env: &Env,
    clock: Arc<dyn Clock>,
    out: &mut Screen<'_>,
    errors: &mut Screen<'_>,
) -> Result<u8, Failure> {
    if let Some(report) = of_source(arguments, env, Arc::clone(&clock)).await? {
        return print(&report.in_place(of_process(env)), arguments.json, out);
    }
    let prefixes = sessions::prefixes(env);
    let trial = trial(arguments, &prefixes)?;
    let is_in_job = env.is_true("TF_BUILD") || !prefixes.is_empty();
    let target = target(arguments, env, is_in_job)?;
    let mut report = match &target {
        Some(target) => {
            // Without standard error nothing is said, and the report is as good.
            let mut say = |line: &str| errors.text(line).unwrap_or_default();
            let session = arguments.session.as_deref();
            doctor::from_terminal(target, env, Arc::clone(&clock), session, &mut say).await?
        }
        None => Report::without_connection(
            "no connection is named: --connection checks one, diagnose: true in a step AzureWorkloadIdentity@1 checks more",
        ),
    };
    if is_in_job {
        let mut sessions = Vec::new();
        for prefix in prefixes {
            let status = status(env, &*clock, &prefix).await;
            sessions.push(SessionStatus { prefix, status });
        }
        doctor::in_step(&mut report, env, &*clock, sessions, target.is_some(), &trial).await;
    }
    print(&report.in_place(of_process(env)), arguments.json, out)
}

/// Checks what a command would be signed in by, and prints the report: 0, nothing; 10, warnings; 11, faults. The command is not run.
///
/// # Errors
///
/// The options name no identity, or the source is not here.
pub async fn diagnose_exec(
    arguments: &ExecArguments,
    env: &Env,
    clock: Arc<dyn Clock>,
    out: &mut Screen<'_>,
    errors: &mut (dyn Write + Send),
) -> Result<u8, Failure> {
    let report = exec::diagnose(env, clock, errors, &arguments.into()).await?;
    print(&report.in_place(of_process(env)), false, out)
}

/// Where this process runs.
fn of_process(env: &Env) -> Place {
    Place::of(env.is_true("TF_BUILD"))
}

fn print(report: &Report, json: bool, out: &mut Screen<'_>) -> Result<u8, Failure> {
    let shown = if json {
        out.text(&format!("{:#}", report.json()))
    } else {
        out.painted(show::text(report).trim_end())
    };
    shown.map_err(unwritable)?;
    Ok(report.exit_code())
}

/// The report on a source of id tokens, where one is to be checked.
async fn of_source(
    arguments: &DoctorArguments,
    env: &Env,
    clock: Arc<dyn Clock>,
) -> Result<Option<Report>, Failure> {
    let DoctorArguments { connection, allowed_authorities, source, .. } = arguments;
    let allowed: Vec<_> = allowed_authorities.iter().map(ToString::to_string).collect();
    let Some(request) = source.request(connection.as_deref(), &allowed.join("\n")) else { return Ok(None) };
    exec::diagnose(env, clock, &mut std::io::sink(), &request).await.map(Some)
}

/// The connection to check. In a job the arguments may be left out, and the organization and project are the job's.
fn target(arguments: &DoctorArguments, env: &Env, is_in_job: bool) -> Result<Option<Target>, Failure> {
    let DoctorArguments { organization, project, connection, allowed_authorities, tools, .. } = arguments;
    let of_job = |name: &str| env.get(name).filter(|_| is_in_job).map(str::to_owned);
    let own_organization = env.get("WIF_ORGANIZATION").map(str::to_owned);
    let own_organization = own_organization
        .or_else(|| of_job("SYSTEM_COLLECTIONURI"))
        .or_else(|| of_job("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"));
    let own_project = of_job("SYSTEM_TEAMPROJECT");
    if is_in_job && connection.is_none() && organization.is_none() && project.is_none() {
        return Ok(None);
    }
    if tools.is_some() && !is_in_job {
        let error =
            "--try starts tools with the variables of a sign-in session, and this is not a step of a job";
        let hint = "run it in a step after AzureWorkloadIdentity@1, or leave --try out";
        return Err(Failure::new(Code::ArgumentInvalid, error, hint));
    }
    let is_organization_named = organization.is_some();
    let (organization, project) =
        (organization.clone().or(own_organization), project.clone().or(own_project));
    let given = [
        ("--organization", organization.is_some()),
        ("--project", project.is_some()),
        ("--connection", connection.is_some()),
    ];
    let (Some(organization), Some(project), Some(connection)) = (organization, project, connection.clone())
    else {
        let missing: Vec<_> =
            given.into_iter().filter(|(_, is_given)| !is_given).map(|(name, _)| name).collect();
        let error = format!("not given: {}", missing.join(", "));
        let hint = "name the connection: wif doctor --organization NAME --project NAME --connection NAME; only in a job may all be left out";
        return Err(Failure::new(Code::ArgumentInvalid, error, hint));
    };
    let (allowed_hosts, now) = (allowed_authorities.clone(), arguments.now);
    Ok(Some(Target { organization, is_organization_named, project, connection, allowed_hosts, now }))
}

/// What to try, and in which session.
fn trial(arguments: &DoctorArguments, prefixes: &BTreeSet<String>) -> Result<Trial, Failure> {
    let session = arguments.session.as_deref().map(|name| prefix(Some(name)));
    if let Some(session) = session.as_ref().filter(|session| !prefixes.contains(*session)) {
        let name = session.trim_end_matches('_');
        let others: Vec<_> = prefixes.iter().map(|prefix| prefix.trim_end_matches('_')).collect();
        let others = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
        let error = format!("this step finds no session {name}; it finds: {others}");
        let hint = "name one of them, as the input session of the sign-in does, or leave --session out";
        return Err(Failure::new(Code::ArgumentInvalid, error, hint));
    }
    let (tools, named) = match &arguments.tools {
        None => (Vec::new(), false),
        Some(tools) if tools.is_empty() => (TrialTool::ALL.to_vec(), false),
        Some(tools) => (tools.clone(), true),
    };
    Ok(Trial { tools, named, backend: arguments.backend.clone(), session })
}

/// What the broker of a session says of itself.
async fn status(env: &Env, clock: &dyn Clock, prefix: &str) -> Result<serde_json::Value, Failure> {
    let asked = async {
        let answer =
            address(env, prefix)?.ask_within(clock, STATUS_TIMEOUT, Method::GET, paths::STATUS, &[]).await;
        answer.map_err(|error| failure_of(error, env))
    };
    asked.await
}

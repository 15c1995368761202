//! The post-job stage: end the broker, and remove what the session left. It runs whether the main stage ran, failed
//! or was skipped.

use std::{error::Error, io, path::Path, time::Duration};

use reqwest::Method;
use serde_json::Value;
use wif_broker::{
    client::{Address, BrokerError},
    paths,
};
use wif_core::{failure::Failure, foreign_text::one_line};
use wif_io::{
    clock::Clock,
    env::Env,
    private_folder::Folder,
    process::{Ending, ProcessRecord},
};

use super::account::account;
use crate::{
    agent::{
        commands::Commands,
        job, shadowed,
        task_variables::{
            BROKER_KEY_VARIABLE, BROKER_PROCESS_VARIABLE, BROKER_URL_VARIABLE, FOLDER_VARIABLE,
            TASK_VARIABLES,
        },
    },
    world::World,
};

/// Checks that what the main stage left for this one is not another's.
///
/// # Errors
///
/// A variable of the job has the name of one of the step's task variables.
pub fn check(env: &Env) -> Result<(), Failure> {
    Ok(shadowed::check_task_variables(env, &TASK_VARIABLES)?)
}

/// How long the broker may take to say that it ends.
const END_TIMEOUT: Duration = Duration::from_millis(2500);
/// How long it may take to do so: it may have a credential of another cloud to end.
const END_GRACE: Duration = Duration::from_secs(3);

/// How the session's broker ended.
enum BrokerEnd {
    /// There was none.
    None,
    /// It ended: a sentence for each credential of another cloud that may live on, and what the session was used for.
    Ended { left: Vec<String>, account: Vec<String> },
    /// It did not answer.
    Killed,
    /// It had ended before this stage.
    Before(BrokerError),
    /// Why it is.
    StillThere(String),
}

/// Ends the broker and removes the session's folder. What cannot be done is a warning: a job does not fail for it, the
/// agent kills what is left of a job and empties its temporary folder after it.
///
/// # Errors
///
/// Standard output is gone.
pub async fn post(world: &mut World) -> io::Result<()> {
    let mut commands = Commands::new(&mut *world.out, &world.env);
    let broker = end_broker(&world.env, &*world.clock).await;
    let folder = remove_folder(&world.env);
    let has_vault = world.env.get("INPUT_VAULTADDRESS").is_some_and(|address| !address.trim().is_empty());
    match &broker {
        BrokerEnd::None if folder.is_none() => {
            return commands.line("Nothing to remove: this step left no sign-in session");
        }
        BrokerEnd::None => {}
        BrokerEnd::Ended { left, .. } => {
            for sentence in left {
                commands.warning(sentence)?;
            }
        }
        BrokerEnd::Killed if has_vault => commands.warning(
            "The session's broker did not answer: it was killed. Its token of Vault was not revoked, and works until its life ends",
        )?,
        BrokerEnd::Killed => commands.line("The session's broker did not answer: it was killed")?,
        BrokerEnd::Before(error) => {
            let other = matches!(error, BrokerError::Unproven { .. }).then(|| format!(" ({error})"));
            commands.warning(&format!(
                "The session's broker was gone before the job's end{}: steps after its end were not signed in. A step \
                 ended it, the machine had no memory left, or the job took longer than WIF_SESSION_HOURS",
                other.unwrap_or_default()
            ))?;
        }
        BrokerEnd::StillThere(error) => {
            commands.warning(&format!("The session's broker could not be ended: {error}"))?;
        }
    }
    let is_clean = match &broker {
        BrokerEnd::None => true,
        BrokerEnd::Ended { left, .. } => left.is_empty(),
        BrokerEnd::Killed => !has_vault,
        BrokerEnd::Before(_) | BrokerEnd::StillThere(_) => false,
    };
    match folder {
        Some(Err(warning)) => commands.warning(&warning),
        Some(Ok(false)) if matches!(broker, BrokerEnd::None) => {
            commands.line("Nothing to remove: the session's files are gone already")
        }
        Some(Ok(_)) if !is_clean => commands.line("The session's files are removed"),
        _ if is_clean => commands.line("Signed out: nothing of the session is left"),
        _ => Ok(()),
    }?;
    match &broker {
        BrokerEnd::Ended { account, .. } => account.iter().try_for_each(|line| commands.line(line)),
        _ => Ok(()),
    }
}

/// Asks the broker to end, and kills its process if it does not: a broker that is stopped, or that others crowd, does not
/// answer.
async fn end_broker(env: &Env, clock: &dyn Clock) -> BrokerEnd {
    let url = env.get(&task_variable(BROKER_URL_VARIABLE));
    let key = env.secret(&task_variable(BROKER_KEY_VARIABLE));
    let (Some(url), Some(key)) = (url, key) else { return BrokerEnd::None };
    let process = env.get(&task_variable(BROKER_PROCESS_VARIABLE));
    let process = process.and_then(|process| process.parse::<ProcessRecord>().ok());
    let asked = match Address::new(url, key) {
        Ok(address) => address.ask_within(clock, END_TIMEOUT, Method::POST, paths::END, &[]).await,
        Err(error) => Err(error),
    };
    let grace = if asked.is_ok() { END_GRACE } else { Duration::ZERO };
    let ending = match &process {
        Some(process) => match process.end(clock, grace).await {
            Ok(ending) => Some(ending),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return BrokerEnd::StillThere("its process was killed, and did not end".to_owned());
            }
            // A system that does not tell.
            Err(_) => None,
        },
        None => None,
    };
    match (asked, ending) {
        (_, Some(Ending::Killed)) => BrokerEnd::Killed,
        (Ok(answer), _) => BrokerEnd::Ended { left: left_of(&answer), account: account(&answer) },
        (Err(_), Some(Ending::ByItself)) => BrokerEnd::Ended { left: Vec::new(), account: Vec::new() },
        (Err(error), Some(Ending::Gone)) => BrokerEnd::Before(error),
        (Err(error @ (BrokerError::Gone(_) | BrokerError::Unproven { .. })), None) => {
            BrokerEnd::Before(error)
        }
        (Err(error), None) => BrokerEnd::StillThere(error.to_string()),
    }
}

/// What may live on, as the broker says.
fn left_of(answer: &Value) -> Vec<String> {
    let left = answer.get("left").and_then(Value::as_array);
    left.into_iter().flatten().filter_map(Value::as_str).map(|text| one_line(text, 500)).collect()
}

/// `None`: there was none.
fn remove_folder(env: &Env) -> Option<Result<bool, String>> {
    let path = env.get(&task_variable(FOLDER_VARIABLE))?;
    let may_be_there = |error: &dyn Error| {
        let source = error.source().map(|source| format!(": {source}"));
        format!("The session's files may still be there: {error}{}", source.unwrap_or_default())
    };
    Some(match job::temp_folder(env) {
        Ok(temp) => Folder::remove(&temp, Path::new(path)).map_err(|error| may_be_there(&error)),
        Err(error) => Err(may_be_there(&error)),
    })
}

fn task_variable(name: &str) -> String {
    format!("VSTS_TASKVARIABLE_{name}")
}

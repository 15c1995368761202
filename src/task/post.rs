//! The post-job stage: end the broker, and remove what the session left. It runs whether the main stage ran, failed
//! or was skipped.

use std::{error::Error as _, io, path::Path};

use hyper::Method;

use super::{BROKER_KEY_VARIABLE, BROKER_URL_VARIABLE, FOLDER_VARIABLE, TASK_VARIABLES};
use crate::{
    agent::{commands::Commands, job, shadowed},
    broker::{
        client::{Address, BrokerError},
        paths,
    },
    env::Env,
    error::Failure,
    folder::Folder,
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

/// Ends the broker and removes the session's folder. What cannot be done is a warning: a job does not fail for it, the
/// agent kills what is left of a job and empties its temporary folder after it.
///
/// # Errors
///
/// Standard output is gone.
pub async fn post(world: &mut World) -> io::Result<()> {
    let mut commands = Commands::new(&mut *world.out, &world.env);
    let broker = end_broker(&world.env).await;
    let folder = remove_folder(&world.env);
    match (&broker, &folder) {
        (None, None) => return commands.line("Nothing to remove: this step left no sign-in session"),
        (Some(Err(error)), _) => {
            commands.warning(&format!("The session's broker could not be ended: {error}"))?;
        }
        _ => {}
    }
    match folder {
        Some(Err(warning)) => commands.warning(&warning),
        Some(Ok(false)) if broker.is_none() => {
            commands.line("Nothing to remove: the session's files are gone already")
        }
        _ => commands.line("Signed out: nothing of the session is left"),
    }
}

/// `None`: there was none. One that is gone already is fine.
async fn end_broker(env: &Env) -> Option<Result<(), BrokerError>> {
    let url = env.get(&task_variable(BROKER_URL_VARIABLE))?;
    let key = env.secret(&task_variable(BROKER_KEY_VARIABLE))?;
    let address = match Address::new(url, key) {
        Ok(address) => address,
        Err(error) => return Some(Err(error)),
    };
    match address.ask(Method::POST, paths::END, &[]).await {
        Ok(_) | Err(BrokerError::Gone(_)) => Some(Ok(())),
        Err(error) => Some(Err(error)),
    }
}

/// `None`: there was none.
fn remove_folder(env: &Env) -> Option<Result<bool, String>> {
    let path = env.get(&task_variable(FOLDER_VARIABLE))?;
    let temp = job::temp_folder(env).ok()?;
    Some(Folder::remove(&temp, Path::new(path)).map_err(|error| {
        let source = error.source().map(|source| format!(": {source}"));
        format!("The session's files may still be there: {error}{}", source.unwrap_or_default())
    }))
}

fn task_variable(name: &str) -> String {
    format!("VSTS_TASKVARIABLE_{name}")
}

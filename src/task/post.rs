//! The post-job stage: remove what the session left. It runs whether the main stage ran, failed or was skipped.

use std::path::Path;

use super::FOLDER_VARIABLE;
use crate::{
    agent::{commands::Commands, job},
    folder::Folder,
    world::World,
};

/// Removes the session's folder. What cannot be removed is a warning: a job does not fail for it, and the agent
/// empties its temporary folder after every job.
///
/// # Errors
///
/// Standard output is gone.
pub fn post(world: &mut World) -> std::io::Result<()> {
    let variable = format!("VSTS_TASKVARIABLE_{FOLDER_VARIABLE}");
    let path = world.env.get(&variable).map(str::to_owned);
    let temp = job::temp_folder(&world.env);
    let mut commands = Commands::new(&mut *world.out, &world.env);
    let (Some(path), Ok(temp)) = (path, temp) else {
        return commands.line("Nothing to remove: this step left no sign-in session");
    };
    match Folder::remove(&temp, Path::new(&path)) {
        Ok(true) => commands.line("Signed out: the session's files are removed"),
        Ok(false) => commands.line("Nothing to remove: the session's files are gone already"),
        Err(error) => {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
            commands.warning(&format!(
                "The session's files may still be there: {error}{}",
                source.unwrap_or_default()
            ))
        }
    }
}

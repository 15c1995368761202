//! The private folder of a session that a command runs in.

use std::path::PathBuf;

use wif_core::failure::Failure;
use wif_io::{env::Env, private_folder::Folder};

/// Where temporary files belong, by the system that runs the job, else by the machine.
const NAMED: [&str; 5] = ["AGENT_TEMPDIRECTORY", "RUNNER_TEMP", "TMPDIR", "TEMP", "TMP"];
/// Where they belong on Unix. The second is there, and can be written, in a container whose root cannot.
const USUAL: [&str; 2] = ["/tmp", "/dev/shm"];

/// Makes it in the first place that can be written.
pub(super) fn make(env: &Env) -> Result<Folder, Failure> {
    let named = NAMED.into_iter().filter_map(|name| env.get(name)).map(PathBuf::from);
    let usual = USUAL.into_iter().filter(|_| cfg!(unix)).map(PathBuf::from);
    let mut first = None;
    for parent in named.chain(usual).filter(|parent| parent.is_absolute()) {
        match Folder::propose(&parent).and_then(Folder::create) {
            Ok(folder) => return Ok(folder),
            Err(error) => first = first.or(Some(error)),
        }
    }
    let hint = "set TMPDIR to a folder that can be written, or leave out the families that need one: --exports terraform,azure-sdk";
    let code = wif_core::code::Code::FolderUnwritable;
    Err(match first {
        Some(error) => Failure::new(code, error, hint),
        None => Failure::new(code, "no folder for temporary files is named", hint),
    })
}

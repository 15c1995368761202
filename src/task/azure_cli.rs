//! Signing `az` in: a private folder with the account, and with what the user's own folder has beside it.

use std::path::{Path, PathBuf};

use uuid::Uuid;
use wif_core::{
    exports::{self, AzureCliFile, AzureCliOwnSettings, AzureCliScope},
    failure::Failure,
    secret::Secret,
};
use wif_io::{env::Env, private_folder::Folder};

use super::plan::Plan;
use crate::{
    agent::{
        azure_cli::{self, OwnFiles},
        commands::{Commands, OutputError},
    },
    sign_in::subscriptions::{Listed, Listing},
};

/// az looks for a repository's own settings in folders of the name that its own has.
const FOLDER_NAME: &str = ".azure";

/// Warns of an installed `az` that cannot be signed in.
pub(crate) fn warning(plan: &Plan) -> Option<String> {
    let version = plan.az_version.as_ref().filter(|version| azure_cli::is_too_old(version))?;
    Some(format!(
        "The az on the PATH is version {version}, which does not ask this session for tokens: {} would find az not signed in. Install az 2.73 or newer (2.71 and 2.72 work too), or leave azure-cli out of exports.",
        plan.audience()
    ))
}

/// Makes the private folder, if the session signs `az` in.
pub(crate) async fn sign_in(
    folder: Option<&Folder>,
    env: &Env,
    plan: &Plan,
    client: Option<Uuid>,
    listing: &Result<Listing, Option<String>>,
    commands: &mut Commands<'_>,
) -> Result<Option<PathBuf>, Failure> {
    let Some((folder, mut profile)) = folder.zip(plan.azure_cli(client)) else { return Ok(None) };
    let listed = match listing {
        Ok(listing) => listing.finish().await,
        Err(note) => Listed { note: note.clone(), ..Listed::default() },
    };
    let files = OwnFiles::read(env);
    let mut notes: Vec<_> = listed.note.into_iter().collect();
    notes.extend(files.unusable.iter().map(|file| format!("az's own settings stay behind: {file}")));
    if let (AzureCliScope::Tenant, Some(first)) =
        (&profile.scope, exports::first_enabled_subscription(&listed.subscriptions))
    {
        let name = first.name.as_deref().unwrap_or_default();
        notes.push(format!(
            "The connection names no subscription: az acts on {name} ({}), the first one that is enabled, as after az login; az account set chooses another",
            first.id
        ));
    }
    profile.subscriptions = listed.subscriptions;
    profile.own = AzureCliOwnSettings { config: files.config, clouds: files.clouds };

    // A folder of its own in the session's, since az writes into it.
    let own = folder.inner(FOLDER_NAME)?;
    for AzureCliFile { name, content } in exports::azure_cli_files(&profile) {
        own.write(name, &Secret::new(content))?;
    }
    let own = own.path().to_owned();
    if let Some(programs) = &files.programs
        && let Err(error) = link_programs(programs, &own.join("bin"))
    {
        notes.push(format!("az does not find the Bicep of {}: {error}", programs.display()));
    }
    notes.iter().try_for_each(|note| commands.line(note)).map_err(OutputError)?;
    Ok(Some(own))
}

/// Lets az find the user's own programs: Bicep. One that az installs goes to the user's own folder, as before; nothing
/// that removes the session's folder follows a link.
#[cfg(unix)]
fn link_programs(programs: &Path, to: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(programs, to)
}

/// The same. A link to a folder may need rights that a user does not have; another name for the file does not, on the
/// same drive.
#[cfg(windows)]
fn link_programs(programs: &Path, to: &Path) -> std::io::Result<()> {
    let (name, own) = ("bicep.exe", programs.join("bicep.exe"));
    if std::os::windows::fs::symlink_dir(programs, to).is_ok() || !own.is_file() {
        return Ok(());
    }
    std::fs::create_dir(to)?;
    std::os::windows::fs::symlink_file(&own, to.join(name))
        .or_else(|_error| std::fs::hard_link(&own, to.join(name)))
}

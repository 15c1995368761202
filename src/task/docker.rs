//! Docker's configuration for later steps: the user's own, with this program as the credential helper of the session's registries.
//!
//! Source: docker/cli, `cli/config/configfile/file.go` (`credHelpers` before `credsStore` before `auths`; `cliPluginsExtraDirs`).

use std::{
    io,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};
use wif_core::{failure::Failure, foreign_text::one_line, secret::Secret};
use wif_io::{env::Env, private_folder::Folder};

use crate::agent::{docker_registries::FILE, network::read_file};

/// What Docker puts in front of a helper's name to find its program.
const PROGRAM_PREFIX: &str = "docker-credential-";
const FOLDER: &str = "docker";
const PLUGINS: &str = "cli-plugins";
/// The longest path that a note shows, in characters.
const MAX_PATH: usize = 200;

/// The program of a helper.
pub(super) fn program(helper: &str) -> String {
    format!("{PROGRAM_PREFIX}{helper}")
}

/// Writes the configuration, and gives its folder.
///
/// # Errors
///
/// It cannot be written.
pub(super) fn configure(
    folder: &Folder,
    env: &Env,
    registries: &[&str],
    helper: &str,
    notes: &mut Vec<String>,
) -> Result<PathBuf, Failure> {
    let home = || env.get("HOME").or(env.get("USERPROFILE")).map(|home| Path::new(home).join(".docker"));
    let own = env.get("DOCKER_CONFIG").map(PathBuf::from).or_else(home);
    let file = own.as_deref().map(|own| own.join(FILE));
    let mut settings = file.map_or_else(Map::new, |file| {
        read(&file).unwrap_or_else(|reason| {
            let file = one_line(&file.to_string_lossy(), MAX_PATH);
            notes.push(format!("Docker's own settings stay behind: {file} cannot be used: {reason}"));
            Map::new()
        })
    });
    let helpers = settings.entry("credHelpers").or_insert_with(|| Value::Object(Map::new()));
    if !helpers.is_object() {
        *helpers = Value::Object(Map::new());
    }
    if let Value::Object(helpers) = helpers {
        helpers.extend(registries.iter().map(|server| ((*server).to_owned(), Value::from(helper))));
    }
    if let Some(plugins) = own.as_ref().map(|own| own.join(PLUGINS)).filter(|plugins| plugins.is_dir()) {
        let folders = settings.entry("cliPluginsExtraDirs").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(folders) = folders {
            folders.push(Value::from(plugins.to_string_lossy()));
        }
    }
    let to = folder.inner(FOLDER)?;
    to.write(FILE, &Secret::new(Value::Object(settings).to_string()))?;
    if let Some(own) = own {
        link_others(&own, to.path());
    }
    Ok(to.path().to_owned())
}

/// The user's own settings; none, where there is no file. The error says why they cannot be used.
fn read(file: &Path) -> Result<Map<String, Value>, String> {
    match read_file(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|_error| "it is no object of JSON".to_owned()), // may quote a secret
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Map::new()),
        Err(error) => Err(error.to_string()),
    }
}

/// Contexts, builders and trusted keys stay where they are. Nothing that removes the session's folder follows a link.
#[cfg(unix)]
fn link_others(own: &Path, to: &Path) {
    for entry in std::fs::read_dir(own).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name != FILE && name != PLUGINS {
            // Docker works without it, too.
            let _ = std::os::unix::fs::symlink(entry.path(), to.join(name));
        }
    }
}

/// A link may need rights that a user does not have.
#[cfg(windows)]
fn link_others(own: &Path, to: &Path) {
    for name in ["contexts", "buildx"] {
        // Docker works without it, too.
        let _ = std::os::windows::fs::symlink_dir(own.join(name), to.join(name));
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn settings_that_cannot_be_read_say_why_and_hold_up_no_step() {
        let folder = tempfile::tempdir().unwrap();
        let [missing, pipe, broken, large, good] =
            ["missing", "pipe", "broken", "large", "good"].map(|name| folder.path().join(name));
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        fs::write(&broken, r#"{"auths": {"a": "secret"#).unwrap();
        let padding = " ".repeat(4 * 1024 * 1024);
        fs::write(&large, format!(r#"{{"psFormat": "x"}}{padding}"#)).unwrap();
        fs::write(&good, r#"{"psFormat": "x"}"#).unwrap();
        assert_eq!(read(&missing), Ok(Map::new()));
        assert_eq!(read(&good).unwrap().len(), 1);
        for (file, reason) in [(pipe, "ordinary file"), (large, "larger than"), (broken, "no object of JSON")]
        {
            let said = read(&file).unwrap_err();
            assert!(said.contains(reason) && !said.contains("secret"), "{said}");
        }
    }
}

//! The script tasks `CmdLine@2`, `Bash@3` and `PowerShell@2`, as far as a job can tell.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::job_start::JobContext;
use super::machine::find_program;
use super::step::Shell;

/// A script in the temp folder, and what runs it.
pub(super) struct Script {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    /// The name of the shell in error texts.
    pub(super) shell: &'static str,
}

/// Writes the script, with its macros replaced, to the temp folder, where the real tasks leave it too.
pub(super) fn write(job: &mut JobContext, shell: Shell, text: &str) -> Result<Script, String> {
    let text = job.variables.expand(text, &job.agent.machine);
    let windows_script = cfg!(windows) && shell == Shell::Script;
    let extension = if windows_script {
        "cmd"
    } else if shell == Shell::Pwsh {
        "ps1"
    } else {
        "sh"
    };
    let file = job.agent.temp_folder().join(format!("{}.{extension}", Uuid::new_v4()));
    let text = match shell {
        Shell::Pwsh => format!("$ErrorActionPreference = 'stop'\n{text}\n"),
        Shell::Script | Shell::Bash => format!("{text}\n"),
    };
    std::fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    job.scripts.insert(file.clone());
    let (name, arguments) = command(shell, windows_script, &file);
    // The agent's own PATH, not the one that steps have changed.
    let path = job.agent.machine.get("PATH").map_or("", String::as_str);
    let program =
        find_program(name, path).ok_or_else(|| format!("Unable to locate executable file: '{name}'."))?;
    let shell = match name {
        "pwsh" => "PowerShell",
        "cmd" => "Cmd.exe",
        _ => "Bash",
    };
    Ok(Script { program, arguments, shell })
}

fn command(shell: Shell, windows_script: bool, file: &Path) -> (&'static str, Vec<String>) {
    let file = file.display().to_string();
    let (name, arguments) = if windows_script {
        (
            "cmd",
            vec![
                "/D".into(),
                "/E:ON".into(),
                "/V:OFF".into(),
                "/S".into(),
                "/C".into(),
                format!("CALL {file}"),
            ],
        )
    } else if shell == Shell::Pwsh {
        let flags = ["-NoLogo", "-NoProfile", "-NonInteractive", "-Command"].map(str::to_owned);
        ("pwsh", flags.into_iter().chain([format!(". '{file}'")]).collect())
    } else {
        ("bash", vec!["--noprofile".to_owned(), "--norc".to_owned(), file])
    };
    (name, arguments)
}

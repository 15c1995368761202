//! Completions for shells, and manual pages, made of the same types that the program reads its arguments with. They are no part of the
//! program, which has a limit of bytes: `cargo xtask release` puts them into its archives. The argument is the folder to write into.

use std::{env, error::Error, fs, path::PathBuf};

use clap::{Command, CommandFactory as _};
use clap_complete::{Shell, generate_to};
use wif::cli::Arguments;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args_os().nth(1).ok_or("the folder to write into is missing")?);
    let completions = folder.join("completions");
    fs::create_dir_all(&completions)?;
    let mut command = public(&Arguments::command());
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell] {
        generate_to(shell, &mut command, "wif", &completions)?;
    }
    let manual = folder.join("man");
    fs::create_dir_all(&manual)?;
    clap_mangen::generate_to(command, &manual)?;
    Ok(())
}

/// The program without the commands that the agent and the task start, and without the commit, which would make the pages differ from
/// build to build.
fn public(program: &Command) -> Command {
    let shown = program.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    // `help` would bring a page for each command a second time.
    let shown = shown.map(|command| command.disable_help_subcommand(true));
    Command::new("wif")
        .version(env!("CARGO_PKG_VERSION"))
        .about(program.get_about().cloned().unwrap_or_default())
        .after_help(program.get_after_help().cloned().unwrap_or_default())
        .disable_help_subcommand(true)
        .subcommands(shown)
}

//! Completions for shells, and manual pages, made of the same types that both programs read their arguments with. They are no part of
//! the programs, which have a limit of bytes: `cargo xtask release` puts them into its archives. The argument is the folder to write
//! into.

use std::{env, error::Error, fs, path::PathBuf};

use clap::{Command, CommandFactory as _};
use clap_complete::{Shell, generate_to};
use wif_operator::cli::Arguments;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args_os().nth(1).ok_or("the folder to write into is missing")?);
    let (completions, manual) = (folder.join("completions"), folder.join("man"));
    for folder in [&completions, &manual] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
    }
    let operator = public(&Arguments::command(), "wif-operator");
    for mut program in [with_operators(&wif::cli::Arguments::command(), &operator), operator] {
        let name = program.get_name().to_owned();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell] {
            generate_to(shell, &mut program, &name, &completions)?;
        }
        clap_mangen::generate_to(program, &manual)?;
    }
    for page in fs::read_dir(&manual)?.flatten() {
        let text = fs::read_to_string(page.path())?;
        fs::write(page.path(), sections(&text))?;
    }
    Ok(())
}

/// A program without the commands that the agent and the tasks start, and without the commit, which would make the pages differ from
/// build to build.
fn public(program: &Command, name: &'static str) -> Command {
    let shown = program.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    // `help` would bring a page for each command a second time.
    let shown = shown.map(|command| command.disable_help_subcommand(true));
    Command::new(name)
        .version(env!("CARGO_PKG_VERSION"))
        .about(program.get_about().cloned().unwrap_or_default())
        .after_help(program.get_after_help().cloned().unwrap_or_default())
        .disable_help_subcommand(true)
        .args(program.get_arguments().cloned())
        .subcommands(shown)
}

/// `wif` with the commands that the operators' program carries out as that program has them.
fn with_operators(program: &Command, operator: &Command) -> Command {
    let mut own = public(program, "wif");
    for command in operator.get_subcommands() {
        // `explain` is both programs', and says the same.
        if own.find_subcommand(command.get_name()).is_some_and(Command::is_disable_help_flag_set) {
            let of_all = operator.get_arguments().cloned();
            let whole = command.clone().args(of_all);
            own = own.mut_subcommand(command.get_name(), |_stub| whole.clone());
        }
    }
    own
}

/// A manual page with examples, which stay as they are, and exit codes in sections of their own.
fn sections(page: &str) -> String {
    let page = page.replace('`', "");
    let Some((before, extra)) = page.split_once(".SH EXTRA\nExamples:\n") else { return page };
    let (examples, codes) = extra.split_once("\n\nExit codes: ").unwrap_or((extra, ""));
    let (codes, after) = codes.split_once('\n').unwrap_or((codes, ""));
    let examples = format!("{before}.SH EXAMPLES\n.nf\n{examples}\n.fi\n");
    if codes.is_empty() { examples } else { format!("{examples}.SH \"EXIT STATUS\"\n{codes}\n{after}") }
}

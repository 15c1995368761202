//! Completions for shells, and manual pages, made of the same types that the program reads its arguments with. They are no part of the
//! program, which has a limit of bytes: `cargo xtask release` puts them into its archives. The argument is the folder to write into.

use std::{env, error::Error, fs, path::PathBuf};

use clap::CommandFactory as _;
use clap_complete::{Shell, generate_to};
use wif::cli::Arguments;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args_os().nth(1).ok_or("the folder to write into is missing")?);
    let completions = folder.join("completions");
    fs::create_dir_all(&completions)?;
    let mut command = Arguments::command();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell] {
        generate_to(shell, &mut command, "wif", &completions)?;
    }
    let manual = folder.join("man");
    fs::create_dir_all(&manual)?;
    // The commit would make the pages differ from build to build.
    clap_mangen::generate_to(command.version(env!("CARGO_PKG_VERSION")), &manual)?;
    Ok(())
}

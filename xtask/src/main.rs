//! The project's own chores: `cargo xtask <chore>`.

mod acceptance;
mod bench;
mod demo;
mod process;
mod stage;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own chores
#[derive(Parser)]
#[command(name = "cargo xtask", arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build this machine's program and put it into task/bin, so that any agent can run task/
    Stage,
    /// Stage, then run the main job (docs/examples/demo.yml) against the emulator, and print its log
    Demo,
    /// Stage, then run real clients, pinned, as later steps of a job against the emulator, and print what came of it
    Acceptance {
        /// Only tools and credentials with this in their names
        only: Option<String>,
    },
    /// Stage, then measure speed, round trips, memory and size beside named peers, and print one table
    Bench {
        /// Only this: step, trips, start, broker or size
        only: Option<String>,
    },
    /// What CI runs: format, lints, documentation, all tests, the shim's tests
    Test,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().chore {
        Chore::Stage => stage::stage().map(|_folder| ()),
        Chore::Demo => demo::demo(),
        Chore::Acceptance { only } => acceptance::acceptance(only.as_deref()),
        Chore::Bench { only } => bench::bench(only.as_deref()),
        Chore::Test => test::test(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

//! The command line: its doc comments are the help text.

mod audit;
#[cfg(feature = "change")]
mod change;
#[cfg(feature = "change")]
mod change_command;
mod connect;
#[cfg(feature = "change")]
mod connection;
mod files;
mod help;
mod inventory;
#[cfg(feature = "change")]
mod migrate;
mod options;
mod schema;
mod screen;
mod source;
mod task;

use clap::{Parser, Subcommand, ValueEnum};

pub use audit::audit;
#[cfg(feature = "change")]
pub use change_command::{ChangeCommand, change};
pub use inventory::inventory;
pub use options::{AuditArguments, InventoryArguments, NowArgument};
pub use schema::{SchemaCommand, schema};
pub use screen::{Host, Screen};
pub use task::{TaskStage, run_task};
pub use wif::cli::{Terminal, Unparsed, explain, parse};

/// Audit the service connections of whole organizations, for those who run them
#[derive(Debug, Parser)]
#[command(
    name = "wif-operator",
    version = wif::cli::VERSION,
    arg_required_else_help = true,
    help_template = help::PROGRAM,
    after_help = help::PROGRAM_EXAMPLES
)]
pub struct Arguments {
    /// Colors in text for people: always, never, or auto, on a terminal where `NO_COLOR` is not set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub color: ColorChoice,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// When text for people has colors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal that has them, unless the user says otherwise by variables.
    Auto,
    /// Also in files and pipes.
    Always,
    /// Never.
    Never,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read a whole organization and judge it; never write to it
    #[command(after_help = help::AUDIT)]
    Audit(Box<AuditArguments>),
    /// List the connections without judging them, or show the whole chain of trust of each
    #[command(after_help = help::INVENTORY)]
    Inventory(Box<InventoryArguments>),
    /// Run the step of the task `AuditServiceConnections@1`
    #[command(hide = true)]
    Task {
        /// The stage
        stage: TaskStage,
    },
    /// Plans, and what applies them and takes them back.
    #[cfg(feature = "change")]
    #[command(flatten)]
    Change(ChangeCommand),
    /// Print the JSON schema of a file that people write
    #[command(subcommand, after_help = help::SCHEMA)]
    Schema(SchemaCommand),
    /// Explain a rule, such as WIF6101, or an error's code, without a network; alone: list what is known
    #[command(after_help = help::EXPLAIN)]
    Explain {
        /// The code, what a service calls its refusal, or a message that names some; -: the log on standard input
        code: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// The moment.
        #[command(flatten)]
        now: NowArgument,
    },
}

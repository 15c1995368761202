//! The command line: its doc comments are the help text.

mod audit;
mod explain;
mod files;
mod inventory;
mod options;
mod screen;
mod source;

use std::ffi::OsString;

use clap::{Parser, Subcommand};
use wif_core::foreign_text::{lines, one_line};

pub use audit::audit;
pub use explain::explain;
pub use inventory::inventory;
pub use options::{AuditArguments, InventoryArguments};
pub use screen::{Host, Screen};

/// Audit the service connections of whole organizations, for those who run them
#[derive(Debug, Parser)]
#[command(name = "wif-operator", version, arg_required_else_help = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read a whole organization and judge it; never write to it
    ///
    /// Ends with 0 (nothing to say), 10 (warnings), 11 (faults), 12 (something could not be read, and nothing is worse), 2
    /// (arguments or files), 3 (everything was refused) or 4 (nothing was reached).
    Audit(Box<AuditArguments>),
    /// List the connections without judging them, or show the whole chain of trust of each
    Inventory(Box<InventoryArguments>),
    /// Explain a rule, such as WIF6101, or an error's code, without a network; alone: list what is known
    Explain {
        /// The code, what a service calls its refusal, or a message that names some
        code: Option<String>,
    },
}

/// Arguments that are wrong, or that ask for help: the text to print, and where.
#[derive(Debug)]
pub struct Unparsed {
    /// What to tell the user: harmless, whatever the arguments hold.
    pub text: String,
    /// Whether it is an error, for standard error.
    pub is_error: bool,
    /// 0 for help, else 2.
    pub exit: u8,
}

/// The longest argument that an error shows, in characters.
const MAX_ARGUMENT: usize = 200;

/// Reads the arguments, the program's name first.
///
/// # Errors
///
/// They are wrong, or ask for help.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, Unparsed> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    Arguments::try_parse_from(&arguments).map_err(|error| {
        // The text quotes arguments, and is of several lines: what is quoted must be harmless before.
        let harmless = arguments.iter().map(|text| one_line(&text.to_string_lossy(), MAX_ARGUMENT));
        let error = Arguments::try_parse_from(harmless).err().unwrap_or(error);
        Unparsed {
            text: lines(&error.render().to_string()),
            is_error: error.use_stderr(),
            exit: error.exit_code().try_into().unwrap_or(2),
        }
    })
}

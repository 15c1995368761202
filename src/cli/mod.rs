//! The command line: its doc comments are the help text.

mod ask;
mod explain;

use clap::{Parser, Subcommand};

pub use ask::ask;
pub use explain::explain;

/// Secret-free sign-in to Azure from Azure Pipelines
#[derive(Debug, Parser)]
#[command(name = "wif", version, arg_required_else_help = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a stage of the pipeline task; the agent does this
    #[command(subcommand)]
    Task(Stage),
    /// Serve the tokens of a sign-in session; the task starts this
    #[command(hide = true)]
    Broker,
    /// Print a fresh access token, or the id token, in a later step of a job that is signed in
    Token {
        /// What the access token is for: arm, keyvault, storage, …, an https:// resource, a GUID or a scope
        #[arg(required_unless_present = "id_token")]
        resource: Option<String>,
        /// Print the id token instead
        #[arg(long, conflicts_with = "resource")]
        id_token: bool,
        /// The session's name, when the job signed in to several connections
        #[arg(long, value_name = "NAME")]
        session: Option<String>,
    },
    /// Explain a code, such as WIF2013 or AADSTS700213, without a network; alone: list what is known
    Explain {
        /// The code, or what Azure DevOps or Azure calls the refusal
        code: Option<String>,
    },
    /// Show who is signed in, which tokens are there, until when, and what they cost; never a token
    Status {
        /// The session's name, when the job signed in to several connections
        #[arg(long, value_name = "NAME")]
        session: Option<String>,
    },
}

/// A stage of the task.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Stage {
    /// Sign in, and leave to later steps what they need
    Run,
    /// Remove what the sign-in left
    Post,
}

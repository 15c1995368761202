//! The command line: its doc comments are the help text.

use clap::{Parser, Subcommand};

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
}

/// A stage of the task.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Stage {
    /// Sign in, and leave to later steps what they need
    Run,
    /// Remove what the sign-in left
    Post,
}

//! What the commands of requests are given.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::{
    change::{AskArguments, ShownArguments},
    help,
    options::Cloud,
};

/// What to do with requests.
#[derive(Clone, Debug, Subcommand)]
pub enum ConnectionCommand {
    /// Compare connections with their requests; nothing is changed
    #[command(after_help = help::DRIFT)]
    Drift(Box<DriftArguments>),
    /// Read, and print what would be made or brought back; nothing is changed
    #[command(after_help = help::CONNECTION_PLAN)]
    Plan(Box<ConnectionPlanArguments>),
}

/// What to plan.
#[derive(Clone, Debug, Args)]
pub struct ConnectionPlanArguments {
    /// The request files, in YAML or JSON (wif schema request)
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Allow Owner, User Access Administrator, Role Based Access Control Administrator, and whole subscriptions and management
    /// groups
    #[arg(long)]
    pub allow_privileged: bool,
    /// Do not end with 12 because something could not be read
    #[arg(long)]
    pub allow_gaps: bool,
    /// Where to ask.
    #[command(flatten, next_help_heading = "Where to ask")]
    pub ask: AskArguments,
    /// The cloud that Microsoft Graph and Azure Resource Manager are asked in
    #[arg(long, value_name = "CLOUD", default_value = "public")]
    pub cloud: Cloud,
    /// How many requests may run at a time, 1 to 64
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub jobs: u8,
    /// How the plan is kept and shown.
    #[command(flatten, next_help_heading = "The plan")]
    pub shown: ShownArguments,
}

/// What to compare.
#[derive(Clone, Debug, Args)]
pub struct DriftArguments {
    /// The request files, in YAML or JSON (wif schema request)
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// How it is shown
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: DriftFormat,
    /// Do not end with 12 because something could not be read
    #[arg(long)]
    pub allow_gaps: bool,
    /// Where to ask.
    #[command(flatten, next_help_heading = "Where to ask")]
    pub ask: AskArguments,
    /// The cloud that Microsoft Graph and Azure Resource Manager are asked in
    #[arg(long, value_name = "CLOUD", default_value = "public")]
    pub cloud: Cloud,
    /// How many requests may run at a time, 1 to 64
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub jobs: u8,
}

/// How a comparison is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DriftFormat {
    /// For people
    Text,
    /// wif.drift/1
    Json,
}

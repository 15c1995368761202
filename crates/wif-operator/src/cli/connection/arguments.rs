//! What the commands of requests are given.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::{
    change::{AskArguments, ShownArguments},
    options::Cloud,
};

/// What to do with requests.
#[derive(Clone, Debug, Subcommand)]
pub enum ConnectionCommand {
    /// Compare connections with their requests; nothing is changed
    ///
    /// Ends with 0 (all is as requested), 10 (something is not, or a connection does not exist), 12 (something could not be read),
    /// 2, 3 or 4.
    Drift(Box<DriftArguments>),
    /// Read, and print what would be made or brought back; nothing is changed
    ///
    /// Ends with 10 (the plan has steps), 0 (all is as requested), 12 (something could not be read), 2, 3 or 4.
    Plan(Box<ConnectionPlanArguments>),
}

/// What to plan.
#[derive(Clone, Debug, Args)]
pub struct ConnectionPlanArguments {
    /// The request files, in YAML or JSON (wif schema request)
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Where to ask.
    #[command(flatten)]
    pub ask: AskArguments,
    /// The cloud that Microsoft Graph and Azure Resource Manager are asked in
    #[arg(long, value_name = "CLOUD", default_value = "public")]
    pub cloud: Cloud,
    /// How many requests may run at a time, 1 to 64
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub jobs: u8,
    /// Allow Owner, User Access Administrator, Role Based Access Control Administrator, and whole subscriptions and management
    /// groups
    #[arg(long)]
    pub allow_privileged: bool,
    /// How the plan is kept and shown.
    #[command(flatten)]
    pub shown: ShownArguments,
    /// Do not end with 12 because something could not be read
    #[arg(long)]
    pub allow_gaps: bool,
}

/// What to compare.
#[derive(Clone, Debug, Args)]
pub struct DriftArguments {
    /// The request files, in YAML or JSON (wif schema request)
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Where to ask.
    #[command(flatten)]
    pub ask: AskArguments,
    /// The cloud that Microsoft Graph and Azure Resource Manager are asked in
    #[arg(long, value_name = "CLOUD", default_value = "public")]
    pub cloud: Cloud,
    /// How many requests may run at a time, 1 to 64
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub jobs: u8,
    /// How it is shown
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: DriftFormat,
    /// Do not end with 12 because something could not be read
    #[arg(long)]
    pub allow_gaps: bool,
}

/// How a comparison is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DriftFormat {
    /// For people
    Text,
    /// wif.drift/1
    Json,
}

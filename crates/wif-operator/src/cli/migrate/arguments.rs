//! What the commands of migrations are given.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use uuid::Uuid;

use crate::cli::{
    change::{AskArguments, PlanArguments, ShownArguments},
    help,
};

/// What to do with migrations.
#[derive(Clone, Debug, Subcommand)]
pub enum MigrateCommand {
    /// Read, and print what would be made beside the old connections; nothing is changed
    #[command(after_help = help::MIGRATE_PLAN)]
    Plan(Box<MigrateArguments>),
    /// Tell what has run on the old and on the new connections since, and which old ones can be retired
    #[command(after_help = help::MIGRATE_STATUS)]
    Status(Box<StatusArguments>),
    /// End the old connections
    #[command(subcommand, after_help = help::RETIRE)]
    Retire(RetireCommand),
}

/// What to do with old connections.
#[derive(Clone, Debug, Subcommand)]
pub enum RetireCommand {
    /// Read, and print what would be ended of the old connections that can be retired; nothing is changed
    #[command(after_help = help::RETIRE_PLAN)]
    Plan(Box<RetireArguments>),
}

/// What to tell of.
#[derive(Clone, Debug, Args)]
pub struct StatusArguments {
    /// The journal of the migration
    #[arg(value_name = "JOURNAL")]
    pub journal: PathBuf,
    /// How it is shown
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: StatusFormat,
    /// Do not end with 12 because something could not be read
    #[arg(long)]
    pub allow_gaps: bool,
    /// Where to ask.
    #[command(flatten, next_help_heading = "Where to ask")]
    pub ask: AskArguments,
}

/// How a soak is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StatusFormat {
    /// For people
    Text,
    /// wif.soak/1
    Json,
}

/// What to end.
#[derive(Clone, Debug, Args)]
pub struct RetireArguments {
    /// The journal of the migration
    #[arg(value_name = "JOURNAL")]
    pub journal: PathBuf,
    /// Do not end with 12 because something could not be read
    #[arg(long)]
    pub allow_gaps: bool,
    /// Where to ask.
    #[command(flatten, next_help_heading = "Where to ask")]
    pub ask: AskArguments,
    /// How many requests may run at a time, 1 to 64
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub jobs: u8,
    /// How the plan is kept and shown.
    #[command(flatten, next_help_heading = "The plan")]
    pub shown: ShownArguments,
}

/// What to plan.
#[derive(Clone, Debug, Args)]
pub struct MigrateArguments {
    /// What the new connections sign in as
    #[arg(long, value_name = "KIND", default_value = "application")]
    pub to: ToArgument,
    /// What the name of a new connection has at its end
    #[arg(long, value_name = "TEXT", default_value = "-wif", value_parser = suffix, allow_hyphen_values = true)]
    pub name_suffix: String,
    /// The resource group of the managed identities
    #[arg(long, value_name = "NAME")]
    pub resource_group: Option<String>,
    /// The subscription of the managed identities
    #[arg(long, value_name = "ID")]
    pub subscription: Option<Uuid>,
    /// Swap the names at the end, after the proof: the old connection gets -before-wif at its end, and the new one gets its name, so that
    /// pipelines need not be edited
    #[arg(long)]
    pub swap_names: bool,
    /// Copy Owner, User Access Administrator, Role Based Access Control Administrator, roles whose names are not known, and roles at
    /// whole subscriptions and management groups
    #[arg(long)]
    pub allow_privileged: bool,
    /// What to plan.
    #[command(flatten)]
    pub plan: PlanArguments,
}

/// What a new connection signs in as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ToArgument {
    /// An application of its own
    Application,
    /// A managed identity of its own, with --resource-group and --subscription
    #[value(name = "managedIdentity")]
    ManagedIdentity,
}

fn suffix(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || !wif_core::foreign_text::is_one_line(text) {
        return Err("accepted is text of one line that is not empty".to_owned());
    }
    Ok(text.to_owned())
}

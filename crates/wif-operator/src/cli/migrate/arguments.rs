//! What the commands of migrations are given.

use clap::{Args, Subcommand, ValueEnum};
use uuid::Uuid;

use crate::cli::change::PlanArguments;

/// What to do with migrations.
#[derive(Clone, Debug, Subcommand)]
pub enum MigrateCommand {
    /// Read, and print what would be made beside the old connections; nothing is changed
    ///
    /// Ends with 10 (the plan has steps), 0 (nothing is to be done), 12 (what was selected could not be read), 2, 3 or 4.
    Plan(Box<MigrateArguments>),
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

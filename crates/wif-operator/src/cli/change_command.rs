//! The commands that plan changes, those that apply them and take them back, and which code carries each out.

use clap::Subcommand;
use wif_core::failure::Failure;

use super::{
    change::{
        ApplyArguments, HandOffArguments, IssuerCommand, JournalCommand, Kind, PlanCommand,
        RollbackArguments, apply, hand_off, issuer_plan, journal, plan, rollback,
    },
    connection::{ConnectionCommand, connection_plan, drift},
    help,
    migrate::{MigrateCommand, RetireCommand, migrate_plan, retire_plan, status},
    screen::Host,
};

/// What changes connections, or is about changes.
#[derive(Debug, Subcommand)]
pub enum ChangeCommand {
    /// Convert stored secrets and certificates to federation, in place
    #[command(subcommand, after_help = help::CONVERT)]
    Convert(PlanCommand),
    /// Convert connections back, as long as Azure DevOps allows it
    #[command(subcommand, after_help = help::REVERT)]
    Revert(PlanCommand),
    /// Move connections from the Azure DevOps issuer to that of Entra, in place
    #[command(subcommand, after_help = help::ISSUER)]
    Issuer(IssuerCommand),
    /// Make connections as requests ask for, and bring back what drifted
    #[command(subcommand, after_help = help::CONNECTION)]
    Connection(ConnectionCommand),
    /// Put connections with identities of their own beside old ones, and retire those
    #[command(subcommand, after_help = help::MIGRATE)]
    Migrate(MigrateCommand),
    /// Apply a plan; the only command that changes anything
    #[command(after_help = help::APPLY)]
    Apply(Box<ApplyArguments>),
    /// Plan the inverse of what a journal says was done
    #[command(after_help = help::ROLLBACK)]
    Rollback(Box<RollbackArguments>),
    /// Read a journal of wif apply
    #[command(subcommand, after_help = help::JOURNAL)]
    Journal(JournalCommand),
    /// Print what another person has to do: commands, or lines of Terraform
    #[command(after_help = help::HAND_OFF)]
    HandOff(HandOffArguments),
}

/// Carries out a command.
///
/// # Errors
///
/// Arguments or files are wrong, or a service does not answer.
pub async fn change(command: &ChangeCommand, host: &mut Host<'_>) -> Result<u8, Failure> {
    match command {
        ChangeCommand::Convert(PlanCommand::Plan(arguments)) => plan(Kind::Convert, arguments, host).await,
        ChangeCommand::Revert(PlanCommand::Plan(arguments)) => plan(Kind::Revert, arguments, host).await,
        ChangeCommand::Issuer(IssuerCommand::Plan(arguments)) => issuer_plan(arguments, host).await,
        ChangeCommand::Connection(ConnectionCommand::Drift(arguments)) => drift(arguments, host).await,
        ChangeCommand::Connection(ConnectionCommand::Plan(arguments)) => {
            connection_plan(arguments, host).await
        }
        ChangeCommand::Migrate(MigrateCommand::Plan(arguments)) => migrate_plan(arguments, host).await,
        ChangeCommand::Migrate(MigrateCommand::Status(arguments)) => status(arguments, host).await,
        ChangeCommand::Migrate(MigrateCommand::Retire(RetireCommand::Plan(arguments))) => {
            retire_plan(arguments, host).await
        }
        ChangeCommand::Apply(arguments) => apply(arguments, host).await,
        ChangeCommand::Rollback(arguments) => rollback(arguments, host).await,
        ChangeCommand::Journal(command) => journal(command, host),
        ChangeCommand::HandOff(arguments) => hand_off(arguments, host),
    }
}

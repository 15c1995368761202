//! The commands that plan changes, those that apply them and take them back, and which code carries each out.

use clap::Subcommand;
use wif_core::failure::Failure;

use super::{
    change::{
        ApplyArguments, HandOffArguments, IssuerCommand, JournalCommand, Kind, PlanCommand,
        RollbackArguments, apply, hand_off, issuer_plan, journal, plan, rollback,
    },
    connection::{ConnectionCommand, connection_plan, drift},
    migrate::{MigrateCommand, RetireCommand, migrate_plan, retire_plan, status},
    screen::Host,
};

/// What changes connections, or is about changes.
#[derive(Debug, Subcommand)]
pub enum ChangeCommand {
    /// Convert stored secrets and certificates to federation, in place
    #[command(subcommand)]
    Convert(PlanCommand),
    /// Convert connections back, as long as Azure DevOps allows it
    #[command(subcommand)]
    Revert(PlanCommand),
    /// Move connections from the Azure DevOps issuer to that of Entra, in place
    #[command(subcommand)]
    Issuer(IssuerCommand),
    /// Make connections as requests ask for, and bring back what drifted
    #[command(subcommand)]
    Connection(ConnectionCommand),
    /// Put connections with identities of their own beside old ones, and retire those
    #[command(subcommand)]
    Migrate(MigrateCommand),
    /// Apply a plan; the only command that changes anything
    ///
    /// Ends with 0 (done), 10 (something waits for a person or a run), 11 (a change failed), 13 (the plan is old or edited, or the world
    /// has changed), 3 (everything was refused), 4 (nothing was reached), 2 (arguments or files) or 130 (interrupted).
    Apply(Box<ApplyArguments>),
    /// Plan the inverse of what a journal says was done
    Rollback(Box<RollbackArguments>),
    /// Read a journal of wif apply
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Print what another person has to do: commands, or lines of Terraform
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

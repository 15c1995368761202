//! The plan that moves connections to the issuer of Entra.

use wif_core::failure::Failure;

use super::{
    arguments::{IssuerArguments, TriggerArgument},
    plan::make_plan_about,
};
use crate::{
    change::{
        candidate::{Candidate, Ground},
        issuer,
        observe::Observed,
        plan::Trigger,
    },
    cli::screen::Host,
    credential::{CredentialKind, IssuerKind},
    snapshot::{Organization, connection::Connection},
};

/// Plans to move connections, and shows the plan.
///
/// # Errors
///
/// Arguments or files are wrong, or nothing could be read.
pub(in crate::cli) async fn issuer_plan(
    arguments: &IssuerArguments,
    host: &mut Host<'_>,
) -> Result<u8, Failure> {
    let trigger = match arguments.trigger {
        TriggerArgument::Auto => Trigger::Auto,
        TriggerArgument::Save => Trigger::Save,
        TriggerArgument::Operation => Trigger::Operation,
        TriggerArgument::Person => Trigger::Person,
    };
    let managed_by = arguments.plan.shown.managed_by();
    let select = |connection: &Connection, organization: &Organization, _now| {
        issuer::can_move(connection, organization)
    };
    let make = |ground: &Ground<'_>, candidate: &Candidate, observed: Observed, taken| {
        issuer::move_issuer(ground, candidate, observed.facts, taken, (trigger, managed_by))
    };
    make_plan_about(&has_old_issuer, ("issuer plan", &select, &make), &arguments.plan, host).await
}

/// Whether a connection has the Azure DevOps issuer, or may, so that a plan tells why it leaves it out.
fn has_old_issuer(connection: &Connection) -> bool {
    connection.issuer.as_deref().and_then(IssuerKind::of) == Some(IssuerKind::DevOps)
        || CredentialKind::of(connection) == CredentialKind::Unknown
}

//! The plan of the inverse of what a journal says was done.

use uuid::Uuid;
use wif_core::failure::Failure;

use super::{
    arguments::RollbackArguments,
    files::unusable,
    plan::{make_plan, wanted},
};
use crate::{
    change::{
        candidate::{Candidate, Ground, Reason},
        convert::{can_convert, convert},
        issuer, journal,
        observe::Observed,
        plan::{Action, Credential, Item, Scheme, Skipped},
        revert::{self, can_revert},
    },
    cli::{connection::rollback_requests, screen::Host},
    credential::CredentialKind,
    snapshot::{Organization, connection::Connection},
};

/// Plans the inverse of what a journal says was done.
///
/// # Errors
///
/// Arguments or files are wrong, or nothing could be read.
pub(in crate::cli) async fn rollback(
    arguments: &RollbackArguments,
    host: &mut Host<'_>,
) -> Result<u8, Failure> {
    let path = &arguments.journal;
    let done = journal::read(path).map_err(|error| unusable(path, error))?;
    if done.plan.items.iter().any(|item| item.asked.is_some()) {
        return rollback_requests(&done, &arguments.plan, host).await;
    }
    let mut options = arguments.plan.clone();
    if options.ask.organization.is_none() {
        options.ask.organization = Some(done.plan.organization.url.clone());
    }
    options.are_projects_of(&done.plan.items)?;
    let changed: Vec<_> =
        done.plan.items.iter().filter(|item| done.state_of(item.connection).is_begun).collect();
    if wanted(&options)?.is_empty() {
        // Of other projects nothing is read.
        let read = changed.iter().filter(|item| options.has_project(&item.project.name));
        let if_gone = |item: &&&Item| Skipped {
            connection: item.connection,
            name: item.name.clone(),
            project: Some(item.project.name.clone()),
            reason: "it is gone".to_owned(),
            alternative: "nothing is to be done".to_owned(),
            unread: false,
        };
        options.of_journal = read.collect::<Vec<_>>().iter().map(if_gone).collect();
        if options.of_journal.is_empty() {
            let text = if changed.is_empty() {
                "the journal says of no connection that it was changed: there is nothing to take back"
            } else {
                "the journal says of no connection of these projects that it was changed: there is nothing to take back"
            };
            host.talk.say(text);
            return Ok(0);
        }
    }
    let find = |id: Uuid| changed.iter().find(|item| item.connection == id);
    let select = |connection: &Connection, organization: &Organization, now| {
        let Some(item) = find(connection.id) else {
            return Err(Reason::new("the journal did not change it", "nothing is to be done"));
        };
        if is_move(item) {
            return issuer::can_take_back(connection, organization);
        }
        match conversion(item) {
            // It was interrupted before it was converted, or reverted since.
            Some(Scheme::WorkloadIdentityFederation) if stores(connection) => {
                revert::can_take_back(connection, organization)
            }
            Some(Scheme::WorkloadIdentityFederation) => can_revert(connection, organization, now),
            Some(Scheme::ServicePrincipal) => can_convert(connection, organization),
            None => Err(Reason::new("the journal did not convert it", "nothing is to be done")),
        }
    };
    let make = |ground: &Ground<'_>, candidate: &Candidate, observed: Observed, taken| {
        let item = find(candidate.target.connection);
        // What the journal says was added, as far as it is still there.
        let made = done.state_of(candidate.target.connection).touched();
        let steps = item.into_iter().flat_map(|item| item.steps.iter().enumerate());
        let (mut added, mut removed): (Vec<Credential>, Vec<Credential>) = (Vec::new(), Vec::new());
        for (_, step) in steps.filter(|(at, _)| made.contains(at)) {
            match &step.action {
                Action::AddCredential { credential } => added.push(credential.clone()),
                Action::RemoveCredential { credential } => removed.push(credential.clone()),
                _ => {}
            }
        }
        added.retain(|one| observed.facts.identity.credentials.contains(one));
        if item.is_some_and(|item| is_move(item)) {
            return issuer::take_back(candidate, observed.facts, &added, &removed);
        }
        let back = item.and_then(|item| conversion(item)) == Some(Scheme::WorkloadIdentityFederation);
        if !back {
            return convert(ground, candidate, observed.facts, taken);
        }
        if observed.facts.is_stored() {
            return revert::take_back(candidate, observed.facts, &added);
        }
        revert::revert(ground, candidate, observed.facts, &added)
    };
    make_plan(("rollback", &select, &make), &options, host).await
}

fn stores(connection: &Connection) -> bool {
    matches!(CredentialKind::of(connection), CredentialKind::Secret | CredentialKind::Certificate)
}

fn is_move(item: &Item) -> bool {
    item.steps.iter().any(|step| matches!(step.action, Action::MoveIssuer { .. } | Action::AwaitRun))
}

fn conversion(item: &Item) -> Option<Scheme> {
    item.steps.iter().find_map(|step| match step.action {
        Action::Convert { to } => Some(to),
        _ => None,
    })
}

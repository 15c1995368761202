//! The plan that takes back what a journal says was done for requests.

use std::{collections::BTreeSet, mem};

use serde_json::Value;
use uuid::Uuid;
use wif_core::{azure::cloud::Cloud, failure::Failure, foreign_text::one_line};

use crate::{
    change::{
        journal::Read,
        plan::{Action, Item, Plan, Skipped, Step},
        rights::note_missing,
        steps::valid_until,
        vend::{
            asked::{Asked, Change},
            facts::{Looked, look_at},
            look,
            making::take_back,
        },
    },
    cli::{
        change::{PlanArguments, check_tokens, code_of, keep_and_show, services, wanted},
        connect::connect,
        files::argument,
        screen::Host,
    },
    moment::Moment,
    nearest::nearest,
    read,
    tokens::Needs,
};

/// The items that the caller means: all, or those of the names, patterns, findings and projects that are given.
fn meant(plan: &Plan, arguments: &PlanArguments) -> Result<BTreeSet<Uuid>, Failure> {
    let wanted = wanted(arguments)?;
    arguments.are_projects_of(&plan.items)?;
    let has_name = |item: &Item, name: &str| {
        item.name.to_lowercase() == name.to_lowercase()
            || item.connection.to_string().eq_ignore_ascii_case(name)
    };
    for name in &wanted.connections {
        if !plan.items.iter().any(|item| has_name(item, name)) {
            let near = nearest(name, plan.items.iter().map(|item| item.name.as_str()));
            let hint = match near.as_slice() {
                [] => "name a connection as wif journal show does".to_owned(),
                near => format!("did you mean {}?", near.join(", ")),
            };
            return Err(argument(format!("--connection '{name}' is not in the journal"), &hint));
        }
    }
    let is_selected = |item: &&Item| {
        wanted.is_empty()
            || wanted.all
            || wanted.connections.iter().any(|name| has_name(item, name))
            || wanted.matches(item.connection, &item.name)
    };
    let items = plan.items.iter().filter(|item| arguments.has_project(&item.project.name));
    Ok(items.filter(is_selected).map(|item| item.connection).collect())
}

fn is_take_back_of(step: &Step, change: &Change) -> bool {
    matches!(&step.action, Action::TakeBack { done } if done == change)
}

/// What is taken back of an item, by what was read of it.
fn item_back(item: &Item, asked: &Asked, mut steps: Vec<Step>, looked: Looked) -> Item {
    let Looked { facts, raw, identity, .. } = looked;
    let mut ids = identity.map(|one| one.ids()).unwrap_or_default();
    ids.connection = raw.and_then(|raw| look::id(&raw, "id"));
    for step in &mut steps {
        step.ids = ids.clone().or(mem::take(&mut step.ids));
    }
    let mut asked = asked.clone();
    if let Some(beside) = &mut asked.beside {
        // The old connection may have changed meanwhile: it is not what is taken back.
        beside.found = None;
    }
    let notes = vec!["what was removed or saved for the request is not put back".to_owned()];
    let (digest, asked) = (facts.digest(&[]), Some(Box::new(asked)));
    Item { facts, digest, steps, notes, asked, ..item.clone() }
}

/// Plans the inverse: the last step first.
///
/// # Errors
///
/// Arguments are wrong, or there is no way to the services.
pub(in crate::cli) async fn rollback_requests(
    done: &Read,
    arguments: &PlanArguments,
    host: &mut Host<'_>,
) -> Result<u8, Failure> {
    let PlanArguments { ask, shown, allow_gaps, .. } = arguments;
    let before = &done.plan;
    let meant = meant(before, arguments)?;
    let cloud: Cloud = before.cloud;
    let address = read::address_of(ask.organization.as_deref(), &before.organization.url)?;
    let connected = connect(host, cloud, ask.session.as_deref(), Needs { identities: true }).await?;
    let services = services(connected, cloud, (&before.organization.name, address.base), host.talk)?;
    let selected = before.items.iter().filter(|item| meant.contains(&item.connection));
    check_tokens(&services, selected.clone())?;
    let now = ask.now.unwrap_or_else(|| Moment::new(host.clock.now()));
    let (mut items, mut skipped) = (Vec::new(), Vec::new());
    for item in selected {
        let Some(asked) = &item.asked else { continue };
        let made = done.state_of(item.connection).touched();
        let steps = item.steps.iter().enumerate().filter(|(at, _)| made.contains(at));
        // The trust of a connection that is gone is not put back.
        let has_ended = steps.clone().any(|(_, step)| step.action == Action::Follow(Change::EndConnection));
        let is_wanted =
            |step: &Step| !(has_ended && matches!(step.action, Action::Follow(Change::EndTrust { .. })));
        let steps = steps.rev().filter(|(_, step)| is_wanted(step));
        let back = |(at, step): (usize, &Step)| {
            let step = take_back(step)?;
            Some(Step { ids: done.ids_of(item.connection, at).or(step.ids), ..step })
        };
        let steps: Vec<_> = steps.filter_map(back).collect();
        if steps.is_empty() {
            continue;
        }
        let left_out = |reason: String, alternative: &str, unread: bool| Skipped {
            connection: item.connection,
            name: item.name.clone(),
            project: Some(item.project.name.clone()),
            reason,
            alternative: alternative.to_owned(),
            unread,
        };
        if let Some(beside) = &asked.beside {
            // Without the old one, the new one is all that pipelines have.
            match services.connection(asked.owner(), beside.connection).await {
                Ok(Some(old)) => {
                    let now = old.get("name").and_then(Value::as_str).unwrap_or_default();
                    let is_renamed = steps.iter().any(|step| is_take_back_of(step, &Change::SetAside));
                    let new = match look::connection(&services, asked, item.connection).await {
                        Ok(new) => new.connection(),
                        Err(error) => {
                            let reason = format!("the new connection could not be read: {error}");
                            skipped.push(left_out(reason, "use tokens that may read it", true));
                            continue;
                        }
                    };
                    let new = new.as_ref().and_then(|new| new.get("name")?.as_str()).unwrap_or_default();
                    if !is_renamed && new.eq_ignore_ascii_case(&beside.name) {
                        let reason = format!(
                            "the new connection is called {new} by now, and the old one {now}: nothing would be called {new} then"
                        );
                        let alternative = "roll the plan back first that has swapped the names";
                        skipped.push(left_out(one_line(&reason, 400), alternative, false));
                        continue;
                    }
                }
                Ok(None) => {
                    let reason = "the old connection is gone, and the new one is all that there is";
                    skipped.push(left_out(reason.to_owned(), "nothing is to be done", false));
                    continue;
                }
                Err(error) => {
                    let reason = format!("the old connection could not be read: {error}");
                    skipped.push(left_out(reason, "use tokens that may read it", true));
                    continue;
                }
            }
        }
        match look_at(&services, asked, item.connection).await {
            Ok(looked) => items.push(item_back(item, asked, steps, looked)),
            Err(error) => {
                let reason = format!("the connection could not be read: {error}");
                skipped.push(left_out(reason, "use tokens that may read it", true));
            }
        }
    }
    note_missing(&services, &mut items).await;
    let is_unread = skipped.iter().any(|one| one.unread);
    let plan = Plan {
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        command: "rollback".to_owned(),
        made: now,
        valid_until: valid_until(now, &items),
        managed_by: shown.managed_by(),
        items,
        skipped,
        ..before.clone()
    }
    .sealed();
    keep_and_show(&plan, shown, host)?;
    Ok(code_of(&plan, is_unread && !*allow_gaps))
}

//! What another person has to do: commands of the Azure CLI for each side, and the lines of Terraform. Each step is told to the side that
//! can do it, with what is still open.

use std::fmt::Write as _;

use wif_core::foreign_text::{code_block, code_span, one_line};

use self::context::Context;
pub use super::side::Side;
use super::{
    ids::Ids,
    journal::Read,
    plan::{Action, Item, Plan, Step},
    vend::{
        asked::Change,
        making::{ADMINISTRATOR, AZURE, CREATOR, ENTRA, GUARD, ROLES},
    },
};

mod azure;
mod context;
mod devops;
mod entra;
mod terraform;

/// The part of a connection.
struct Part<'a> {
    item: &'a Item,
    steps: Vec<Line<'a>>,
}

/// A step, as it is told.
struct Line<'a> {
    step: &'a Step,
    is_done: bool,
    /// Commands and comments, or lines of code.
    lines: Vec<String>,
}

const NOTHING: &str = "nothing is to be done on this side";
/// Terraform refuses an import whose resource its code does not have.
const IMPORTS: &str = "each import needs its resource in the code: write it, or let terraform plan -generate-config-out=FILE draft it, and mend what it says conflicts";

/// The part of a side, and what of it is still open.
#[must_use]
pub fn text(plan: &Plan, journal: Option<&Read>, side: Side) -> String {
    let part = |part: &Part<'_>| {
        let item = part.item;
        let mut lines = vec![format!(
            "# {} in {} ({})",
            comment(&item.name),
            comment(&item.project.name),
            item.connection
        )];
        for Line { step, is_done, lines: own } in &part.steps {
            lines.push(format!("# {}: {}", if *is_done { "done" } else { "open" }, comment(&step.title)));
            lines.extend(own.iter().cloned());
        }
        lines.join("\n")
    };
    let parts = parts(plan, journal, side);
    if parts.is_empty() {
        return format!("# {NOTHING}\n");
    }
    let head = if has_imports(&parts) { format!("# {IMPORTS}\n\n") } else { String::new() };
    head + &parts.iter().map(part).collect::<Vec<_>>().join("\n\n") + "\n"
}

/// The same for a ticket: Markdown, with a box for each step.
#[must_use]
pub fn markdown(plan: &Plan, journal: Option<&Read>, side: Side) -> String {
    let span = |text: &str| code_span(text, MAX_LINE);
    let mut out = String::new();
    let parts = parts(plan, journal, side);
    if has_imports(&parts) {
        let _ = writeln!(out, "{}.\n", IMPORTS.replacen('e', "E", 1));
    }
    for Part { item, steps } in parts {
        // A `String` takes everything.
        let _ = writeln!(
            out,
            "## {} in {}\n\n{}\n",
            span(&item.name),
            span(&item.project.name),
            span(&item.connection.to_string())
        );
        for Line { step, is_done, lines } in steps {
            let _ = writeln!(out, "- [{}] {}\n", if is_done { "x" } else { " " }, span(&step.title));
            if !lines.is_empty() {
                let block = code_block(&lines.join("\n"));
                let _ = writeln!(out, "{}\n", indented(block.trim_end()));
            }
        }
    }
    if out.is_empty() { format!("{NOTHING}\n") } else { out }
}

fn has_imports(parts: &[Part<'_>]) -> bool {
    let mut lines = parts.iter().flat_map(|part| &part.steps).flat_map(|line| &line.lines);
    lines.any(|line| line.starts_with("import {"))
}

/// A block that belongs to an entry of a list.
fn indented(block: &str) -> String {
    block.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

fn parts<'a>(plan: &'a Plan, journal: Option<&Read>, side: Side) -> Vec<Part<'a>> {
    let parts = plan.items.iter().map(|item| Part { item, steps: lines(plan, item, journal, side) });
    parts.filter(|part| !part.steps.is_empty()).collect()
}

fn lines<'a>(plan: &'a Plan, item: &'a Item, journal: Option<&Read>, side: Side) -> Vec<Line<'a>> {
    let state = journal.map(|read| read.state_of(item.connection)).unwrap_or_default();
    let own = |(at, step): (usize, &Step)| {
        let read = journal.map(|read| read.ids_of(item.connection, at)).unwrap_or_default();
        read.or(step.ids.clone())
    };
    let shared = item.steps.iter().enumerate().map(own).fold(Ids::default(), |all, one| all.or(one.shared()));
    let mut told = Vec::new();
    let mut waits_for_run = false;
    for (at, step) in item.steps.iter().enumerate() {
        let is_done = state.is_done || state.made.contains(&at) || state.found.contains(&at);
        waits_for_run |= step.action == Action::AwaitRun && !is_done;
        let context = Context { plan, item, number: at + 1, ids: own((at, step)).or(shared.clone()) };
        if side == Side::Terraform {
            let lines = terraform::lines(&context, &step.action);
            if !lines.is_empty() {
                told.push(Line { step, is_done, lines });
            }
            continue;
        }
        if !sides(&context, step).contains(&side) {
            continue;
        }
        let commands = match side {
            Side::Entra => entra::commands(&context, &step.action),
            Side::Azure => azure::commands(&context, &step.action),
            Side::DevOps | Side::Terraform => devops::commands(&context, &step.action),
        };
        // What is done is not to be done a second time by who pastes all of it.
        let is_for_later = waits_for_run && step.action != Action::AwaitRun;
        let commands: Vec<_> =
            commands.into_iter().map(|one| if is_done || is_for_later { off(one) } else { one }).collect();
        let mut lines = Vec::new();
        if is_for_later {
            // Run too early, it would leave a connection of the old issuer without trust.
            lines.push("# not before it was moved, and a run has succeeded since:".to_owned());
        }
        lines.extend(commands);
        told.push(Line { step, is_done, lines });
    }
    told
}

fn off(command: String) -> String {
    if command.starts_with('#') { command } else { format!("# {command}") }
}

/// Who can do a step. What is left to who answers for something is told to each of them.
fn sides(context: &Context<'_>, step: &Step) -> Vec<Side> {
    let trust = if context.resource().is_some() { Side::Azure } else { Side::Entra };
    let side = match &step.action {
        Action::AddCredential { .. } | Action::RemoveCredential { .. } | Action::RemoveUnused { .. } => trust,
        Action::Convert { .. } | Action::MoveIssuer { .. } | Action::Prove | Action::AwaitRun => Side::DevOps,
        Action::Follow(change) | Action::TakeBack { done: change } => match change {
            Change::MakeApplication | Change::MakePrincipal | Change::EndApplication { .. } => Side::Entra,
            Change::MakeManagedIdentity
            | Change::AssignRole { .. }
            | Change::RemoveRole { .. }
            | Change::CopyRole { .. }
            | Change::EndRole { .. } => Side::Azure,
            Change::Trust | Change::RemoveTrust { .. } | Change::EndTrust { .. } => trust,
            Change::MakeConnection
            | Change::SaveConnection
            | Change::Share { .. }
            | Change::Unshare { .. }
            | Change::Authorize { .. }
            | Change::MakeBranchControl { .. }
            | Change::MakeApproval { .. }
            | Change::RemoveCheck { .. }
            | Change::CopyCheck { .. }
            | Change::EndConnection
            | Change::StillUnused { .. }
            | Change::SetAside
            | Change::TakeName => Side::DevOps,
            Change::Report => match step.who.as_str() {
                ENTRA => Side::Entra,
                AZURE | ROLES => Side::Azure,
                ADMINISTRATOR | CREATOR | GUARD => Side::DevOps,
                _ => return vec![Side::Entra, Side::Azure, Side::DevOps],
            },
        },
    };
    vec![side]
}

/// The longest line of a text that is not a command, in characters.
const MAX_LINE: usize = 800;

/// A comment's text: one line.
fn comment(text: &str) -> String {
    one_line(text, MAX_LINE)
}

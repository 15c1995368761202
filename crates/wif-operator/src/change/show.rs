//! Plans and journals for people: text, and Markdown for a change ticket.

use std::fmt::Write as _;

use wif_core::foreign_text::{code_span, one_line};

use super::{
    journal::{Entry, Phase, Read},
    plan::{Action, Item, ManagedBy, Plan},
    vend::asked::Change,
};

/// The longest line, in characters.
const MAX_LINE: usize = 1500;

/// The most skipped connections that are listed for people.
const MAX_SKIPPED: usize = 30;

/// A plan as text.
#[must_use]
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    let mut line = |text: &str| {
        // A `String` takes everything.
        let _ = writeln!(out, "{}", one_line(text, MAX_LINE));
    };
    line(&headline(plan));
    for item in &plan.items {
        line("");
        line(&format!("{} in {} ({})", item.name, item.project.name, item.connection));
        line(&format!("    read: {}; digest {}", read(item), item.digest.get(..12).unwrap_or_default()));
        for step in &item.steps {
            line(&format!("  {} {}", step.sign, step.title));
            let inverse = step.inverse.as_deref().unwrap_or("cannot be undone");
            line(&format!("      way back: {inverse}; done by: {}", step.who));
        }
        for note in &item.notes {
            line(&format!("    note: {note}"));
        }
    }
    if !plan.skipped.is_empty() {
        line("");
        line(&format!("Not changed: {}", plan.skipped.len()));
        for one in plan.skipped.iter().take(MAX_SKIPPED) {
            let project = one.project.as_deref().unwrap_or("?");
            line(&format!(
                "    {} in {project} ({}): {}; instead: {}",
                one.name, one.connection, one.reason, one.alternative
            ));
        }
        if plan.skipped.len() > MAX_SKIPPED {
            let more = plan.skipped.len() - MAX_SKIPPED;
            line(&format!("    … {more} more: --format json lists them with their reasons"));
        }
    }
    line("");
    for text in managed(plan) {
        line(&text);
    }
    line(&totals(plan));
    out
}

/// A plan as Markdown.
#[must_use]
pub fn markdown(plan: &Plan) -> String {
    let mut out = String::new();
    let span = |text: &str| code_span(text, MAX_LINE);
    let mut line = |text: String| {
        let _ = writeln!(out, "{text}");
    };
    line(format!("## {}\n", one_line(&headline_for(plan, &span(&plan.organization.name)), MAX_LINE)));
    line(format!("SHA-256 of the plan: {}\n", span(&plan.sha256)));
    for item in &plan.items {
        line(format!("### {} in {}\n", span(&item.name), span(&item.project.name)));
        line(format!("{}; read: {}\n", span(&item.connection.to_string()), span(&read(item))));
        line("| | step | way back | done by |\n|---|---|---|---|".to_owned());
        for step in &item.steps {
            let inverse = step.inverse.as_deref().unwrap_or("cannot be undone");
            line(format!(
                "| {} | {} | {} | {} |",
                span(&step.sign),
                span(&step.title),
                span(inverse),
                span(&step.who)
            ));
        }
        line(String::new());
        for note in &item.notes {
            line(format!("- {}", span(note)));
        }
        line(String::new());
    }
    if !plan.skipped.is_empty() {
        line("### Not changed\n\n| connection | project | reason | instead |\n|---|---|---|---|".to_owned());
        for one in plan.skipped.iter().take(MAX_SKIPPED) {
            let project = one.project.as_deref().unwrap_or("?");
            line(format!(
                "| {} | {} | {} | {} |",
                span(&one.name),
                span(project),
                span(&one.reason),
                span(&one.alternative)
            ));
        }
        if plan.skipped.len() > MAX_SKIPPED {
            line(format!("\n… {} more", plan.skipped.len() - MAX_SKIPPED));
        }
        line(String::new());
    }
    for text in managed(plan) {
        line(format!("{}\n", one_line(&text, MAX_LINE)));
    }
    line(totals(plan));
    out
}

fn headline(plan: &Plan) -> String {
    headline_for(plan, &plan.organization.name)
}

fn headline_for(plan: &Plan, organization: &str) -> String {
    format!(
        "Plan of wif {} for {organization}: made {}, can be applied until {}",
        plan.command, plan.made, plan.valid_until
    )
}

fn read(item: &Item) -> String {
    let facts = &item.facts;
    if let Some(asked) = &item.asked {
        let what = if asked.is_there { "it is there" } else { "it is to be made" };
        return format!("{}: {what}", asked.request.file);
    }
    let scheme = facts.scheme.as_deref().unwrap_or("no scheme");
    let client = facts.client.map(|id| id.to_string()).unwrap_or_default();
    let name = facts.identity.name.as_deref().unwrap_or("identity");
    let issuer = facts.issuer.as_ref().map(|issuer| format!(" by {issuer}")).unwrap_or_default();
    let count = facts.identity.credentials.len();
    format!("{scheme}{issuer}, {name} {client}, {count} federated credentials")
}

fn totals(plan: &Plan) -> String {
    let steps: usize = plan.items.iter().map(|item| item.steps.len()).sum();
    format!("{} connections to change, {steps} steps, {} not changed", plan.items.len(), plan.skipped.len())
}

/// What is to be said about code that manages the connections.
fn managed(plan: &Plan) -> Vec<String> {
    let is_move =
        |item: &Item| item.steps.iter().any(|step| matches!(step.action, Action::MoveIssuer { .. }));
    let (reason, else_what) = if plan.items.iter().any(is_move) {
        (
            "a credential that Terraform makes of a connection's issuer and subject would be made a second time by its next apply",
            "that fails",
        )
    } else {
        (
            "Terraform's provider replaces a connection whose scheme changed behind its back",
            "it replaces them",
        )
    };
    let is_renamed =
        |item: &Item| item.steps.iter().any(|step| matches!(step.action, Action::Follow(Change::SetAside)));
    if plan.items.iter().any(is_renamed) && plan.managed_by == ManagedBy::Unknown {
        return vec![
            "It is not known whether code manages the old connections (--managed-by terraform|bicep|none): they get other names, which code would take back; and what is made beside them is not in that code"
                .to_owned(),
        ];
    }
    if plan.items.iter().any(Item::is_migration) {
        return match plan.managed_by {
            ManagedBy::None => Vec::new(),
            ManagedBy::Unknown => vec![
                "It is not known whether code manages the old connections (--managed-by terraform|bicep|none): they are not changed, and what is made beside them is not in that code"
                    .to_owned(),
            ],
            ManagedBy::Terraform | ManagedBy::Bicep => vec![
                "Code manages the old connections: they are not changed; add to it what is made beside them"
                    .to_owned(),
            ],
        };
    }
    match plan.managed_by {
        ManagedBy::None => Vec::new(),
        ManagedBy::Unknown => vec![format!(
            "It is not known whether code manages these connections (--managed-by terraform|bicep|none): {reason}. What its code needs: wif hand-off PLAN --to terraform"
        )],
        ManagedBy::Terraform => vec![format!(
            "Terraform manages these connections: change its code before its next apply (wif hand-off PLAN --to terraform), or {else_what}"
        )],
        ManagedBy::Bicep => {
            vec!["Bicep manages these connections: change its code before its next deployment".to_owned()]
        }
    }
}

/// A journal as text.
#[must_use]
pub fn journal(read: &Read) -> String {
    let mut out = String::new();
    let mut line = |text: &str| {
        let _ = writeln!(out, "{}", one_line(text, MAX_LINE));
    };
    let plan = &read.plan;
    line(&format!("Journal of wif {} for {}, plan {}", plan.command, plan.organization.name, plan.sha256));
    line(&format!("{} lines; each has the hash of the line before", read.entries.len()));
    for item in &plan.items {
        line("");
        let state = read.state_of(item.connection);
        let of_item = || read.entries.iter().filter(|entry| entry.connection == Some(item.connection));
        let last = of_item().next_back().map(|entry| entry.phase);
        let end = match last {
            _ if state.is_done => "done",
            Some(Phase::Stale) => "not begun: the facts have changed",
            Some(Phase::PutBack) => "failed, and put back",
            Some(Phase::NotUndone) => "failed, and not put back",
            Some(Phase::Waits) => "waits for a person or a run",
            Some(_) => "not finished",
            None => "not begun",
        };
        line(&format!("{} in {} ({}): {end}", item.name, item.project.name, item.connection));
        for entry in of_item() {
            line(&format!("  {} {}", entry.time, event(entry, item)));
        }
    }
    out
}

fn event(entry: &Entry, item: &Item) -> String {
    let step = entry.step.and_then(|step| item.steps.get(step.checked_sub(1)?));
    let title = step.map(|step| format!("{} {}", step.sign, step.title)).unwrap_or_default();
    let word = match entry.phase {
        Phase::Begin => "begins",
        Phase::Resume => "goes on",
        Phase::Intent => "is about to",
        Phase::Seen => "was answered:",
        Phase::Verified => "was read back:",
        Phase::Found => "was there already:",
        Phase::Failed => "has failed:",
        Phase::UndoIntent => "is about to undo",
        Phase::Undone => "has undone",
        Phase::NotUndone => "could not undo",
        Phase::PutBack => "is as it was before",
        Phase::Done => "is done",
        Phase::Stale => "was not begun",
        Phase::Waits => "waits",
        Phase::End => "ends",
    };
    let more = [&entry.code, &entry.text].into_iter().flatten().cloned();
    let request = entry.request.as_ref().map(|request| format!("request {request}"));
    let more: Vec<_> = more.chain(request).collect();
    let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join("; ")) };
    format!("{word} {title}{more}")
}

//! `wif migrate status`: what has run on the old and on the new connections since a migration.

use std::{fmt::Write as _, path::Path};

use serde_json::{Value, json};
use wif_core::{failure::Failure, foreign_text::one_line};

use super::arguments::{StatusArguments, StatusFormat};
use crate::{
    change::{
        journal::{self, Read},
        migrate::soak::{Migration, Soak, Uses, migrations, soak},
    },
    cli::{
        change::{print, services, unusable},
        connect::connect,
        files::argument,
        screen::Host,
    },
    read,
    tokens::Needs,
};

/// The schema of what is printed as JSON.
const SCHEMA: &str = "wif.soak/1";
/// The longest line, in characters.
const MAX_LINE: usize = 1500;

/// Shows what has run since. The exit code is 10 where an old connection cannot be retired yet, and 12 where that is not known.
///
/// # Errors
///
/// Arguments or files are wrong, or there is no way to the services.
pub(in crate::cli) async fn status(arguments: &StatusArguments, host: &mut Host<'_>) -> Result<u8, Failure> {
    let path = &arguments.journal;
    let journal = journal::read(path).map_err(|error| unusable(path, error))?;
    let migrations = migrations_of(path, &journal)?;
    let plan = &journal.plan;
    let address = read::address_of(arguments.ask.organization.as_deref(), &plan.organization.url)?;
    if !address.name.eq_ignore_ascii_case(&plan.organization.name) {
        let error = format!(
            "the journal is about {}, and --organization is {}",
            plan.organization.name, address.name
        );
        return Err(argument(error, "leave --organization out"));
    }
    // Only Azure DevOps is asked.
    let needs = Needs { identities: false };
    let connected = connect(host, plan.cloud, arguments.ask.session.as_deref(), needs).await?;
    let services = services(connected, plan.cloud, (&plan.organization.name, address.base), host.talk)?;
    let mut all = Vec::new();
    for migration in migrations {
        let soak = soak(&services, &migration).await;
        all.push((migration, soak));
    }
    let text = match arguments.format {
        StatusFormat::Text => as_text(&all, path),
        StatusFormat::Json => as_json(&journal, &all),
    };
    print(host, &text, arguments.format == StatusFormat::Json)?;
    let has = |state: State| all.iter().any(|(_, soak)| State::of(soak) == state);
    Ok(if has(State::Unread) && !arguments.allow_gaps {
        12
    } else if has(State::NotReady) || has(State::Unread) {
        10
    } else {
        0
    })
}

/// The migrations of a journal.
///
/// # Errors
///
/// It is the journal of something else.
pub(super) fn migrations_of<'a>(path: &Path, journal: &'a Read) -> Result<Vec<Migration<'a>>, Failure> {
    let found = migrations(journal);
    if found.is_empty() {
        let error = format!(
            "{} is not the journal of a migration, but of wif {}",
            path.display(),
            journal.plan.command
        );
        return Err(argument(error, "name the journal of a plan that wif migrate plan has made"));
    }
    Ok(found)
}

/// How far a migration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The old connection is gone.
    Retired,
    /// It can be retired.
    Ready,
    /// It cannot be retired yet.
    NotReady,
    /// Something could not be read.
    Unread,
}

impl State {
    fn of(soak: &Soak) -> Self {
        match (soak.has_old, soak.unread.is_empty(), soak.blockers.is_empty()) {
            (Some(false), true, _) => Self::Retired,
            (_, false, _) => Self::Unread,
            (_, true, true) => Self::Ready,
            (_, true, false) => Self::NotReady,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Retired => "retired",
            Self::Ready => "ready",
            Self::NotReady => "notReady",
            Self::Unread => "unread",
        }
    }
}

fn as_text(all: &[(Migration<'_>, Soak)], path: &Path) -> String {
    let mut out = String::new();
    // A `String` takes everything.
    let mut line = |text: &str| {
        let _ = writeln!(out, "{}", one_line(text, MAX_LINE));
    };
    for (migration, soak) in all {
        let (old, new) = migration.names(soak);
        let since =
            migration.since.map_or_else(|| "not done yet".to_owned(), |since| format!("done {since}"));
        line(&format!("{old} in {}, and {new} beside it: {since}", migration.item.project.name));
        line(&format!("    on the old one since: {}", shown(&soak.on_old)));
        line(&format!("    on the new one since: {}", shown(&soak.on_new)));
        if !soak.still_on_old.is_empty() {
            line(&format!(
                "    still on the old one, by their newest runs: {}",
                soak.still_on_old.join(", ")
            ));
        }
        match State::of(soak) {
            State::Retired => line("    the old one is gone"),
            State::Ready => line("    ready to retire"),
            State::NotReady | State::Unread => {
                line(&format!("    not ready to retire: {}", soak.blockers.join("; ")));
            }
        }
    }
    let count = |state: State| all.iter().filter(|(_, soak)| State::of(soak) == state).count();
    let ready = count(State::Ready);
    line(&format!(
        "{ready} ready to retire, {} not ready, {} retired, {} not read",
        count(State::NotReady),
        count(State::Retired),
        count(State::Unread)
    ));
    if ready > 0 {
        line(&format!("Retire what is ready with: wif migrate retire plan {} --output PLAN", path.display()));
    }
    out
}

fn shown(uses: &Uses) -> String {
    let Some(newest) = uses.newest else { return "no run".to_owned() };
    let runs = if uses.runs == 1 { "1 run".to_owned() } else { format!("{} runs", uses.runs) };
    format!("{runs}, {} failed, newest {newest}, of {}", uses.failed, uses.pipelines.join(", "))
}

fn as_json(journal: &Read, all: &[(Migration<'_>, Soak)]) -> String {
    let migrations: Vec<_> = all
        .iter()
        .map(|(migration, soak)| {
            let (old, new) = migration.names(soak);
            json!({
                "old": { "id": migration.beside.connection, "name": old, "isThere": soak.has_old },
                "new": { "id": soak.new, "name": new },
                "project": migration.item.project,
                "since": migration.since,
                "proven": migration.is_proven,
                "onOld": of_uses(&soak.on_old),
                "onNew": of_uses(&soak.on_new),
                "stillOnOld": soak.still_on_old,
                "state": State::of(soak).as_str(),
                "blockers": soak.blockers,
            })
        })
        .collect();
    let plan = &journal.plan;
    let value = json!({
        "schema": SCHEMA,
        "organization": plan.organization,
        "plan": plan.sha256,
        "migrations": migrations,
    });
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}

fn of_uses(uses: &Uses) -> Value {
    let Uses { runs, succeeded, failed, newest, pipelines } = uses;
    json!({ "runs": runs, "succeeded": succeeded, "failed": failed, "newest": newest, "pipelines": pipelines })
}

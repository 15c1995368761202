//! What came of it, as a table in Markdown.

use super::{
    scheme::{ALL, Scheme},
    tools::Mode,
};
use crate::process::Result;

/// One field of the table.
pub(super) struct Row {
    pub(super) tool: &'static str,
    pub(super) version: String,
    pub(super) family: &'static str,
    pub(super) credential: &'static str,
    pub(super) mode: Mode,
    pub(super) scheme: Scheme,
    pub(super) outcome: Outcome,
}

/// A client of another cloud.
pub(super) struct CloudRow {
    pub(super) client: &'static str,
    pub(super) version: String,
    pub(super) outcome: Outcome,
}

/// How a row ended.
pub(super) enum Outcome {
    /// Every check held.
    Ok,
    /// What did not hold, and the log.
    Failed(String),
    /// What this machine lacks.
    Skipped(String),
}

impl Outcome {
    /// For a field of the table.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed(_log) => "FAILED",
            Self::Skipped(_what) => "skipped",
        }
    }
}

impl Row {
    /// For a person who waits.
    pub(super) fn line(&self) -> String {
        format!(
            "{}, {}, {}: {}",
            self.credential,
            self.mode(),
            self.scheme.words(),
            self.reason().unwrap_or_else(|| self.word().to_owned())
        )
    }

    fn is_beside(&self, other: &Self) -> bool {
        (self.tool, self.credential, self.mode) == (other.tool, other.credential, other.mode)
    }

    fn mode(&self) -> String {
        self.mode.words()
    }

    /// For a field of the table.
    fn word(&self) -> &'static str {
        self.outcome.word()
    }

    /// Why it was not run.
    fn reason(&self) -> Option<String> {
        match &self.outcome {
            Outcome::Ok | Outcome::Failed(_) => None,
            Outcome::Skipped(what) => Some(format!("skipped: no {what}")),
        }
    }
}

/// A column for each scheme.
fn print_schemes(rows: &[Row]) {
    let schemes: Vec<_> = ALL.iter().map(|scheme| scheme.words()).collect();
    println!("\n| tool | version | family | credential | mode | {} |", schemes.join(" | "));
    println!("|{}", "---|".repeat(5 + ALL.len()));
    for rows in rows.chunk_by(Row::is_beside) {
        let [Row { tool, version, credential, family, .. }, ..] = rows else { continue };
        let version = if version.is_empty() { "–" } else { version };
        let result = |scheme: &Scheme| rows.iter().find(|row| row.scheme == *scheme).map(Row::word);
        let results: Vec<_> = ALL.iter().map(|scheme| result(scheme).unwrap_or_default()).collect();
        let mode = rows.first().map_or_else(String::new, Row::mode);
        println!("| {tool} | {version} | {family} | {credential} | {mode} | {} |", results.join(" | "));
    }
}

/// Prints the logs of what failed, the table and the sums. A skipped row is no success, and no failure either.
pub(super) fn print(rows: &[Row], clouds: &[CloudRow]) -> Result<()> {
    let mut last = "";
    for row in rows {
        // What could not be installed has one log for all its rows.
        if let Outcome::Failed(log) = &row.outcome
            && log != last
        {
            println!("\n== {}: {}\n{log}", row.tool, row.line());
            last = log;
        }
    }
    for row in clouds {
        if let Outcome::Failed(log) = &row.outcome {
            println!("\n== {}\n{log}", row.client);
        }
    }
    if !rows.is_empty() {
        print_schemes(rows);
    }
    if !clouds.is_empty() {
        println!("\n| client | version | result |\n|---|---|---|");
    }
    for CloudRow { client, version, outcome } in clouds {
        println!("| {client} | {} | {} |", if version.is_empty() { "–" } else { version }, outcome.word());
    }
    // Apart from the table, where a sentence would stretch every column.
    println!();
    for rows in rows.chunk_by(|one, other| (one.tool, one.reason()) == (other.tool, other.reason())) {
        if let Some((tool, reason)) = rows.first().and_then(|row| Some((row.tool, row.reason()?))) {
            println!("{tool}: {reason}");
        }
    }
    for row in clouds {
        if let Outcome::Skipped(what) = &row.outcome {
            println!("{}: skipped: {what}", row.client);
        }
    }
    let outcomes = || rows.iter().map(|row| &row.outcome).chain(clouds.iter().map(|row| &row.outcome));
    let count = |is: fn(&Outcome) -> bool| outcomes().filter(|outcome| is(outcome)).count();
    let ok = count(|outcome| matches!(outcome, Outcome::Ok));
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
    println!("{ok} ok, {failed} failed, {skipped} skipped");
    match failed {
        0 => Ok(()),
        _ => Err(format!("{failed} of {} clients failed", outcomes().count())),
    }
}

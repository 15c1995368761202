//! What came of it, as a table in Markdown.

use super::{scheme::Scheme, tools::Mode};
use crate::process::Result;

/// One line of the table.
pub(super) struct Row {
    pub(super) tool: &'static str,
    pub(super) version: String,
    pub(super) credential: &'static str,
    pub(super) mode: Mode,
    pub(super) scheme: Scheme,
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

impl Row {
    /// For whoever waits.
    pub(super) fn line(&self) -> String {
        format!("{}, {}, {}: {}", self.credential, self.mode(), self.scheme.words(), self.result())
    }

    fn mode(&self) -> &'static str {
        match self.mode {
            Mode::Snapshot => "snapshot",
            Mode::Broker => "broker",
        }
    }

    fn result(&self) -> String {
        match &self.outcome {
            Outcome::Ok => "ok".to_owned(),
            Outcome::Failed(_log) => "FAILED".to_owned(),
            Outcome::Skipped(what) => format!("skipped: no {what}"),
        }
    }
}

/// Prints the logs of what failed, the table and the sums. A skipped row is no success, and no failure either.
pub(super) fn print(rows: &[Row]) -> Result<()> {
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
    println!("\n| tool | version | credential | mode | scheme | result |\n|---|---|---|---|---|---|");
    for row in rows {
        let version = if row.version.is_empty() { "–" } else { &row.version };
        let Row { tool, credential, .. } = row;
        let (mode, scheme, result) = (row.mode(), row.scheme.words(), row.result());
        println!("| {tool} | {version} | {credential} | {mode} | {scheme} | {result} |");
    }
    let count = |is: fn(&Outcome) -> bool| rows.iter().filter(|row| is(&row.outcome)).count();
    let ok = count(|outcome| matches!(outcome, Outcome::Ok));
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
    println!("\n{ok} ok, {failed} failed, {skipped} skipped");
    match failed {
        0 => Ok(()),
        _ => Err(format!("{failed} of {} clients failed", rows.len())),
    }
}

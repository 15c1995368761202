//! `acceptance`: real clients, each as a later step of a job that the emulator's agent runs.
//!
//! A row is a tool's credential with one scheme of the connection. Each has an emulator and a job of its own, so that
//! everything in the journal belongs to it. Nothing is installed outside `target/acceptance/`.

mod azurite;
mod bash;
mod broker;
mod clouds;
mod container;
mod exec;
mod install;
mod job;
mod journal;
mod judge;
mod mirror;
mod organization;
mod scheme;
mod server;
mod step_machine;
mod step_seen;
mod steps;
mod table;
mod tools;

use std::{
    panic::resume_unwind,
    path::Path,
    sync::{Mutex, PoisonError},
    thread::{self, ScopedJoinHandle},
};

use crate::{
    process::{Result, root},
    stage,
};
pub(crate) use install::{Found, azure_cli};
use scheme::Scheme;
use table::{Outcome, Row};
use tools::{Client, TOOLS, Tool};

/// Jobs that run at once: nearly all of their time is waiting.
const AT_ONCE: usize = 3;

/// Stages the task, runs every client that can be had on this machine and is asked for, prints the table, and fails if
/// one failed.
pub(crate) fn acceptance(only: Option<&str>) -> Result<()> {
    let task = stage::stage()?;
    let folder = root().join("target").join("acceptance");
    let mut rows = Vec::new();
    for tool in TOOLS {
        let wanted = |client: &&Client, scheme: &Scheme| {
            let mode = client.mode.words();
            let row = format!("{}, {}, {mode}, {}", tool.name, client.credential, scheme.words());
            only.is_none_or(|only| row.contains(only))
        };
        let jobs =
            tool.clients.iter().flat_map(|client| client.schemes.iter().map(move |scheme| (client, *scheme)));
        let jobs: Vec<_> = jobs.filter(|(client, scheme)| wanted(client, scheme)).collect();
        if jobs.is_empty() {
            continue;
        }
        println!("{}", tool.name);
        let found = (tool.find)(&folder);
        rows.extend(run(&task, tool, &found, &jobs));
    }
    let mut clouds = clouds::run(&folder, only);
    clouds.extend(steps::run(&task, &folder, only));
    if let (true, true, Some(only)) = (rows.is_empty(), clouds.is_empty(), only) {
        return Err(format!(
            "'{only}' is in the name of no row: names are of tool, credential, mode and scheme"
        ));
    }
    table::print(&rows, &clouds)
}

/// Runs the jobs of a tool, a few at once. The rows come in the order of the jobs.
fn run(task: &Path, tool: &Tool, found: &Found, jobs: &[(&'static Client, Scheme)]) -> Vec<Row> {
    let queue = Mutex::new(jobs.iter().enumerate());
    let worker = || {
        let mut rows = Vec::new();
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((number, (client, scheme))) = next else { return rows };
            let (version, outcome) = match found {
                Found::Ready(installed) => {
                    (installed.version.clone(), job::run(task, tool, installed, client, *scheme))
                }
                Found::Missing(what) => (String::new(), Outcome::Skipped(what.clone())),
                Found::Broken(log) => (String::new(), Outcome::Failed(log.clone())),
            };
            let Client { family, credential, mode, .. } = *client;
            let row =
                Row { tool: tool.name, version, family, credential, mode: *mode, scheme: *scheme, outcome };
            println!("  {}", row.line());
            rows.push((number, row));
        }
    };
    let mut rows: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(worker)).collect();
        let join =
            |worker: ScopedJoinHandle<'_, Vec<_>>| worker.join().unwrap_or_else(|panic| resume_unwind(panic));
        workers.into_iter().flat_map(join).collect()
    });
    rows.sort_by_key(|(number, _)| *number);
    rows.into_iter().map(|(_, row)| row).collect()
}

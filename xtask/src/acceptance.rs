//! `acceptance`: real clients, each as a later step of a job that the emulator's agent runs.
//!
//! A row is a tool's credential with one issuer. Each has an emulator and a job of its own, so that everything in the
//! journal belongs to it. Nothing is installed outside `target/acceptance/`.

mod broker;
mod install;
mod job;
mod judge;
mod table;
mod tools;

use emulator::directory::Issuer;

use crate::{
    process::{Result, root},
    stage,
};
use install::Found;
use table::{Outcome, Row};
use tools::{Client, TOOLS};

/// Stages the task, runs every client that can be had on this machine and is asked for, prints the table, and fails if one failed.
pub(crate) fn acceptance(only: Option<&str>) -> Result<()> {
    let task = stage::stage()?;
    let folder = root().join("target").join("acceptance");
    let mut rows = Vec::new();
    for tool in TOOLS {
        let wanted = |client: &&Client| {
            only.is_none_or(|only| format!("{}, {}", tool.name, client.credential).contains(only))
        };
        let clients: Vec<_> = tool.clients.iter().filter(wanted).collect();
        if clients.is_empty() {
            continue;
        }
        println!("{}", tool.name);
        let found = (tool.find)(&folder);
        for client in clients {
            for issuer in [Issuer::DevOps, Issuer::Entra] {
                let (version, outcome) = match &found {
                    Found::Ready(installed) => {
                        (installed.version.clone(), job::run(&task, tool, installed, client, issuer))
                    }
                    Found::Missing(what) => (String::new(), Outcome::Skipped(what.clone())),
                    Found::Broken(log) => (String::new(), Outcome::Failed(log.clone())),
                };
                let (tool, credential, mode) = (tool.name, client.credential, client.mode);
                let row = Row { tool, version, credential, mode, issuer, outcome };
                println!("  {}", row.line());
                rows.push(row);
            }
        }
    }
    table::print(&rows)
}

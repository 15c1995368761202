//! `bench`: the numbers that the project claims, each beside a named peer, measured in the same run.

mod audit;
mod broker;
mod change;
mod exec;
mod job;
mod measure;
mod peers;
mod requests;
mod size;
mod start;
mod step;
mod table;
mod trips;

use std::{cell::OnceCell, env, fs, path::Path, process::Command, thread};

use crate::{
    process::{Result, output},
    stage,
};
use peers::Peers;
use table::Row;

type Measure<'a> = Box<dyn Fn() -> Result<Vec<Row>> + 'a>;

/// Measures, and prints one table. A number that misses its aim is said to, and is no failure of the chore.
pub(crate) fn bench(only: &[String]) -> Result<()> {
    // Before anything is compiled, and not after minutes of measuring.
    look_for_tools(only)?;
    // It measures another program, so that the one of the task need not be built.
    if let [one] = only
        && let Some(measure) = [("audit", audit::rows as fn() -> _), ("change", change::rows)]
            .iter()
            .find(|(name, _)| name == one)
    {
        println!("Measuring: {one}");
        let rows = (measure.1)()?;
        println!("\n{}", machine());
        table::print(&rows);
        return Ok(());
    }
    let task = stage::stage()?;
    let platform = stage::platform()?;
    let program = task.join("bin").join(platform).join(format!("wif{}", env::consts::EXE_SUFFIX));
    let installed = OnceCell::new();
    let all: [(&str, Measure<'_>); 9] = [
        ("step", Box::new(|| step::rows(&task, peers(&installed)?))),
        ("trips", Box::new(|| trips::rows(&task))),
        ("start", Box::new(|| start::rows(&task, &program, peers(&installed)?))),
        ("exec", Box::new(|| exec::rows(&program))),
        ("script", Box::new(|| exec::script_rows(&task, peers(&installed)?))),
        ("broker", Box::new(|| broker::rows(&task))),
        ("audit", Box::new(audit::rows)),
        ("change", Box::new(change::rows)),
        ("size", Box::new(|| size::rows(&task, &program, peers(&installed)?))),
    ];
    let mut rows = Vec::new();
    for (name, measure) in
        all.iter().filter(|(name, _)| only.is_empty() || only.iter().any(|only| only == name))
    {
        println!("Measuring: {name}");
        let measured = measure()?;
        measured.iter().for_each(Row::tell);
        rows.extend(measured);
    }
    println!("\n{}", machine());
    table::print(&rows);
    Ok(())
}

/// What the parts are measured with, and where a user gets it.
const NEEDS: [(&str, &[&str], &str); 5] = [
    (
        "node",
        &["step", "trips", "start", "exec", "script", "broker", "size"],
        "https://nodejs.org, 20 or newer",
    ),
    ("npm", &["step", "start", "script", "size"], "it comes with Node"),
    (
        "python3",
        &["step", "start", "script", "audit", "change", "size"],
        "Debian's packages python3 and python3-venv",
    ),
    ("curl", &["step", "start", "exec", "script", "broker"], "Debian's package curl"),
    ("wrk", &["broker"], "Debian's package wrk"),
];

/// Whether everything is there that a part needs, or that all need.
fn look_for_tools(only: &[String]) -> Result<()> {
    let is_missing = |program: &str| Command::new(program).arg("--version").output().is_err();
    let missing: Vec<_> = NEEDS
        .iter()
        .filter(|(program, needed_by, _)| {
            let is_needed = only.is_empty() || only.iter().any(|only| needed_by.contains(&only.as_str()));
            is_needed && is_missing(program)
        })
        .map(|(program, _, from)| format!("{program} ({from})"))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("nothing was measured, since this is missing: {}", missing.join(", ")))
    }
}

/// The peers of the task and its commands, installed for the first part that needs them.
fn peers(installed: &OnceCell<Peers>) -> Result<&Peers> {
    match installed.get() {
        Some(peers) => Ok(peers),
        None => Peers::install().map(|peers| installed.get_or_init(|| peers)),
    }
}

/// What the numbers were measured on.
fn machine() -> String {
    let first = |path: &str, name: &str| {
        let text = fs::read_to_string(Path::new(path)).unwrap_or_default();
        let line = text.lines().find_map(|line| {
            line.strip_prefix(name)?.split_once(':').map(|(_, value)| value.trim().to_owned())
        });
        line.unwrap_or_else(|| "unknown".to_owned())
    };
    let versions = ["node", "curl"].map(|program| {
        let printed = output(Command::new(program).arg("--version")).unwrap_or_default();
        printed.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    });
    let cores = thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{} cores of {}, {} of memory, Linux {}, Node {}, {}; medians of {} turns each, in alternation; the emulator runs on the same machine",
        cores,
        first("/proc/cpuinfo", "model name"),
        first("/proc/meminfo", "MemTotal"),
        kernel.trim(),
        versions[0],
        versions[1],
        measure::TURNS,
    )
}

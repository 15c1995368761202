//! The processes of a job, found by the id in the environment with which each was started (`ProcessExtensions.cs`).
//!
//! Linux only. The ways of macOS (`ps e`) and Windows (the process's environment block) are not emulated: nothing is
//! found there, so the orphans of a job live on and no process is observed.

use std::collections::{BTreeMap, HashSet};

/// The variable that marks the processes of a job (`JobExtension.cs`).
pub(super) const LOOKUP_ID: &str = "VSTS_PROCESS_LOOKUP_ID";

/// A process of the job, as other processes of the same user may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRecord {
    /// Its id.
    pub pid: u32,
    /// Its name, at most 15 characters.
    pub name: String,
    /// Its command line.
    pub arguments: Vec<String>,
    /// The environment with which it was started.
    pub environment: BTreeMap<String, String>,
    /// The reference name of the step during which it was seen first.
    pub step: String,
}

/// Ids and names of the processes that run before the job, which do not count as the job's.
#[cfg(target_os = "linux")]
pub(super) fn snapshot() -> HashSet<(u32, String)> {
    pids().into_iter().map(|pid| (pid, process_name(pid))).collect()
}

/// The processes that were started with the id in their environment.
#[cfg(target_os = "linux")]
pub(super) fn of_job(lookup_id: &str, step: &str) -> Vec<ProcessRecord> {
    let entry = format!("{LOOKUP_ID}={lookup_id}");
    let mut found = Vec::new();
    for pid in pids() {
        // The process is another user's, or has just ended.
        let environ = || std::fs::read(format!("/proc/{pid}/environ"));
        let (Ok(environ), Ok(arguments), Ok(environ_after)) =
            (environ(), std::fs::read(format!("/proc/{pid}/cmdline")), environ())
        else {
            continue;
        };
        // It ends, or another program takes its place, at this very moment: these are not one program's.
        if arguments.is_empty() || environ != environ_after {
            continue;
        }
        if !environ.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes()) {
            continue;
        }
        let environment = split_at_nul(&environ)
            .into_iter()
            .filter_map(|variable| {
                variable.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
            })
            .collect();
        found.push(ProcessRecord {
            pid,
            name: process_name(pid),
            arguments: split_at_nul(&arguments),
            environment,
            step: step.to_owned(),
        });
    }
    found
}

#[cfg(target_os = "linux")]
fn split_at_nul(bytes: &[u8]) -> Vec<String> {
    let mut parts: Vec<_> =
        bytes.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    if parts.last().is_some_and(String::is_empty) {
        parts.pop();
    }
    parts
}

#[cfg(target_os = "linux")]
fn pids() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(target_os = "linux")]
fn process_name(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
}

/// Nothing is known of other processes here.
#[cfg(not(target_os = "linux"))]
pub(super) fn snapshot() -> HashSet<(u32, String)> {
    HashSet::new()
}

/// Nothing is known of other processes here.
#[cfg(not(target_os = "linux"))]
pub(super) fn of_job(_: &str, _: &str) -> Vec<ProcessRecord> {
    Vec::new()
}

/// Kills the processes that have the id and were not there before the job. Returns when they are gone.
pub(super) fn kill(lookup_id: &str, before: &HashSet<(u32, String)>) -> Vec<ProcessRecord> {
    let mut killed: Vec<ProcessRecord> = Vec::new();
    for _ in 0..200 {
        let mut left = of_job(lookup_id, "");
        left.retain(|process| !before.contains(&(process.pid, process.name.clone())));
        if left.is_empty() {
            break;
        }
        for process in left {
            if !killed.iter().any(|known| known.pid == process.pid) {
                kill_one(process.pid);
                killed.push(process);
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    killed
}

#[cfg(unix)]
fn kill_one(pid: u32) {
    use rustix::process::{Pid, Signal, kill_process};
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // An error means that the process has ended by itself.
        let _gone = kill_process(pid, Signal::KILL);
    }
}

#[cfg(not(unix))]
fn kill_one(_: u32) {}

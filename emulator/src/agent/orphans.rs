//! The processes of a job, found by the id in the environment with which each was started (`ProcessExtensions.cs`).
//!
//! Linux only. macOS (`ps e`) and Windows (the process's environment block) are a gap: there nothing is found, so the
//! orphans of a job live on and no process is observed.

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

/// Ids and names of what runs before the job: never the job's, whatever their environment says.
#[cfg(target_os = "linux")]
pub(super) fn snapshot() -> HashSet<(u32, String)> {
    pids().into_iter().map(|pid| (pid, name(pid))).collect()
}

/// The processes whose first environment has the id.
#[cfg(target_os = "linux")]
pub(super) fn carrying(lookup_id: &str, step: &str) -> Vec<ProcessRecord> {
    let entry = format!("{LOOKUP_ID}={lookup_id}");
    let mut found = Vec::new();
    for pid in pids() {
        // Another user's process, or one that has just ended.
        let Ok(environ) = std::fs::read(format!("/proc/{pid}/environ")) else { continue };
        if !environ.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes()) {
            continue;
        }
        let environment = texts(&environ)
            .into_iter()
            .filter_map(|variable| {
                variable.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
            })
            .collect();
        let arguments = texts(&std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default());
        found.push(ProcessRecord { pid, name: name(pid), arguments, environment, step: step.to_owned() });
    }
    found
}

#[cfg(target_os = "linux")]
fn texts(bytes: &[u8]) -> Vec<String> {
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
fn name(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
}

/// Nothing is known of other processes here.
#[cfg(not(target_os = "linux"))]
pub(super) fn snapshot() -> HashSet<(u32, String)> {
    HashSet::new()
}

/// Nothing is known of other processes here.
#[cfg(not(target_os = "linux"))]
pub(super) fn carrying(_: &str, _: &str) -> Vec<ProcessRecord> {
    Vec::new()
}

/// Kills each process that carries the id and was not there before the job: one by one, not as trees. Returns when
/// they are gone.
pub(super) fn kill(lookup_id: &str, before: &HashSet<(u32, String)>) -> Vec<ProcessRecord> {
    let mut killed: Vec<ProcessRecord> = Vec::new();
    for _ in 0..200 {
        let mut left = carrying(lookup_id, "");
        left.retain(|process| !before.contains(&(process.pid, process.name.clone())));
        if left.is_empty() {
            break;
        }
        for process in left {
            if !killed.iter().any(|known| known.pid == process.pid) {
                end(process.pid);
                killed.push(process);
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    killed
}

#[cfg(unix)]
fn end(pid: u32) {
    use rustix::process::{Pid, Signal, kill_process};
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended by itself since.
        let _gone = kill_process(pid, Signal::KILL);
    }
}

#[cfg(not(unix))]
fn end(_: u32) {}

//! `wif audit` of large organizations whose services are far away: calls, time, memory.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use emulator::{
    Emulator, Proxy,
    organization::{MadeOrganization, OrganizationPlan},
};

use crate::{
    bench::{measure::milliseconds, table::Row},
    process::{Result, cargo, run, target},
};

/// How far away the services are.
const ROUND_TRIP: Duration = Duration::from_millis(25);
/// How many calls run at once, which is the program's default.
const JOBS: usize = 16;
/// The most that an audit may hold, in kB.
const MAX_MEMORY: u64 = 100_000;
/// How much more than the fewest calls there may be.
const MAX_CALLS: f64 = 1.05;
/// How much longer than its calls an audit may take. The emulator shares the machine, and takes most of it.
const MAX_TIME: f64 = 3.0;
/// Codes of audits that read everything, and found warnings or faults, or nothing.
const GOOD: [i32; 3] = [0, 10, 11];
/// How often memory is looked at. What the system keeps is the most so far.
const INTERVAL: Duration = Duration::from_millis(20);

/// What one run took.
struct Run {
    calls: usize,
    took: Duration,
    /// The most memory, in kB.
    memory: u64,
}

/// An organization, and how deep it is read.
struct Case {
    what: &'static str,
    projects: usize,
    connections: usize,
    layer: &'static str,
}

const CASES: [Case; 3] = [
    Case { what: "43 connections in 18 projects, lists only", projects: 18, connections: 43, layer: "list" },
    Case { what: "43 connections in 18 projects", projects: 18, connections: 43, layer: "use" },
    Case { what: "10,000 connections in 400 projects", projects: 400, connections: 10_000, layer: "use" },
];

pub(super) fn rows() -> Result<Vec<Row>> {
    run(&mut cargo(&["build", "--release", "--locked", "--package", "wif-operator"]))?;
    let program = target()?.join("release").join(format!("wif-operator{}", std::env::consts::EXE_SUFFIX));
    let mut rows = Vec::new();
    for case in &CASES {
        println!("  {}", case.what);
        let measured = measure(&program, case)?;
        let floor = milliseconds(ROUND_TRIP) * count(measured.calls) / count(JOBS);
        let (took, fewest) = (milliseconds(measured.took), case.fewest());
        rows.push(Row::at_most(
            &format!("audit, {}: calls", case.what),
            count(measured.calls),
            "the fewest possible",
            count(fewest),
            MAX_CALLS,
            "calls",
        ));
        rows.push(Row::at_most(
            &format!("audit, {}: time", case.what),
            took,
            "calls × distance ÷ jobs",
            floor,
            MAX_TIME,
            "ms",
        ));
        let memory = format!("{} MB", measured.memory / 1000);
        let what = format!("audit, {}: memory, with six formats and --save", case.what);
        rows.push(Row::limited(&what, memory, "at most 100 MB", measured.memory <= MAX_MEMORY));
    }
    Ok(rows)
}

impl Case {
    /// The fewest calls that tell what is told: the documentation of each service says how much one call may ask for.
    fn fewest(&self) -> usize {
        let (projects, connections) = (self.projects, self.connections);
        let lists = 1 + projects.div_ceil(100) + projects;
        if self.layer == "list" {
            return lists;
        }
        // Who trusts an issuer of connections: a list of applications and one of service principals for each of three
        // filters, of a hundred identities a page; the first has all of them.
        let trust = 5 + connections.div_ceil(100);
        // An application is one part of a batch, fifteen service principals are another.
        let facts = (connections + connections.div_ceil(15)).div_ceil(20);
        // Roles come in pages of a thousand rows. There is one tenant, and one list of subscriptions.
        let scopes = connections.div_ceil(1000).max(1) + 2;
        // Checks and pipelines of a project are one call each; runs, permissions and members of roles three of a connection.
        lists + trust + facts + scopes + 2 * projects + 3 * connections
    }
}

fn measure(program: &Path, case: &Case) -> Result<Run> {
    let emulator = Emulator::builder().round_trip(ROUND_TRIP).start();
    let plan = OrganizationPlan::new("fabrikam").projects(case.projects).connections(case.connections);
    let made = emulator.add_organization(&plan);
    let proxy = Proxy::start(Proxy::leading_to(&emulator));
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let begin = now();
    let mut child = start(program, case, (&emulator, &made, &proxy), folder.path())?;
    let memory = watch(&mut child)?;
    let took = begin.elapsed();
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if !output.status.code().is_some_and(|code| GOOD.contains(&code)) {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("the audit ended with {}: {said}", output.status));
    }
    Ok(Run { calls: emulator.journal().len(), took, memory })
}

fn start(
    program: &Path,
    case: &Case,
    (emulator, made, proxy): (&Emulator, &MadeOrganization, &Proxy),
    folder: &Path,
) -> Result<Child> {
    let mut command = Command::new(program);
    command.args(["audit", "--organization", "fabrikam", "--layer", case.layer, "--jobs", &JOBS.to_string()]);
    for format in ["text", "json", "sarif", "csv", "markdown", "html"] {
        command.args(["--format", format, "--output"]).arg(folder.join(format));
    }
    command.arg("--save").arg(folder.join("snapshot")).env_clear();
    command.env("HTTPS_PROXY", proxy.url()).env("SSL_CERT_FILE", emulator.ca_file());
    let token = |resource| emulator.access_token(made.auditor, resource);
    command.env("AZURE_DEVOPS_EXT_PAT", &made.personal_token);
    command.env("WIF_GRAPH_TOKEN", token("https://graph.microsoft.com"));
    command.env("WIF_ARM_TOKEN", token("https://management.azure.com"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().map_err(|error| format!("{}: {error}", program.display()))
}

/// The most memory that a process had until it ended (proc(5), `VmHWM`).
fn watch(child: &mut Child) -> Result<u64> {
    let path = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        let status = fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        let kilobytes: Option<u64> = line.trim().trim_end_matches("kB").trim().parse().ok();
        most = most.max(kilobytes.unwrap_or_default());
        thread::sleep(INTERVAL);
    }
    Ok(most)
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[expect(clippy::disallowed_methods, reason = "to measure is what this is here for")]
fn now() -> Instant {
    Instant::now()
}

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
    bench::{
        measure::{count, milliseconds, timed},
        peers::{azure_cli, published_steps},
        table::Row,
    },
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
const INTERVAL: Duration = Duration::from_millis(2);

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
    /// How many such organizations are read in one call.
    organizations: usize,
    /// The most of the time that the published loop takes, where it is run beside.
    of_loop: Option<f64>,
}

const CASES: [Case; 4] = [
    Case {
        what: "43 connections in 18 projects, lists only",
        layer: "list",
        of_loop: Some(1.0 / 50.0),
        ..CASE
    },
    Case { what: "43 connections in 18 projects", of_loop: Some(1.0 / 10.0), ..CASE },
    Case { what: "three organizations with 43 connections each", organizations: 3, ..CASE },
    Case { what: "10,000 connections in 400 projects", projects: 400, connections: 10_000, ..CASE },
];

/// The organization of the published loop's story, read whole.
const CASE: Case =
    Case { what: "", projects: 18, connections: 43, layer: "use", organizations: 1, of_loop: None };

pub(super) fn rows() -> Result<Vec<Row>> {
    let az = azure_cli()?;
    run(&mut cargo(&["build", "--release", "--locked", "--package", "wif-operator"]))?;
    let program = target()?.join("release").join(format!("wif-operator{}", std::env::consts::EXE_SUFFIX));
    let mut rows = Vec::new();
    println!("  the published loop over 43 connections in 18 projects");
    let of_loop = measure_loop(&az)?;
    for case in &CASES {
        println!("  {}", case.what);
        let measured = case.median(&program)?;
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
        // Lists are three turns, one after the other, however many calls run at once.
        if case.layer != "list" {
            let what = format!("audit, {}: time", case.what);
            rows.push(Row::at_most(&what, took, "calls × distance ÷ jobs", floor, MAX_TIME, "ms"));
        }
        if let Some(most) = case.of_loop {
            let what = format!("audit, {}: time", case.what);
            rows.push(Row::at_most(&what, took, "published loop over `az`", of_loop, most, "ms"));
        }
        let memory = format!("{} MB", measured.memory / 1000);
        let what = format!("audit, {}: memory, with six formats and --save", case.what);
        rows.push(Row::limited(&what, memory, "at most 100 MB", measured.memory <= MAX_MEMORY));
    }
    Ok(rows)
}

impl Case {
    /// One run of a large organization, which takes a minute, and of a small one the median of five by time.
    fn median(&self, program: &Path) -> Result<Run> {
        let turns = if self.connections < 1000 { 5 } else { 1 };
        let mut runs = (0..turns).map(|_| measure(program, self)).collect::<Result<Vec<_>>>()?;
        runs.sort_by_key(|run| run.took);
        Ok(runs.swap_remove(turns / 2))
    }

    fn organization(&self, name: &str) -> OrganizationPlan {
        OrganizationPlan::new(name).projects(self.projects).connections(self.connections)
    }

    /// The names of the organizations beside the first.
    fn others(&self) -> impl Iterator<Item = String> {
        (1..self.organizations).map(|number| format!("fabrikam-{number}"))
    }

    /// The fewest calls that tell what is told: the documentation of each service says how much one call may ask for.
    fn fewest(&self) -> usize {
        let (projects, connections) = (self.projects, self.connections);
        let lists = 1 + projects.div_ceil(100) + projects;
        if self.layer == "list" {
            return lists * self.organizations;
        }
        // Who trusts an issuer of connections: a list of applications and one of service principals for each of three
        // filters, of a hundred identities a page; the first has all of them.
        let trust = 5 + connections.div_ceil(100);
        // An application is one part of a batch, fifteen service principals are another.
        let facts = (connections + connections.div_ceil(15)).div_ceil(20);
        // Roles come in pages of a thousand rows. There is one tenant, and one list of subscriptions.
        let scopes = connections.div_ceil(1000).max(1) + 2;
        // Checks and pipelines of a project are one call each; runs, permissions and members of roles three of a connection.
        let uses = 2 * projects + 3 * connections;
        // The list of subscriptions, and that of roles, are read once for all organizations.
        (lists + trust + facts + uses) * self.organizations + scopes
    }
}

/// The loop that is published for this question, as it was published: one call of Azure CLI for the list of projects, and one for
/// each project. `az rest` takes the place of `az devops`, which is an extension. It has to find every connection.
const LOOP: &str = r#"set -eu
read_all() { "$AZ" rest --skip-authorization-header --headers "Authorization=$AUTHORIZATION" --url "$1" --query "$2" --output tsv; }
for project in $(read_all "https://dev.azure.com/fabrikam/_apis/projects?api-version=7.1" "value[].id"); do
  read_all "https://dev.azure.com/fabrikam/$project/_apis/serviceendpoint/endpoints?api-version=7.1" "value[].[name, authorization.scheme]"
done
"#;

/// How long the loop takes, in milliseconds.
fn measure_loop(az: &Path) -> Result<f64> {
    let emulator = Emulator::builder().round_trip(ROUND_TRIP).start();
    let made = emulator.add_organization(&CASE.organization("fabrikam"));
    let proxy = Proxy::start(Proxy::leading_to(&emulator));
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut command = published_steps(az, LOOP, folder.path(), (&emulator, &proxy, made.auditor));
    let (took, output) = timed(&mut command)?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let found = printed.lines().filter(|line| line.contains("WorkloadIdentityFederation")).count();
    if found == CASE.connections {
        Ok(took)
    } else {
        Err(format!("the loop found {found} connections: {printed}"))
    }
}

fn measure(program: &Path, case: &Case) -> Result<Run> {
    let emulator = Emulator::builder().round_trip(ROUND_TRIP).start();
    let made = emulator.add_organization(&case.organization("fabrikam"));
    for other in case.others() {
        let other = emulator.add_organization(&case.organization(&other));
        emulator.directory().subscription(other.subscription).roles.push(made.auditor);
    }
    let proxy = Proxy::start(Proxy::leading_to(&emulator));
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    // The emulator signs tokens for it, which takes time that does not count.
    let mut command = command(program, case, (&emulator, &made, &proxy), folder.path());
    let begin = now();
    let mut child = command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
    let memory = watch(&mut child)?;
    let took = begin.elapsed();
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if !output.status.code().is_some_and(|code| GOOD.contains(&code)) {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("the audit ended with {}: {said}", output.status));
    }
    Ok(Run { calls: emulator.journal().len(), took, memory })
}

fn command(
    program: &Path,
    case: &Case,
    (emulator, made, proxy): (&Emulator, &MadeOrganization, &Proxy),
    folder: &Path,
) -> Command {
    let mut command = Command::new(program);
    command.args(["audit", "--organization", "fabrikam", "--layer", case.layer, "--jobs", &JOBS.to_string()]);
    case.others().for_each(|other| {
        command.args(["--organization", &other]);
    });
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
    command
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

#[expect(clippy::disallowed_methods, reason = "to measure is what this is here for")]
fn now() -> Instant {
    Instant::now()
}

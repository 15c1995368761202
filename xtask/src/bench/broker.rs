//! The broker: memory, sleep, and a token from the cache beside a server that only says "ok".

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use emulator::{Emulator, Service};

use crate::{
    bench::{
        job::Job,
        measure::{Contender, alternate, timed},
        step::{Left, Step},
        table::Row,
    },
    process::{Result, cargo, run, target},
};

/// Callers at a time.
const CONNECTIONS: &str = "64";
/// How long the idle broker is watched.
const IDLE: Duration = Duration::from_secs(60);

pub(super) fn rows(task: &Path) -> Result<Vec<Row>> {
    let job = Job::new(Emulator::start(), &[])?;
    let step = Step::new(&job, task);
    let (_, left) = step.run()?;
    let broker = Process::broker(job.variable("VSTS_PROCESS_LOOKUP_ID")?)?;
    let bare = Bare::start(&job)?;
    let mut latency = 0.0_f64;
    let mut contenders = [
        Contender::new("wif", || {
            let load = Load::of_token(&job, &left, "https://management.azure.com", CONNECTIONS)?;
            latency = latency.max(load.slowest);
            Ok(load.requests)
        }),
        Contender::new("hyper, with an answer of as many bytes", || {
            Load::run(&job, &bare.url, &[], CONNECTIONS).map(|load| load.requests)
        }),
    ];
    alternate(&mut contenders)?;
    let [ours, theirs] = &contenders;
    let (requests, bare_requests) = (ours.median(), theirs.median());
    let name = theirs.name;
    drop(contenders);
    let memory = broker.kilobytes("VmRSS")?;

    let before = job.emulator.count(Service::Entra, "POST /");
    Load::of_token(&job, &left, "https://storage.azure.com", "1000")?;
    let cold = job.emulator.count(Service::Entra, "POST /") - before;

    let (begin, woken) = (broker.ticks()?, broker.wakes()?);
    thread::sleep(IDLE);
    let (ticks, wakes) = (broker.ticks()? - begin, broker.wakes()? - woken);
    left.end()?;
    Ok(vec![
        Row::at_least("cached tokens a second, 64 connections", requests, name, bare_requests, 0.7, ""),
        Row::limited(
            "99th percentile of a cached token, 64 connections, the worst of all turns",
            format!("{latency:.2} ms"),
            "under 1 ms",
            latency < 1.0,
        ),
        Row::limited(
            "resident memory after more than 10,000 requests",
            format!("{:.1} MB", memory / 1000.0),
            "at most 8 MB",
            memory <= 8000.0,
        ),
        Row::limited("requests upstream for 1,000 callers without a cache", cold.to_string(), "1", cold == 1),
        Row::limited(
            "idle for a minute: clock ticks of work, and wake-ups",
            format!("{ticks}, {wakes}"),
            "0 ticks",
            ticks == 0,
        ),
    ])
}

/// What wrk measured.
struct Load {
    /// A second.
    requests: f64,
    /// The 99th percentile, in milliseconds.
    slowest: f64,
}

impl Load {
    fn of_token(job: &Job, left: &Left<'_>, resource: &str, connections: &str) -> Result<Self> {
        let url =
            format!("{}?api-version=2019-08-01&resource={resource}", left.variable("IDENTITY_ENDPOINT")?);
        let header = format!("X-IDENTITY-HEADER: {}", left.variable("IDENTITY_HEADER")?);
        Self::run(job, &url, &[&header], connections)
    }

    fn run(job: &Job, url: &str, headers: &[&str], connections: &str) -> Result<Self> {
        let mut command = job.command("wrk");
        command.args(["--threads", "1", "--duration", "1s", "--latency", "--connections", connections]);
        for header in headers {
            command.args(["--header", header]);
        }
        let (_, output) =
            timed(command.arg(url)).map_err(|error| format!("{error}; wrk is in Debian's package wrk"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let word = |line: &str| {
            text.lines().find_map(|all| all.trim().strip_prefix(line).map(str::trim).map(str::to_owned))
        };
        if let Some(errors) = word("Non-2xx or 3xx responses:").or_else(|| word("Socket errors:")) {
            return Err(format!("wrk counts errors: {errors}"));
        }
        let requests = word("Requests/sec:").and_then(|number| number.parse().ok());
        let slowest = word("99%").and_then(|time| milliseconds(&time));
        match (requests, slowest) {
            (Some(requests), Some(slowest)) => Ok(Self { requests, slowest }),
            _ => Err(format!("wrk says something else: {text}")),
        }
    }
}

/// `850.00us`, `1.20ms`, `2.00s`.
fn milliseconds(text: &str) -> Option<f64> {
    let units = [("us", 0.001), ("ms", 1.0), ("s", 1000.0)];
    units.iter().find_map(|(unit, factor)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * factor))
}

/// A process that nobody here has started, by what Linux tells of it.
struct Process {
    folder: std::path::PathBuf,
}

impl Process {
    /// The broker of a job.
    fn broker(lookup: &str) -> Result<Self> {
        let of_job = format!("VSTS_PROCESS_LOOKUP_ID={lookup}");
        let is_broker = |folder: &Path| {
            let parts = |name: &str| fs::read(folder.join(name)).unwrap_or_default();
            let has =
                |bytes: &[u8], part: &str| bytes.split(|byte| *byte == 0).any(|own| own == part.as_bytes());
            has(&parts("environ"), &of_job) && has(&parts("cmdline"), "broker")
        };
        let all = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
        let folder = all.into_iter().find(|folder| is_broker(folder));
        folder
            .map(|folder| Self { folder })
            .ok_or_else(|| "the broker is not found; this needs Linux".to_owned())
    }

    fn status(&self, name: &str) -> Result<String> {
        let text = fs::read_to_string(self.folder.join("status")).map_err(|error| error.to_string())?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim).map(str::to_owned));
        line.ok_or_else(|| format!("the broker's status has no {name}"))
    }

    /// In thousands of bytes.
    fn kilobytes(&self, name: &str) -> Result<f64> {
        let text = self.status(name)?;
        let kibibytes = text.split(' ').next().and_then(|number| number.parse::<f64>().ok());
        kibibytes.map(|number| number * 1.024).ok_or(text)
    }

    /// How often it has begun to wait.
    fn wakes(&self) -> Result<u64> {
        let text = self.status("voluntary_ctxt_switches")?;
        text.parse().map_err(|_error| text)
    }

    /// The time for which it has worked, in ticks of the system's clock.
    fn ticks(&self) -> Result<u64> {
        let text = fs::read_to_string(self.folder.join("stat")).map_err(|error| error.to_string())?;
        let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
        // proc_pid_stat(5): utime and stime are the 14th and 15th field, the state after the name is the third.
        Ok(fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum())
    }
}

/// The peer of the broker.
struct Bare {
    child: Child,
    url: String,
}

impl Bare {
    fn start(_job: &Job) -> Result<Self> {
        run(&mut cargo(&[
            "build",
            "--quiet",
            "--release",
            "--locked",
            "--package",
            "wif",
            "--example",
            "bare",
        ]))?;
        let program = target()?.join("release").join("examples").join("bare");
        let mut child =
            Command::new(program).stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
        let mut line = String::new();
        if let Some(stdout) = &mut child.stdout {
            let read = std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line);
            read.map_err(|error| error.to_string())?;
        }
        Ok(Self { child, url: line.trim().to_owned() })
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

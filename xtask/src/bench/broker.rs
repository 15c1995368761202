//! The broker: memory, sleep, and a token from the cache beside a server that gives every caller the same answer.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use emulator::{Emulator, Service};
use tempfile::NamedTempFile;

use crate::{
    bench::{
        job::Job,
        measure::{Contender, alternate, median, timed},
        step::Step,
        table::Row,
    },
    process::{Result, cargo, run, target},
};

/// Callers at a time.
const CONNECTIONS: &str = "64";
/// How long the idle broker is watched.
const IDLE: Duration = Duration::from_secs(60);
/// How long it must have done nothing before that, and how often this is looked for.
const QUIET: Duration = Duration::from_secs(1);
const LOOKS: u64 = 30;
/// A library's server of the same runtime.
const BARE: &str = "hyper, with the same requests and an answer of as many bytes";
/// What callers ask for again and again.
const TOKEN: &str = "?api-version=2019-08-01&resource=https://management.azure.com";
/// What the callers without a cache ask for.
const OTHER: &str = "?api-version=2019-08-01&resource=https://storage.azure.com";

pub(super) fn rows(task: &Path) -> Result<Vec<Row>> {
    let job = Job::new(Emulator::start(), &[])?;
    let step = Step::new(&job, task);
    let (_, left) = step.run()?;
    let broker = Process::broker(job.variable("VSTS_PROCESS_LOOKUP_ID")?)?;
    let bare = Bare::start()?;
    let pausing = Pausing::new()?;
    let broker_url = left.variable("IDENTITY_ENDPOINT")?;
    let key = format!("X-IDENTITY-HEADER: {}", left.variable("IDENTITY_HEADER")?);
    let load = |url: &str, query: &str, more: &[&str]| Load::run(&job, &format!("{url}{query}"), &key, more);
    let mut slowest = [const { Vec::new() }; 4];
    let [all, all_bare, some, some_bare] = &mut slowest;
    let mut contenders = [
        Contender::new("wif", || Ok(load(broker_url, TOKEN, &[])?.noted(all))),
        Contender::new(BARE, || Ok(load(&bare.url, TOKEN, &[])?.noted(all_bare))),
        Contender::new("wif, with pauses", || Ok(load(broker_url, TOKEN, &pausing.arguments())?.noted(some))),
        Contender::new("hyper, with pauses", || {
            Ok(load(&bare.url, TOKEN, &pausing.arguments())?.noted(some_bare))
        }),
    ];
    alternate(&mut contenders)?;
    let [requests, bare_requests, ..] = contenders.each_ref().map(Contender::median);
    drop(contenders);
    let [all, all_bare, some, some_bare] = slowest.each_ref().map(|turns| median(turns));
    let memory = broker.kilobytes("VmRSS")?;

    let before = job.emulator.count(Service::Entra, "POST /");
    all_at_once(&format!("{broker_url}{OTHER}"), &key)?;
    let cold = job.emulator.count(Service::Entra, "POST /") - before;

    broker.quiet()?;
    let (begin, woken) = (broker.ticks()?, broker.wakes()?);
    thread::sleep(IDLE);
    let (ticks, wakes) = (broker.ticks()? - begin, broker.wakes()? - woken);
    left.end()?;
    Ok(vec![
        Row::at_least(
            "cached tokens a second, 64 connections that never pause",
            requests,
            BARE,
            bare_requests,
            0.7,
            "",
        ),
        percentile("that never pause", all, all_bare),
        percentile("that pause for 0 to 20 ms after each answer", some, some_bare),
        Row::limited(
            "resident memory after more than 10,000 requests",
            format!("{:.1} MB", memory / 1000.0),
            "at most 8 MB",
            memory <= 8000.0,
        ),
        Row::limited(
            "requests upstream for 1,000 callers at once, each with a connection, without a cache",
            cold.to_string(),
            "1",
            cold == 1,
        ),
        Row::limited(
            "idle for a minute: clock ticks of work, and context switches",
            format!("{ticks}, {wakes}"),
            "0 ticks",
            ticks == 0,
        ),
    ])
}

/// Sends a request on each of 1,000 connections before any answer is read, and reads all answers.
fn all_at_once(url: &str, key: &str) -> Result<()> {
    let failed = |error: std::io::Error| format!("{url}: {error}");
    let (host, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .ok_or_else(|| format!("{url} is no URL of a broker"))?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\n{key}\r\nConnection: close\r\n\r\n");
    let ask = |_| {
        let mut stream = TcpStream::connect(host)?;
        stream.write_all(request.as_bytes())?;
        Ok(stream)
    };
    let callers = (0..1000).map(ask).collect::<std::io::Result<Vec<_>>>().map_err(failed)?;
    for mut caller in callers {
        let mut answer = String::new();
        caller.read_to_string(&mut answer).map_err(failed)?;
        if !answer.starts_with("HTTP/1.1 200") {
            return Err(format!("{url}: {answer}"));
        }
    }
    Ok(())
}

/// The time that one of a hundred callers waits for longer.
fn percentile(callers: &str, ours: f64, theirs: f64) -> Row {
    Row {
        what: format!("99th percentile of a cached token, 64 connections {callers}"),
        ours: format!("{ours:.2} ms"),
        peer: BARE.to_owned(),
        theirs: format!("{theirs:.2} ms"),
        ratio: Some(ours / theirs),
        aim: "under 1 ms".to_owned(),
        met: Some(ours < 1.0),
    }
}

/// What wrk measured.
struct Load {
    /// A second.
    requests: f64,
    /// The 99th percentile, in milliseconds.
    slowest: f64,
}

impl Load {
    /// Of arguments that are given twice, wrk takes the last.
    fn run(job: &Job, url: &str, header: &str, more: &[&str]) -> Result<Self> {
        let mut command = job.command("wrk");
        command.args(["--threads", "1", "--duration", "1s", "--latency", "--connections", CONNECTIONS]);
        command.args(["--header", header]);
        let (_, output) = timed(command.args(more).arg(url))
            .map_err(|error| format!("{error}; wrk is in Debian's package wrk"))?;
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

    /// The requests, after a note of the slowest answers of all turns.
    fn noted(&self, slowest: &mut Vec<f64>) -> f64 {
        slowest.push(self.slowest);
        self.requests
    }
}

/// Makes wrk's callers pause, by a script, which wrk has for that.
struct Pausing(NamedTempFile);

impl Pausing {
    fn new() -> Result<Self> {
        let failed = |error: std::io::Error| format!("wrk's script: {error}");
        let mut script = NamedTempFile::new().map_err(failed)?;
        script.write_all(b"function delay() return math.random(0, 20) end\n").map_err(failed)?;
        Ok(Self(script))
    }

    fn arguments(&self) -> [&str; 2] {
        ["--script", self.0.path().to_str().unwrap_or_default()]
    }
}

/// `850.00us`, `1.20ms`, `2.00s`.
fn milliseconds(text: &str) -> Option<f64> {
    let units = [("us", 0.001), ("ms", 1.0), ("s", 1000.0)];
    units.iter().find_map(|(unit, factor)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * factor))
}

/// A process that this program has not started, by what Linux tells of it.
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

    /// Waits until it has dealt with all that was asked of it: neither worked nor woken for a while.
    fn quiet(&self) -> Result<()> {
        let mut seen = (self.ticks()?, self.wakes()?);
        for _ in 0..LOOKS {
            thread::sleep(QUIET);
            let now = (self.ticks()?, self.wakes()?);
            if now == seen {
                return Ok(());
            }
            seen = now;
        }
        Err(format!("the broker does not come to rest within {} s", LOOKS * QUIET.as_secs()))
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
    fn start() -> Result<Self> {
        run(&mut cargo(&[
            "build",
            "--quiet",
            "--profile",
            "bare",
            "--locked",
            "--package",
            "wif",
            "--example",
            "bare",
        ]))?;
        let program = target()?.join("bare").join("examples").join("bare");
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

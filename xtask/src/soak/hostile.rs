//! A job whose broker is crowded by callers without the key, in real time.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use emulator::{
    Emulator,
    agent::{Agent, JobResult, Step},
};

use crate::{process::Result, stage};

/// Connections at a time.
const HOSTILE: usize = 512;
/// A caller with the key waits no longer.
const MAX_WAIT: f64 = 2.0;
/// The job takes no longer after its last step.
const MAX_END: f64 = 5.0;
/// Asks the broker as fast as it can, by a new connection each time, until the time is over.
const WATCH: &str = r#"
end=$(($(date +%s) + SECONDS_TO_WATCH)); asked=0; failed=0
echo "port ${WIF_URL##*:} watched"
while [ "$(date +%s)" -lt "$end" ]; do
  for n in $(seq 10); do
    asked=$((asked + 1))
    took=$(curl -sf -m 10 -o /dev/null -w '%{time_total}' -H "X-IDENTITY-HEADER: $IDENTITY_HEADER" \
      "$IDENTITY_ENDPOINT?resource=https://management.azure.com&api-version=2019-08-01") || failed=$((failed + 1))
    echo "took $took"
  done
  asked=$((asked + 1)); begin=$(date +%s%N)
  wif token arm > /dev/null || failed=$((failed + 1))
  echo "took $(( ($(date +%s%N) - begin) / 1000000 ))e-3"
done
echo "asked $asked $failed"
echo "over $(date +%s%N)"
"#;

/// What a caller without the key does, again and again.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Silent,
    SlowDrip,
    NeverReads,
    ForeignHost,
    ComesBack,
}

const KINDS: [Kind; 5] = [Kind::Silent, Kind::SlowDrip, Kind::NeverReads, Kind::ForeignHost, Kind::ComesBack];

/// Crowds a broker for so many seconds, and on through the end of its job.
#[expect(clippy::disallowed_methods, reason = "to measure is what this is here for")]
pub(crate) fn hostile(seconds: u64) -> Result<()> {
    let task = stage::stage()?;
    let emulator = Emulator::start();
    let inputs =
        [("azureSubscription", "sc-prod"), stage::EMULATOR, ("exports", "azure-sdk"), ("accessTokens", "")];
    let steps = [
        Step::task(task, &inputs).display_name("Sign in"),
        Step::bash(WATCH).display_name("Watch").env("SECONDS_TO_WATCH", seconds.to_string()),
    ];
    let message = emulator.job(emulator.usual().connection);
    let (over, connected) = (AtomicBool::new(false), AtomicUsize::new(0));
    println!("Crowding one broker for {seconds} s with {HOSTILE} connections without the key");
    let agent = Agent::new().ca_file(emulator.ca_file());
    let (port, report, ended) = thread::scope(|scope| {
        let job = agent.start(&message, &steps);
        let line = job.wait_for_line(|line| line.contains(" watched"));
        let port = line.split_whitespace().find_map(|word| word.parse::<u16>().ok()).unwrap_or_default();
        let turn = Duration::from_secs(seconds) / u32::try_from(KINDS.len()).unwrap_or(1);
        for number in 0..HOSTILE {
            let (over, connected) = (&over, &connected);
            scope.spawn(move || crowd(port, number, turn, over, connected));
        }
        let report = job.finish();
        let ended = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        over.store(true, Ordering::Relaxed);
        (port, report, ended)
    });
    if report.result != JobResult::Succeeded {
        return Err(format!("the job {:?}:\n{}", report.result, report.log));
    }
    let log = &report.step("Watch").log;
    let mut waits: Vec<f64> = values(log, "took ").collect();
    waits.sort_by(f64::total_cmp);
    let slowest = waits.last().copied().ok_or("no caller asked")?;
    let begin = values(log, "over ").next().ok_or("the step did not end")?;
    let end = ended.as_secs_f64() - begin / 1e9;
    println!("connections without the key   {}", connected.load(Ordering::Relaxed));
    println!("callers                       {}", waits.len());
    println!("middle, slowest wait          {:.3} s, {slowest:.3} s", waits[waits.len() / 2]);
    println!("end of the job                {end:.3} s after its last step");
    match () {
        () if !log.lines().any(|line| line.contains("asked ") && line.ends_with(" 0")) => {
            Err(format!("callers got an error:\n{log}"))
        }
        () if slowest > MAX_WAIT => Err(format!("a caller waited for more than {MAX_WAIT} s")),
        () if end > MAX_END => Err(format!("the job took more than {MAX_END} s to end")),
        () if !report.killed_orphans.is_empty() || TcpStream::connect(("127.0.0.1", port)).is_ok() => {
            Err("the broker outlived the post-job stage".to_owned())
        }
        () => Ok(()),
    }
}

fn values<'a>(log: &'a str, name: &'static str) -> impl Iterator<Item = f64> + 'a {
    log.lines().filter_map(move |line| line.split_once(name)?.1.trim().parse().ok())
}

/// One connection after the other, of the kind whose turn it is; of every kind when all had theirs.
#[expect(clippy::disallowed_methods, reason = "to measure is what this is here for")]
fn crowd(port: u16, number: usize, turn: Duration, over: &AtomicBool, connected: &AtomicUsize) {
    let began = SystemTime::now();
    while !over.load(Ordering::Relaxed) {
        let turns = began.elapsed().unwrap_or_default().as_secs_f64() / turn.as_secs_f64().max(0.1);
        let turn =
            KINDS.iter().enumerate().take_while(|(at, _)| turns >= f64::from(u8::try_from(*at).unwrap_or(0)));
        let kind = if turns >= 5.0 {
            KINDS[number % KINDS.len()]
        } else {
            turn.last().map_or(KINDS[0], |(_, kind)| *kind)
        };
        let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) else {
            // The job is ending.
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        connected.fetch_add(1, Ordering::Relaxed);
        // An end of the connection is what the broker is there for.
        let _ = kind.stay(stream, over);
    }
}

impl Kind {
    /// Stays as long as the broker bears it.
    fn stay(self, mut stream: TcpStream, over: &AtomicBool) -> std::io::Result<()> {
        const FOREIGN: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.set_read_timeout(Some(Duration::from_millis(500)))?;
        stream.set_write_timeout(Some(Duration::from_millis(500)))?;
        let mut buffer = [0; 4096];
        while !over.load(Ordering::Relaxed) {
            match self {
                Self::Silent => {}
                Self::SlowDrip => stream.write_all(b"G")?,
                Self::NeverReads => {
                    // Full buffers are what it wants.
                    if stream.write_all(&FOREIGN.repeat(1000)).is_err_and(|error| !is_slow(&error)) {
                        return Ok(());
                    }
                    thread::sleep(Duration::from_millis(100));
                    continue;
                }
                Self::ForeignHost | Self::ComesBack => stream.write_all(FOREIGN)?,
            }
            match stream.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(_) if matches!(self, Self::ComesBack) => return Ok(()),
                Ok(_) => {}
                Err(error) if is_slow(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn is_slow(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

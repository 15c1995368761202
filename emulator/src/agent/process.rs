//! One child process, from start to end (`ProcessInvoker.cs`).

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::clock;
use super::output::{self, Chunk, Splitter, Stream};

/// How long the agent waits for the ends of the pipes after the direct child has exited.
const OUTPUT_GRACE: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// What to run. The environment is all that the child gets.
pub(super) struct Launch<'a> {
    pub(super) program: &'a Path,
    pub(super) arguments: &'a [String],
    pub(super) environment: &'a BTreeMap<String, String>,
    pub(super) folder: &'a Path,
}

/// When and how to stop it.
pub(super) struct Limits {
    pub(super) cancel: Option<Arc<AtomicBool>>,
    pub(super) deadline: Option<Instant>,
    pub(super) interrupt: Duration,
    pub(super) terminate: Duration,
    /// Whether SIGINT is the only signal that is sent (`USE_GRACEFUL_PROCESS_SHUTDOWN`).
    pub(super) only_interrupt: bool,
    /// Whether the real agent starts a Node process around this one. That process ends at the first signal and does not
    /// forward it.
    pub(super) behind_wrapper: bool,
}

/// Why it was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Canceled,
    TimedOut,
}

/// How it ended.
pub(super) struct Ended {
    /// `None` when a signal ended it, or when it was left running.
    pub(super) code: Option<i32>,
    /// Whether the direct child was waited for to its end.
    pub(super) exited: bool,
    pub(super) stop: Option<Stop>,
    /// Whether another process still held the output when the wait for its end was over.
    pub(super) held_open: bool,
}

/// The receiver of the output.
pub(super) trait Watcher {
    fn bytes(&mut self, stream: Stream, bytes: &[u8]);
    fn line(&mut self, line: &str);
    /// The child is being stopped.
    fn stopping(&mut self, stop: Stop);
    /// When the task said that it is done, from which on the wait for its process is short.
    fn done_since(&self) -> Option<Instant>;
    /// Called after each chunk of output, and after each pause without any.
    fn tick(&mut self);
}

/// Runs a child to its end.
pub(super) fn run(launch: &Launch<'_>, limits: &Limits, watcher: &mut dyn Watcher) -> io::Result<Ended> {
    let mut child = Command::new(launch.program)
        .args(launch.arguments)
        .env_clear()
        .envs(launch.environment)
        .current_dir(launch.folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    drop(child.stdin.take());
    let (to, from) = mpsc::channel();
    let give_up = Arc::new(AtomicBool::new(false));
    let (stdout, stderr) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
    let (to_too, give_up_too) = (to.clone(), Arc::clone(&give_up));
    thread::spawn(move || output::read(stdout, Stream::Stdout, &to_too, &give_up_too));
    let give_up_too = Arc::clone(&give_up);
    thread::spawn(move || output::read(stderr, Stream::Stderr, &to, &give_up_too));

    let mut output_reader =
        OutputReader { from, stdout: Splitter::default(), stderr: Splitter::default(), open: true };
    let mut stopping = StopSequence { limits, stop: None, stage: Signal::None, next: None };
    let mut status = None;
    let mut exited_at = None;
    loop {
        output_reader.deliver(watcher);
        watcher.tick();
        if status.is_none() {
            status = child.try_wait()?;
        }
        if exited_at.is_none() && (status.is_some() || (limits.behind_wrapper && stopping.stop.is_some())) {
            exited_at = Some(clock::now());
        }
        if let Some(at) = exited_at {
            if !output_reader.open || at.elapsed() >= OUTPUT_GRACE {
                break;
            }
        } else {
            stopping.step(&mut child, watcher);
        }
        if watcher.done_since().is_some_and(|since| since.elapsed() >= OUTPUT_GRACE) {
            break;
        }
    }
    let held_open = output_reader.open;
    give_up.store(true, Ordering::Relaxed);
    output_reader.finish(watcher);
    if status.is_none() {
        // The process lives on; a thread waits for its exit status, so that it does not become a zombie.
        thread::spawn(move || child.wait());
    }
    let code = status.and_then(|status| status.code());
    Ok(Ended { code, exited: status.is_some(), stop: stopping.stop, held_open })
}

/// Reads both streams; pending lines of standard error come before those of standard output.
struct OutputReader {
    from: Receiver<Chunk>,
    stdout: Splitter,
    stderr: Splitter,
    open: bool,
}

impl OutputReader {
    fn deliver(&mut self, watcher: &mut dyn Watcher) {
        let first = if self.open {
            match self.from.recv_timeout(POLL_INTERVAL) {
                Ok(chunk) => Some(chunk),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => {
                    self.open = false;
                    None
                }
            }
        } else {
            thread::sleep(POLL_INTERVAL / 5);
            None
        };
        let (mut errors, mut lines) = (Vec::new(), Vec::new());
        for chunk in first.into_iter().chain(self.from.try_iter()) {
            watcher.bytes(chunk.stream, &chunk.bytes);
            match chunk.stream {
                Stream::Stdout => self.stdout.push(&chunk.bytes, &mut lines),
                Stream::Stderr => self.stderr.push(&chunk.bytes, &mut errors),
            }
        }
        errors.iter().chain(&lines).for_each(|line| watcher.line(line));
    }

    fn finish(&mut self, watcher: &mut dyn Watcher) {
        let mut lines = Vec::new();
        self.stderr.finish(&mut lines);
        self.stdout.finish(&mut lines);
        for line in lines {
            watcher.line(&line);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Signal {
    None,
    Interrupt,
    Terminate,
    Kill,
}

/// Stops the direct child by SIGINT, then SIGTERM, then SIGKILL; its own children get no signal.
struct StopSequence<'a> {
    limits: &'a Limits,
    stop: Option<Stop>,
    stage: Signal,
    next: Option<Instant>,
}

impl StopSequence<'_> {
    fn step(&mut self, child: &mut Child, watcher: &mut dyn Watcher) {
        let now = clock::now();
        if self.stop.is_none() {
            let canceled = self.limits.cancel.as_ref().is_some_and(|flag| flag.load(Ordering::SeqCst));
            let timed_out = self.limits.deadline.is_some_and(|deadline| now >= deadline);
            let Some(stop) =
                canceled.then_some(Stop::Canceled).or_else(|| timed_out.then_some(Stop::TimedOut))
            else {
                return;
            };
            self.stop = Some(stop);
            self.next = Some(now);
            watcher.stopping(stop);
        }
        if self.limits.behind_wrapper || self.next.is_none_or(|next| now < next) {
            return;
        }
        (self.stage, self.next) = match self.stage {
            Signal::None => (Signal::Interrupt, Some(now + self.limits.interrupt)),
            Signal::Interrupt if self.limits.only_interrupt => (Signal::Interrupt, None),
            Signal::Interrupt => (Signal::Terminate, Some(now + self.limits.terminate)),
            Signal::Terminate | Signal::Kill => (Signal::Kill, None),
        };
        send_signal(child, self.stage);
    }
}

#[cfg(unix)]
fn send_signal(child: &mut Child, signal: Signal) {
    use rustix::process::{Pid, Signal as Unix, kill_process};
    let number = match signal {
        Signal::None => return,
        Signal::Interrupt => Unix::INT,
        Signal::Terminate => Unix::TERM,
        Signal::Kill => Unix::KILL,
    };
    // The child may have ended by itself, but is not reaped yet, so the id is still its own.
    let _gone = kill_process(Pid::from_child(child), number);
}

/// Kills the child at once: CTRL_C to its console group, as the real agent sends it, would need unsafe code.
#[cfg(not(unix))]
fn send_signal(child: &mut Child, _: Signal) {
    let _gone = child.kill();
}

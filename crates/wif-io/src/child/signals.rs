//! The signals that this process gets while a child runs.

use std::{future::poll_fn, io, task::Poll};

use rustix::process::Signal;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// Listens for signals, so that none of them ends this process any more: they are the child's to answer. On process 1, where the
/// kernel drops a signal that is not listened for, they arrive at the child all the same.
#[derive(Debug)]
pub struct Signals {
    streams: Vec<(Signal, Stream)>,
    children: Stream,
}

/// What ends a process by default, and what a program may have a use for. The terminal's stop and continue (`SIGTSTP`,
/// `SIGCONT`) are left as they are: they stop this process and its child together.
const PASSED_ON: [Signal; 7] =
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR1, Signal::USR2, Signal::WINCH];

/// What may be to be done.
pub(super) enum Arrived {
    /// A child of this process has changed.
    Child,
    Signal(Signal),
}

impl Signals {
    /// Listens from now on. A signal that this process was started to ignore (`nohup`) stays ignored, here and in the child.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub fn listen() -> io::Result<Self> {
        let ignored = ignored();
        let listened = PASSED_ON.into_iter().filter(|signal| ignored & bit(*signal) == 0);
        let stream = |passed: Signal| Ok((passed, signal(SignalKind::from_raw(passed.as_raw()))?));
        Ok(Self {
            streams: listened.map(stream).collect::<io::Result<_>>()?,
            children: signal(SignalKind::child())?,
        })
    }

    /// Waits for a signal that is to end this process, before there is a child, and gives its number.
    pub async fn ending(&mut self) -> i32 {
        loop {
            match self.next().await {
                Arrived::Signal(signal) if signal != Signal::WINCH => return signal.as_raw(),
                Arrived::Signal(_) | Arrived::Child => {}
            }
        }
    }

    pub(super) async fn next(&mut self) -> Arrived {
        let Self { streams, children } = self;
        poll_fn(|context| {
            for (signal, stream) in &mut *streams {
                if stream.poll_recv(context).is_ready() {
                    return Poll::Ready(Arrived::Signal(*signal));
                }
            }
            children.poll_recv(context).map(|_| Arrived::Child)
        })
        .await
    }
}

const fn bit(signal: Signal) -> u64 {
    1 << (signal.as_raw() - 1)
}

/// The signals that this process ignores, as a set of bits (`proc_pid_status(5)`); elsewhere than on Linux the system does not say.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or_default()
}

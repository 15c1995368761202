//! A child on Windows. The console sends its events to every process of its group: the child gets them by itself.

use std::{future::poll_fn, io, task::Poll};

use tokio::{
    process::{Child, ChildStderr, Command},
    signal::windows::{
        CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown,
    },
};

use super::{ChildCommand, ChildEnding, ChildEvent, StartError};

/// Listens for the console's events, so that none of them ends this process before its child has answered.
#[derive(Debug)]
pub struct Signals {
    interrupt: CtrlC,
    terminate: CtrlBreak,
    close: CtrlClose,
    shutdown: CtrlShutdown,
}

/// The numbers by which a C program knows these events.
const INTERRUPT: i32 = 2;
const BREAK: i32 = 21;
const TERMINATE: i32 = 15;

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: ctrl_c()?,
            terminate: ctrl_break()?,
            close: ctrl_close()?,
            shutdown: ctrl_shutdown()?,
        })
    }

    /// Waits for an event that is to end this process, before there is a child, and gives its number.
    pub async fn ending(&mut self) -> i32 {
        poll_fn(|context| {
            if self.interrupt.poll_recv(context).is_ready() {
                return Poll::Ready(INTERRUPT);
            }
            if self.terminate.poll_recv(context).is_ready() {
                return Poll::Ready(BREAK);
            }
            let closed = self.close.poll_recv(context).is_ready();
            if closed || self.shutdown.poll_recv(context).is_ready() {
                return Poll::Ready(TERMINATE);
            }
            Poll::Pending
        })
        .await
    }
}

/// A child that was started.
#[derive(Debug)]
pub struct RunningChild {
    child: Child,
}

impl RunningChild {
    /// Starts a command. The events are listened for before, so that none is lost.
    ///
    /// # Errors
    ///
    /// There is no such program, or it cannot be run.
    pub fn start(command: &ChildCommand<'_>, _signals: &Signals) -> Result<Self, StartError> {
        let child = Command::from(command.prepared()).spawn();
        Ok(Self { child: child.map_err(|error| StartError::of(error, command))? })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Its standard error, where it is piped.
    pub fn take_errors(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// The system does not tell of its children.
    pub async fn wait(&mut self, signals: &mut Signals) -> io::Result<ChildEnding> {
        loop {
            if let ChildEvent::Ended(ending) = self.next(signals).await? {
                return Ok(ending);
            }
        }
    }

    /// Waits for its end, or for an event of the console, which the child gets too.
    ///
    /// # Errors
    ///
    /// The system does not tell of its children.
    pub async fn next(&mut self, signals: &mut Signals) -> io::Result<ChildEvent> {
        tokio::select! {
            ended = self.child.wait() => {
                Ok(ChildEvent::Ended(ChildEnding::Code(ended?.code().unwrap_or(1))))
            }
            number = signals.ending() => Ok(ChildEvent::Signaled(number)),
        }
    }

    /// Ends the child. There is no way to ask it to.
    pub fn end(&mut self, _at_once: bool) {
        let _ = self.child.start_kill();
    }
}

//! `wif`: takes a snapshot of the environment, reads the arguments, calls, and says how it ended.
#![forbid(unsafe_code)]

use std::{io, process::ExitCode, sync::Arc};

use clap::Parser as _;
use tracing_subscriber::{filter, fmt::MakeWriter, layer::SubscriberExt as _, util::SubscriberInitExt as _};
use wif::{
    agent::commands::{Commands, Completion, Line},
    cli::{Arguments, Command, Stage},
    clock,
    env::Env,
    error::{Code, Failure},
    process, task,
    world::World,
};

fn main() -> ExitCode {
    let Command::Task(stage) = Arguments::parse().command;
    report_panics();
    // The system tells a process that cannot be read no longer where its program is.
    let program = std::env::current_exe().ok();
    process::forbid_reading();
    let env = Env::of_process();
    if env.is_true("SYSTEM_DEBUG") {
        write_debug_lines();
    }
    let mut world =
        World { env, program, clock: Arc::new(clock::System::new()), out: Box::new(io::stdout()) };
    let ended = tokio::runtime::Builder::new_current_thread().enable_all().build().and_then(|runtime| {
        let ended = runtime.block_on(run(stage, &mut world));
        // A name that is still being resolved would hold the end up for as long as the resolver likes.
        runtime.shutdown_background();
        ended
    });
    // Without standard output there is nobody to tell.
    if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a stage. A failure is told to the agent and is no failure of the process, since the agent would add an
/// error of its own that explains nothing.
async fn run(stage: Stage, world: &mut World) -> io::Result<()> {
    let ended = match stage {
        Stage::Post => task::post::post(world).map(|()| Some(Ok(())))?,
        Stage::Run => tokio::select! {
            result = task::run::run(world) => Some(result),
            () = cancelled() => None,
        },
    };
    let mut commands = Commands::new(&mut *world.out, &world.env);
    match ended {
        Some(Ok(())) => commands.complete(Completion::Succeeded),
        Some(Err(failure)) => {
            commands.error(failure.code, &failure.to_string())?;
            commands.complete(Completion::Failed)
        }
        None => {
            commands.line("Cancelled: nothing is left behind")?;
            commands.complete(Completion::Canceled)
        }
    }
}

/// The agent sends SIGINT and then SIGTERM, or `CTRL_C` and `CTRL_BREAK`.
async fn cancelled() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(windows)]
    {
        use tokio::signal::windows::{ctrl_break, ctrl_c};
        let (Ok(mut interrupt), Ok(mut terminate)) = (ctrl_c(), ctrl_break()) else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// A panic message may quote anything, so only its place is told.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let hint = "report this place and the version at https://github.com/wif-azure/wif/issues";
        let failure = Failure::new(Code::Bug, format!("a bug at {place}"), hint);
        let mut out = io::stdout();
        let mut commands = Commands::new(&mut out, &Env::default());
        // The program is ending already.
        let _ = commands.error(failure.code, &failure.to_string());
        let _ = commands.complete(Completion::Failed);
    }));
}

/// Our own events only: those of the libraries may hold headers.
fn write_debug_lines() {
    let format = tracing_subscriber::fmt::layer()
        .with_writer(DebugLines)
        .with_ansi(false)
        .without_time()
        .with_level(false)
        .with_target(false);
    let ours = filter::Targets::new().with_target("wif", tracing::Level::TRACE);
    tracing_subscriber::registry().with(ours).with(format).init();
}

/// Writes each event as a debug line of the agent.
struct DebugLines;

impl<'a> MakeWriter<'a> for DebugLines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl io::Write for DebugLines {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let mut out = io::stdout();
        text.lines().try_for_each(|line| writeln!(out, "##[debug]{}", Line(line)))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

//! `wif-operator`: takes a snapshot of the environment, reads the arguments, calls, and says how it ended.
#![forbid(unsafe_code)]

use std::{
    cell::Cell,
    ffi::OsString,
    io::{self, IsTerminal as _},
    process::ExitCode,
    sync::Arc,
};

use clap::ValueEnum as _;
use tokio::runtime;
use wif_core::{
    code::Code,
    failure::{Failure, Place},
};
use wif_io::{
    clock::{self, Clock},
    env::Env,
    process,
};
use wif_operator::{
    cli::{self, Arguments, ColorChoice, Command, Host, TaskStage, Terminal, Unparsed},
    look::Look,
    read::progress::Progress,
};

fn main() -> ExitCode {
    let arguments = match cli::parse::<Arguments>(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(unparsed) => return tell(&unparsed),
    };
    report_panics();
    process::forbid_reading();
    let ended = runtime::Builder::new_current_thread().enable_all().build().map(|runtime| {
        let ended = runtime.block_on(run(&arguments));
        // Name resolution runs on a blocking thread that cannot be canceled: do not wait for it on exit.
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(failure)) => {
            complain(&failure);
            ExitCode::from(failure.exit_code())
        }
        Err(error) => {
            complain(&Failure::new(Code::Bug, error, "run the command again"));
            ExitCode::FAILURE
        }
    }
}

/// What the terminal has, and the user wants.
fn look(color: ColorChoice) -> Look {
    let is_terminal = stdout().is_terminal();
    let is_colored = is_colored(color, is_terminal);
    let size = if is_terminal { terminal_size::terminal_size() } else { None };
    Look::new(is_colored, size.map(|(width, _)| width.0.into()))
}

/// Whether a stream gets colors.
fn is_colored(color: ColorChoice, is_terminal: bool) -> bool {
    let is_colored = match color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            is_terminal && !anstyle_query::no_color() && anstyle_query::term_supports_ansi_color()
        }
    };
    #[cfg(windows)]
    if is_colored {
        // A console that does not know them shows them as they are.
        let _ = anstyle_query::windows::enable_ansi_colors();
    }
    is_colored
}

async fn run(Arguments { color, command }: &Arguments) -> Result<u8, Failure> {
    let (env, clock): (_, Arc<dyn Clock>) = (Env::of_process(), Arc::new(clock::System::new()));
    let mut out = stdout();
    let talk: (Box<dyn io::Write + Send>, bool) = match command {
        // A task's log keeps the order of one stream only.
        Command::Task { .. } => (Box::new(stdout()), false),
        _ => (Box::new(io::stderr()), io::stderr().is_terminal()),
    };
    let talk = Progress::new(talk.0, talk.1, Arc::clone(&clock));
    let mut host = Host {
        env: &env,
        clock: &clock,
        out: &mut out,
        talk: &talk,
        tokens: None,
        look: look(*color),
        is_interrupted: Cell::new(false),
    };
    match command {
        Command::Audit(arguments) => cli::audit(arguments, &mut host).await.map(|audited| audited.code),
        Command::Inventory(arguments) => cli::inventory(arguments, &mut host).await,
        Command::Task { stage: TaskStage::Run } => {
            // Without standard output the agent is told nothing more.
            Ok(u8::from(cli::run_task(&mut host).await.is_err()))
        }
        #[cfg(feature = "change")]
        Command::Change(command) => cli::change(command, &mut host).await,
        Command::Schema(command) => cli::schema(*command, &mut host),
        Command::Explain { code, json, now: _ } => {
            let (mut log, mut out) = (io::stdin().lock(), stdout());
            let terminal = terminal(out.is_terminal());
            let mut screen = wif::cli::Screen::new(&mut out).at(terminal);
            cli::explain(code.as_deref(), *json, &mut log, &mut screen).map(|()| 0)
        }
    }
}

/// The process's standard output. All other code writes to a [`Host`] or a [`Screen`].
#[expect(clippy::disallowed_methods, reason = "this is the program's standard output")]
fn stdout() -> io::Stdout {
    io::stdout()
}

/// Shows what is wrong with the arguments, or the help that they ask for.
fn tell(unparsed: &Unparsed) -> ExitCode {
    let (mut out, mut errors) = (stdout(), io::stderr());
    let terminal = terminal(if unparsed.is_error { errors.is_terminal() } else { out.is_terminal() });
    let stream: &mut dyn io::Write = if unparsed.is_error { &mut errors } else { &mut out };
    let mut screen = wif::cli::Screen::new(stream).at(terminal);
    let text = unparsed.text.trim_end();
    let written = if unparsed.is_help { screen.help(text) } else { screen.painted(text) };
    match written {
        Err(error) if !unparsed.is_error => {
            let failure = wif::cli::unwritable(error);
            complain(&failure);
            return ExitCode::from(failure.exit_code());
        }
        // Without standard error the exit code says it.
        _ => {}
    }
    ExitCode::from(unparsed.exit)
}

/// How people see a stream that is a terminal, or is none.
fn terminal(is_terminal: bool) -> Terminal {
    let size = if is_terminal { terminal_size::terminal_size() } else { None };
    let terminal = Terminal::new(&Env::of_process(), is_terminal, size.map(|(width, _)| width.0.into()));
    terminal.with_colors(is_colored(color_of(std::env::args_os().skip(1)), is_terminal))
}

/// What the arguments say of colors, also where they are wrong otherwise, or ask for help.
fn color_of(mut arguments: impl Iterator<Item = OsString>) -> ColorChoice {
    while let Some(argument) = arguments.next() {
        let value = match argument.to_str() {
            Some("--") => break,
            Some("--color") => arguments.next(),
            Some(text) => text.strip_prefix("--color=").map(OsString::from),
            None => None,
        };
        if let Some(choice) = value.and_then(|value| ColorChoice::from_str(value.to_str()?, true).ok()) {
            return choice;
        }
    }
    ColorChoice::Auto
}

/// Shows a failure on standard error. Without it, the exit code says it.
fn complain(failure: &Failure) {
    let text = failure.shown(Place::of(Env::of_process().is_true("TF_BUILD")));
    let mut errors = io::stderr();
    let terminal = terminal(errors.is_terminal());
    let _ = wif::cli::Screen::new(&mut errors).at(terminal).painted(&format!("error {text}"));
}

/// A panic message may quote anything, so only its place is told. The process ends here and as well as it can: an abort would be
/// a second error, and a file with its memory.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let hint = "report this place and the version at https://github.com/wif-azure/wif/issues";
        complain(&Failure::new(Code::Bug, format!("a bug at {place}"), hint));
        #[expect(
            clippy::exit,
            clippy::disallowed_methods,
            reason = "nothing can be trusted to run any more"
        )]
        std::process::exit(1);
    }));
}

//! `wif`: takes a snapshot of the environment, reads the arguments, runs the command, and shows the result.
#![forbid(unsafe_code)]

#[cfg(unix)]
use std::os::fd::AsFd;
use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use tokio::runtime;
use tracing_subscriber::{filter, fmt::MakeWriter, layer::SubscriberExt as _, util::SubscriberInitExt as _};
use wif::{
    agent::{
        commands::{Commands, Completion},
        script_inputs,
    },
    cli::{
        self, Arguments, Command, CredentialArguments, DoctorArguments, ExecArguments, KubeconfigArguments,
        OperatorArguments, Screen, Stage, Streams, Terminal, TrustCommand, Unparsed,
    },
    exec::{self, Machine},
    session,
    task::{self, run::Ended},
    world::World,
};
use wif_core::{
    code::Code,
    failure::{Failure, Place},
};
use wif_io::{child::Signals, clock, env::Env, private_folder, process, terminal};

fn main() -> ExitCode {
    let command = match cli::parse::<Arguments>(std::env::args_os()) {
        Ok(arguments) => arguments.command,
        Err(unparsed) => return show_unparsed(&unparsed),
    };
    report_panics(match command {
        Command::Task(stage) => Some(stage),
        _ => None,
    });
    // Must come before `forbid_reading`: a process that is not dumpable cannot read its own `/proc/self/exe`.
    let program = std::env::current_exe().ok().or_else(started_as);
    if let Some((name, given)) = command.of_operator() {
        return operator(name, given, program.as_deref());
    }
    match command {
        Command::Broker => process::forbid_tracing(),
        // The limits of this process are its command's too, and those of the script that a step runs.
        Command::Exec(_) => process::forbid_reading_of_memory(),
        Command::Task(Stage::Run) if script_inputs::is_given(&Env::of_process()) => {
            process::forbid_reading_of_memory();
        }
        _ => process::forbid_reading(),
    }
    let exit_code = runtime::Builder::new_current_thread().enable_all().build().and_then(|runtime| {
        let exit_code = runtime.block_on(async {
            match &command {
                Command::Task(stage) => run(*stage, program).await.map(|()| ExitCode::SUCCESS),
                Command::Broker => broker().await.map(|()| ExitCode::SUCCESS),
                Command::Token { .. } | Command::Status { .. } => Ok(ask(&command).await),
                Command::Doctor(arguments) => Ok(doctor(arguments).await),
                Command::Exec(arguments) if arguments.is_diagnosis() => Ok(diagnose_exec(arguments).await),
                Command::Exec(arguments) => exec(arguments, program).await,
                Command::Credential(arguments) => Ok(credential(arguments).await),
                Command::Kubeconfig(arguments) => Ok(kubeconfig(arguments).await),
                Command::Trust(command) => Ok(trust(command).await),
                Command::Explain { code, json, now: _ } => {
                    let (mut log, mut out) = (io::stdin().lock(), stdout());
                    let terminal = terminal(&out);
                    let mut screen = Screen::new(&mut out).at(terminal);
                    Ok(exit_code_of(cli::explain(code.as_deref(), *json, &mut log, &mut screen)))
                }
                // The others were handed over before.
                _ => Ok(ExitCode::FAILURE),
            }
        });
        // Name resolution runs on a blocking thread that cannot be canceled: do not wait for it on exit.
        runtime.shutdown_background();
        exit_code
    });
    // The error was about standard output, so it cannot be written there.
    exit_code.unwrap_or(ExitCode::FAILURE)
}

/// The process's standard output. All other code writes to a [`World`] or a [`Screen`].
#[expect(clippy::disallowed_methods, reason = "this is the program's standard output")]
fn stdout() -> io::Stdout {
    io::stdout()
}

/// How people see a stream.
#[cfg(unix)]
fn terminal(stream: &(impl IsTerminal + AsFd)) -> Terminal {
    Terminal::new(&Env::of_process(), stream.is_terminal(), terminal::columns(stream))
}

/// How people see a stream.
#[cfg(not(unix))]
fn terminal(stream: &impl IsTerminal) -> Terminal {
    Terminal::new(&Env::of_process(), stream.is_terminal(), terminal::columns(stream))
}

/// The program's path from its first argument, if that is absolute: the fallback without `/proc`.
fn started_as() -> Option<PathBuf> {
    std::env::args_os().next().map(PathBuf::from).filter(|name| name.is_absolute())
}

/// Hands a command over to the operators' program.
fn operator(name: &str, given: &OperatorArguments, own: Option<&Path>) -> ExitCode {
    match cli::operator(name, &given.arguments, own, &Env::of_process()) {
        Ok(code) => ExitCode::from(code),
        Err(text) => {
            // Without standard error the exit code says it.
            let _ = Screen::new(&mut io::stderr()).text(&format!("error: {text}"));
            ExitCode::from(2)
        }
    }
}

/// Serves the tokens of a session.
async fn broker() -> io::Result<()> {
    let mut signals = Signals::listen()?;
    let asked_to_end = async move {
        signals.ending().await;
    };
    session::serve::serve(Arc::new(clock::System::new()), asked_to_end).await
}

/// Asks the broker of this job's session.
async fn ask(command: &Command) -> ExitCode {
    let (mut out, env) = (stdout(), Env::of_process());
    // The search looks at every process above this one.
    let masks_token = matches!(command, Command::Token { no_mask: false, .. }) && env.is_true("TF_BUILD");
    let job = env.get("VSTS_PROCESS_LOOKUP_ID").filter(|_| masks_token);
    let mut masks = process::MaskOutput::of_step(job);
    exit_code_of(cli::ask(command, &env, &clock::System::new(), &mut Screen::new(&mut out), &mut masks).await)
}

/// Answers a tool that asks for credentials.
async fn credential(arguments: &CredentialArguments) -> ExitCode {
    let (mut out, env) = (stdout(), Env::of_process());
    let job = env.get("VSTS_PROCESS_LOOKUP_ID").filter(|_| env.is_true("TF_BUILD"));
    let mut masks = process::MaskOutput::of_step(job);
    let mut streams = Streams { input: &mut io::stdin(), out: Screen::new(&mut out), masks: &mut masks };
    match cli::credential(arguments, &env, &clock::System::new(), &mut streams).await {
        Ok(code) => ExitCode::from(code),
        Err(failure) => exit_code_of(Err(failure)),
    }
}

/// Prints a kubeconfig.
async fn kubeconfig(arguments: &KubeconfigArguments) -> ExitCode {
    let (env, clock) = (Env::of_process(), Arc::new(clock::System::new()));
    match cli::kubeconfig(arguments, &env, clock, &mut Screen::new(&mut stdout())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            print_failure(&failure);
            ExitCode::from(exec::exit_code(&failure))
        }
    }
}

/// Runs a command in a session of its own.
async fn exec(arguments: &ExecArguments, program: Option<PathBuf>) -> io::Result<ExitCode> {
    // Listened for before there is anything to leave behind.
    let signals = Signals::listen()?;
    let (env, clock) = (Env::of_process(), Arc::new(clock::System::new()));
    let job = env.get("VSTS_PROCESS_LOOKUP_ID").filter(|_| env.is_true("TF_BUILD"));
    let mut masks = process::MaskOutput::of_step_or_own(job);
    let machine = Machine { env: &env, program, clock, errors: &mut io::stderr(), masks: &mut masks };
    let code = match exec::run(machine, &arguments.into(), signals).await {
        exec::Ended::Command(code) => code,
        exec::Ended::Signal(number) => 128 + number,
        exec::Ended::Failed { failure, exit_code } => {
            print_failure(&failure);
            exit_code.into()
        }
    };
    Ok(exit_code(code))
}

/// Prints what another party has to trust.
async fn trust(command: &TrustCommand) -> ExitCode {
    let (env, clock) = (Env::of_process(), Arc::new(clock::System::new()));
    let (mut out, mut errors) = (stdout(), io::stderr());
    match cli::trust(command, &env, clock, &mut errors, &mut Screen::new(&mut out)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            print_failure(&failure);
            ExitCode::from(exec::exit_code(&failure))
        }
    }
}

/// The exit code of a command. On Windows it has 32 bits, which no [`ExitCode`] can hold; everything is ended by now.
fn exit_code(code: i32) -> ExitCode {
    if let Ok(code) = u8::try_from(code) {
        return ExitCode::from(code);
    }
    #[expect(clippy::exit, clippy::disallowed_methods, reason = "there is no other way to tell such a code")]
    std::process::exit(code)
}

/// Checks a connection, or what a step of a job finds. The exit code says how bad it is.
async fn doctor(arguments: &DoctorArguments) -> ExitCode {
    let clock = Arc::new(clock::System::new());
    let (mut out, mut errors) = (stdout(), io::stderr());
    let (terminal, mut errors) = (terminal(&out), Screen::new(&mut errors));
    let mut out = Screen::new(&mut out).at(terminal);
    match cli::doctor(arguments, &Env::of_process(), clock, &mut out, &mut errors).await {
        Ok(severity) => ExitCode::from(severity),
        Err(failure) => exit_code_of(Err(failure)),
    }
}

/// Checks what a command would be signed in by. The exit code says how bad it is.
async fn diagnose_exec(arguments: &ExecArguments) -> ExitCode {
    let (env, clock) = (Env::of_process(), Arc::new(clock::System::new()));
    let (mut out, mut errors) = (stdout(), io::stderr());
    let terminal = terminal(&out);
    match cli::diagnose_exec(arguments, &env, clock, &mut Screen::new(&mut out).at(terminal), &mut errors)
        .await
    {
        Ok(severity) => ExitCode::from(severity),
        Err(failure) => {
            print_failure(&failure);
            ExitCode::from(exec::exit_code(&failure))
        }
    }
}

/// Shows what is wrong with the arguments, or the help that they ask for.
fn show_unparsed(unparsed: &Unparsed) -> ExitCode {
    let (mut out, mut errors) = (stdout(), io::stderr());
    let (stream, terminal): (&mut dyn io::Write, _) = if unparsed.is_error {
        let terminal = terminal(&errors);
        (&mut errors, terminal)
    } else {
        let terminal = terminal(&out);
        (&mut out, terminal)
    };
    let mut screen = Screen::new(stream).at(terminal);
    let text = unparsed.text.trim_end();
    let written = if unparsed.is_help { screen.help(text) } else { screen.painted(text) };
    match written {
        Err(error) if !unparsed.is_error => return exit_code_of(Err(cli::unwritable(error))),
        // Without standard error the exit code says it.
        _ => {}
    }
    ExitCode::from(unparsed.exit)
}

/// Shows a failure on standard error.
fn print_failure(failure: &Failure) {
    let text = failure.shown(Place::of(Env::of_process().is_true("TF_BUILD")));
    let mut errors = io::stderr();
    let terminal = terminal(&errors);
    // Without standard error the exit code says it.
    let _ = Screen::new(&mut errors).at(terminal).painted(&format!("error {text}"));
}

/// Shows a failure of a command. The exit code says whose fault it is.
fn exit_code_of(result: Result<(), Failure>) -> ExitCode {
    let Err(failure) = result else { return ExitCode::SUCCESS };
    print_failure(&failure);
    ExitCode::from(failure.exit_code())
}

/// Runs a stage. A failure is told to the agent and is no failure of the process, since the agent would add an
/// error of its own that explains nothing.
async fn run(stage: Stage, program: Option<PathBuf>) -> io::Result<()> {
    // Listened for before there is anything to leave behind.
    let mut signals = Signals::listen()?;
    let env = Env::of_process();
    if env.is_true("SYSTEM_DEBUG") {
        write_debug_lines();
    }
    let clock = Arc::new(clock::System::new());
    let mut world = World { env, program, clock, out: Box::new(stdout()) };
    let mut text = "";
    let outcome = match stage {
        Stage::Post => {
            // Whatever the variables say, only what is a session's own is ended and removed.
            task::post::post(&mut world).await?;
            Some(task::post::check(&world.env))
        }
        Stage::Run => match task::run::run(&mut world, &mut signals).await {
            Ok(Ended::Canceled) => None,
            Ok(ended) => {
                if ended == Ended::ScriptSucceeded {
                    text = "Script exited with return code: 0";
                }
                Some(Ok(()))
            }
            Err(failure) => Some(Err(failure)),
        },
    };
    let mut commands = Commands::new(&mut *world.out, &world.env);
    match outcome {
        Some(Ok(())) => commands.complete_with(Completion::Succeeded, text),
        Some(Err(failure)) => {
            commands.error(failure.code, &failure.to_string())?;
            let is_of_script = failure.code == Code::ScriptFailed;
            let text = if is_of_script { failure.story() } else { String::new() };
            commands.complete_with(Completion::Failed, &text)
        }
        None => {
            commands.line("Canceled: nothing is left behind")?;
            commands.complete(Completion::Canceled)
        }
    }
}

/// A panic message may quote anything, so only its place is told. The process ends here and as well as it can: an
/// abort would be a second error, and a file with its memory.
fn report_panics(stage: Option<Stage>) {
    std::panic::set_hook(Box::new(move |panic| {
        private_folder::remove_all();
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let hint = "report this place and the version at https://github.com/wif-azure/wif/issues";
        let failure = Failure::new(Code::Bug, format!("a bug at {place}"), hint);
        let mut out = stdout();
        let mut commands = Commands::new(&mut out, &Env::default());
        // The program is ending already.
        let _ = match stage {
            Some(Stage::Run) => commands
                .error(failure.code, &failure.to_string())
                .and_then(|()| commands.complete(Completion::Failed)),
            Some(Stage::Post) => commands.warning(&failure.to_string()),
            // A command's standard output may be captured as a token.
            None => Screen::new(&mut io::stderr()).text(&format!("error {failure}")),
        };
        #[expect(
            clippy::exit,
            clippy::disallowed_methods,
            reason = "nothing can be trusted to run any more"
        )]
        std::process::exit(i32::from(stage.is_none()));
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
        let (mut out, env) = (stdout(), Env::default());
        let mut commands = Commands::new(&mut out, &env);
        text.lines().try_for_each(|line| commands.debug(line))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        stdout().flush()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::Stage;

    /// Runs a test that panics, in a process of its own, since the hook ends it.
    fn panicking(name: &str) -> (bool, String) {
        let mut test = Command::new(std::env::current_exe().unwrap());
        let test = test.args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"]);
        let output = test.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    #[test]
    #[ignore = "it panics: another test runs it"]
    fn a_step_that_panics() {
        super::report_panics(Some(Stage::Run));
        panic!("the secret is {}", ["hunt", "er2"].concat());
    }

    #[test]
    #[ignore = "it panics: another test runs it"]
    fn a_broker_that_panics() {
        super::report_panics(None);
        let lengths: Vec<usize> = Vec::new();
        assert_eq!(lengths.len(), 2, "the secret is {}", ["hunt", "er2"].concat());
    }

    #[test]
    fn a_panic_of_the_step_tells_its_place_only_and_fails_the_step_without_failing_the_process() {
        let (success, said) = panicking("tests::a_step_that_panics");
        assert!(success, "{said}");
        assert!(said.contains("##vso[task.logissue type=error;code=WIF9001]"), "{said}");
        assert!(said.contains("a bug at src/main.rs:") && !said.contains("hunter2"), "{said}");
        assert!(said.contains("##vso[task.complete result=Failed]"), "{said}");
    }

    #[test]
    fn a_panic_of_another_command_tells_its_place_only() {
        let (success, said) = panicking("tests::a_broker_that_panics");
        assert!(!success, "{said}");
        assert!(said.contains("error WIF9001: a bug at src/main.rs:"), "{said}");
        assert!(!said.contains("hunter2") && !said.contains("##vso"), "{said}");
    }
}

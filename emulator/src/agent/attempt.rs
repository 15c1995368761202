//! One attempt of a stage: the child process, and the result of its end (`TaskRunner.cs`, `NodeHandler.cs`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::job_start::JobContext;
use super::process::{self, Launch, Limits, Stop};
use super::report::{JobResult, StepResult};
use super::running::RunningStage;
use super::step::{Condition, Kind, Shell, Step};
use super::task_json::TaskDefinition;
use super::{clock, environment, inputs, script};

/// Runs a stage until it succeeds or no retries are left. Variables and masks of a failed attempt stay
/// (`RetryHelper.cs`).
pub(super) fn run_with_retries(
    running: &mut RunningStage<'_>,
    step: &Step,
    task: Option<&(PathBuf, TaskDefinition)>,
    given: &[(String, String)],
    condition: Condition,
) -> StepResult {
    if let Some((_, definition)) = task {
        write_header(running, definition);
    }
    let deadline = step.timeout.map(|timeout| clock::now() + timeout);
    let mut attempt = 0;
    loop {
        attempt += 1;
        running.result = None;
        let (launch, wrapped) = match (task, &step.kind) {
            (Some((folder, definition)), _) => (prepare_task(running, step, folder, definition, given), None),
            (None, Kind::Script { text, shell }) => prepare_script(running, step, *shell, text),
            (None, Kind::Task { .. }) => unreachable!("a task is planned with its definition"),
        };
        let result = match launch {
            Ok(prepared) => run_once(running, &prepared, wrapped, deadline, condition),
            Err(message) => {
                running.error(&message);
                StepResult::Failed
            }
        };
        let result =
            if running.command_failed { StepResult::merge(Some(result), StepResult::Failed) } else { result };
        if result == StepResult::Failed && attempt <= step.retries && !timed_out(deadline) {
            let wait = running.job.agent.retry_unit * attempt * attempt;
            running.warning(&format!(
                "RetryHelper encountered task failure, will retry (attempt #: {attempt}) after {wait:?}"
            ));
            running.command_failed = false;
            if pause(running.job, wait, condition) {
                continue;
            }
        }
        let forgiven = result == StepResult::Failed && step.continue_on_error;
        return if forgiven { StepResult::SucceededWithIssues } else { result };
    }
}

/// Waits; returns `false` when the job is canceled meanwhile.
fn pause(job: &JobContext, wait: Duration, condition: Condition) -> bool {
    let end = clock::now() + wait;
    while clock::now() < end {
        if job.cancel.load(Ordering::SeqCst) && !condition.holds(JobResult::Canceled) {
            return false;
        }
        thread::sleep(Duration::from_millis(20).min(wait));
    }
    true
}

fn timed_out(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| clock::now() >= deadline)
}

/// The process to start.
struct Prepared {
    program: PathBuf,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    folder: PathBuf,
}

fn prepare_task(
    running: &mut RunningStage<'_>,
    step: &Step,
    folder: &Path,
    definition: &TaskDefinition,
    given: &[(String, String)],
) -> Result<Prepared, String> {
    let job = &*running.job;
    let handler = definition.handler(running.report.stage, folder).ok_or(
        "The current operating system is not capable of running this task. That typically means the task was \
         written for Windows only. For example, written for Windows Desktop PowerShell.",
    )?;
    let program = job.agent.node.clone().ok_or("There is no node on this machine's PATH.")?;
    let values = inputs::resolve(definition, given, job);
    let environment = environment::of_task(job, &step.env, definition, &values, running.task_variables);
    let folder = working_directory(job, handler.working_directory.as_deref());
    Ok(Prepared { program, arguments: vec![handler.target.display().to_string()], environment, folder })
}

fn prepare_script(
    running: &mut RunningStage<'_>,
    step: &Step,
    shell: Shell,
    text: &str,
) -> (Result<Prepared, String>, Option<&'static str>) {
    let written = script::write(running.job, shell, text);
    let name = written.as_ref().map_or("", |written| written.shell);
    let prepared = written.map(|written| Prepared {
        program: written.program,
        arguments: written.arguments,
        environment: environment::of_script(running.job, &step.env),
        folder: working_directory(running.job, step.working_directory.as_deref()),
    });
    if let Ok(Prepared { program, arguments, .. }) = &prepared {
        let line = format!("##[command]{} {}", program.display(), arguments.join(" "));
        running.write("========================== Starting Command Output ===========================");
        running.write(&line);
    }
    (prepared, Some(name))
}

/// The folder that the process starts in, which is never the task's own (`NodeHandler.cs`).
fn working_directory(job: &JobContext, given: Option<&str>) -> PathBuf {
    let sources = job.agent.sources_folder();
    let given = given.map(|given| job.variables.expand(given, &job.agent.machine));
    given.map_or_else(|| sources.clone(), |given| sources.join(given))
}

fn run_once(
    running: &mut RunningStage<'_>,
    prepared: &Prepared,
    wrapped: Option<&str>,
    deadline: Option<Instant>,
    condition: Condition,
) -> StepResult {
    let limits = limits(running.job, wrapped.is_some(), deadline, condition);
    running.observe_at = Some(clock::now() + Duration::from_millis(150));
    let mut line = running.job.agent.container.clone();
    line.push(prepared.program.to_string_lossy().into_owned());
    line.extend_from_slice(&prepared.arguments);
    let (program, arguments) = line.split_first().expect("at least the program itself");
    let launch = Launch {
        program: Path::new(program),
        arguments,
        environment: &prepared.environment,
        folder: &prepared.folder,
    };
    let ended = match process::run(&launch, &limits, running) {
        Ok(ended) => ended,
        Err(error) => {
            running.error(&format!("{}: {error}", prepared.program.display()));
            return StepResult::Failed;
        }
    };
    let name = running.report.name.clone();
    running.job.observe(&name);
    running.report.exit_code = ended.code;
    running.report.output_held_open = ended.held_open;
    match ended.stop {
        Some(Stop::Canceled) => {
            running.error("The operation was canceled.");
            return StepResult::Canceled;
        }
        Some(Stop::TimedOut) => {
            running.error("The task has timed out.");
            return StepResult::Failed;
        }
        None => {}
    }
    // .NET reports a signal as an exit code too, so the step fails in the same way.
    if ended.exited && ended.code != Some(0) {
        let code = ended.code.map_or_else(|| "137".to_owned(), |code| code.to_string());
        if let Some(shell) = wrapped {
            running.error(&format!("{shell} exited with code '{code}'."));
        } else {
            running.error(&format!(
                "Exit code {code} returned from process: file name '{}', arguments '\"{}\"'.",
                prepared.program.display(),
                prepared.arguments.join(" ")
            ));
        }
        return StepResult::Failed;
    }
    running.result.unwrap_or(StepResult::Succeeded)
}

fn limits(job: &JobContext, behind_wrapper: bool, deadline: Option<Instant>, condition: Condition) -> Limits {
    let milliseconds = |name, default| {
        let text = job.variables.value(name).or_else(|| job.agent.machine.get(name).map(String::as_str));
        Duration::from_millis(text.and_then(|text| text.trim().parse().ok()).unwrap_or(default))
    };
    Limits {
        // A step whose condition holds in a canceled job is not stopped.
        cancel: (!condition.holds(JobResult::Canceled)).then(|| Arc::clone(&job.cancel)),
        deadline,
        interrupt: milliseconds("PROCESS_SIGINT_TIMEOUT", 7_500),
        terminate: milliseconds("PROCESS_SIGTERM_TIMEOUT", 2_500),
        only_interrupt: job.variables.knob("USE_GRACEFUL_PROCESS_SHUTDOWN", &job.agent.machine, false),
        behind_wrapper,
    }
}

fn write_header(running: &mut RunningStage<'_>, definition: &TaskDefinition) {
    let rule = "=".repeat(78);
    let help = if definition.help_url.is_empty() { &definition.help_mark_down } else { &definition.help_url };
    let version = definition.version();
    running.write_unmasked(&rule);
    for (title, text) in [
        ("Task        ", &definition.friendly_name),
        ("Description ", &definition.description),
        ("Version     ", &version),
        ("Author      ", &definition.author),
        ("Help        ", help),
    ] {
        running.write_unmasked(&format!("{title} : {text}"));
    }
    running.write_unmasked(&rule);
}

//! How processes are stopped, and how those that outlive the job are killed.

use std::time::Duration;

use emulator::agent::StepResult::{Canceled, Skipped, Succeeded};
use emulator::agent::{Agent, Condition, JobResult, Step};

use crate::fixture::{in_order, message, run, task, variable};

#[test]
fn a_canceled_job_stops_its_step_skips_the_rest_and_still_runs_post_stages() {
    let task = task(
        "process.on('SIGINT', () => { console.log('got SIGINT'); process.exit(0); });
         setInterval(() => {}, 1000); console.log('ready');",
        "console.log('cleaned, job is ' + process.env.AGENT_JOBSTATUS)",
    );
    let steps = [
        Step::task(task.path(), &[]),
        Step::script("echo never"),
        Step::script("echo still").condition(Condition::Always),
    ];
    let job = Agent::new().start(&message(), &steps);
    job.wait_for_line(|line| line == "ready");
    job.cancel();
    let report = job.finish();
    assert_eq!(report.result, JobResult::Canceled);
    let results: Vec<_> = report.steps.iter().map(|step| step.result).collect();
    assert_eq!(results, [Canceled, Skipped, Succeeded, Succeeded]);
    in_order(&report.log, &["got SIGINT", "operation was canceled", "still", "cleaned, job is Canceled"]);
    assert!(report.killed_orphans.is_empty(), "{:?}", report.killed_orphans);
}

#[test]
fn signals_grow_stronger_until_the_process_ends() {
    let task = task(
        "process.on('SIGINT', () => console.log('no')); setInterval(() => {}, 1000); console.log('up')",
        "",
    );
    let mut message = message();
    message.variables.push(variable("PROCESS_SIGINT_TIMEOUT", "200", false));
    let job = Agent::new().start(&message, &[Step::task(task.path(), &[])]);
    job.wait_for_line(|line| line == "up");
    job.cancel();
    let report = job.finish();
    assert_eq!((report.steps[0].result, report.steps[0].exit_code), (Canceled, None));
    in_order(&report.log, &["will be canceled", "no", "##[error]The operation was canceled."]);
}

#[test]
fn a_step_that_takes_too_long_fails() {
    let task = task("setInterval(() => {}, 1000)", "");
    let report = run(&[Step::task(task.path(), &[]).timeout(Duration::from_millis(300))]);
    assert_eq!(report.result, JobResult::Failed);
    assert_eq!(report.steps[0].errors(), ["The task has timed out."]);
}

#[cfg(target_os = "linux")]
#[test]
fn what_outlives_the_job_is_killed_and_was_seen_with_its_environment() {
    let task = task(
        "const child = require('child_process').spawn('sleep', ['1000'], {detached: true, stdio: 'ignore'});
         child.unref(); console.log('##vso[task.setvariable variable=child]' + child.pid);",
        "",
    );
    let report =
        run(&[Step::task(task.path(), &[("connection", "sc-prod")]), Step::script("kill -0 $CHILD")]);
    assert_eq!(report.result, JobResult::Succeeded, "{}", report.log);
    let [orphan] = &report.killed_orphans[..] else { panic!("{:?}", report.killed_orphans) };
    assert_eq!(orphan.arguments, ["sleep", "1000"]);
    assert_eq!(orphan.environment["INPUT_TEXT"], "plain");
    let left = std::fs::read(format!("/proc/{}/cmdline", orphan.pid)).unwrap_or_default();
    assert!(left.is_empty(), "it is gone");
    assert!(report.observed.iter().any(|process| process.pid == orphan.pid && process.step == "Fixture"));
    assert!(report.steps[0].seconds < 4.0, "a detached process keeps no step waiting");
}

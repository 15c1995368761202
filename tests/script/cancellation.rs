//! A step that is canceled while its script runs, or before.

use std::{fs, path::Path, time::Duration};

use emulator::{
    Emulator, Fault, Gate, Service,
    agent::{Agent, JobReport, RunningJob, Step, StepResult},
    job::{JobMessage, Variable},
};

use super::{agent, check, completion, has_line, inline, lines, look};
use crate::support::{block_until, node24};

/// A file by which a script tells a test how far it is.
fn wait_for_file(path: &Path) {
    block_until("the script is there", || path.display().to_string(), || path.exists());
}

#[expect(clippy::disallowed_methods, reason = "the promise is about real time")]
fn cancel(job: RunningJob) -> (JobReport, Duration) {
    let begin = std::time::Instant::now();
    job.cancel();
    (job.finish(), begin.elapsed())
}

fn start(agent: &Agent, message: &JobMessage, step: Step) -> RunningJob {
    agent.start(message, &[step, look()])
}

#[test]
fn a_canceled_script_may_answer_the_signal_in_its_own_time() {
    for node in [None, node24()] {
        let emulator = Emulator::start();
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().display();
        let text = format!(
            "trap 'wif token arm > /dev/null && sleep 2.5; echo cleaned up; exit 0' INT
             touch {folder}/ready; while :; do sleep 0.1; done"
        );
        let mut agent = agent(&emulator);
        if let Some(node) = &node {
            agent = agent.node(node);
        }
        let job = start(&agent, &emulator.job(emulator.usual().connection), inline(&text));
        wait_for_file(&temp.path().join("ready"));
        let (report, took) = cancel(job);
        assert_eq!(report.step("Script").result, StepResult::Canceled, "{}", report.log);
        has_line(&report, "cleaned up");
        assert_eq!(completion(&report).0, "Canceled");
        assert!(took > Duration::from_millis(2500), "{took:?}");
        check(&emulator, &report);
    }
}

#[test]
fn a_script_that_does_not_handle_the_signal_ends_at_once() {
    let emulator = Emulator::start();
    let temp = tempfile::tempdir().unwrap();
    let text = format!("touch {}/ready; sleep 600; echo not here", temp.path().display());
    let job = start(&agent(&emulator), &emulator.job(emulator.usual().connection), inline(&text));
    wait_for_file(&temp.path().join("ready"));
    let (report, took) = cancel(job);
    assert_eq!(report.step("Script").result, StepResult::Canceled, "{}", report.log);
    assert!(!report.log.contains("not here"), "{}", report.log);
    assert!(took < Duration::from_secs(7), "before the agent's next signal: {took:?}");
    check(&emulator, &report);
}

#[test]
fn a_script_that_ignores_every_signal_is_ended() {
    let emulator = Emulator::start();
    let temp = tempfile::tempdir().unwrap();
    let text = format!(
        "trap '' INT TERM HUP; echo $$ > {0}/id; mv {0}/id {0}/ready; while :; do sleep 0.1; done",
        temp.path().display()
    );
    let mut message = emulator.job(emulator.usual().connection);
    for (name, value) in [("PROCESS_SIGINT_TIMEOUT", "1000"), ("PROCESS_SIGTERM_TIMEOUT", "60000")] {
        message.variables.push(Variable { name: name.to_owned(), value: value.to_owned(), secret: false });
    }
    let job = start(&agent(&emulator), &message, inline(&text));
    wait_for_file(&temp.path().join("ready"));
    let (report, took) = cancel(job);
    assert_eq!(report.step("Script").result, StepResult::Canceled, "{}", report.log);
    assert_eq!(completion(&report).0, "Canceled", "this process is not killed itself: {}", report.log);
    assert!(took < Duration::from_secs(30), "{took:?}");
    let id = fs::read_to_string(temp.path().join("ready")).unwrap();
    assert!(!Path::new(&format!("/proc/{}", id.trim())).exists(), "{id}");
    check(&emulator, &report);
}

#[test]
fn canceled_in_the_sign_in_the_step_stops_within_two_seconds_and_runs_nothing() {
    let emulator = Emulator::start();
    let gate = Gate::new();
    emulator.fault(Fault::on(Service::Entra, "POST", "/oauth2/v2.0/token").always().gate(&gate));
    let job = start(&agent(&emulator), &emulator.job(emulator.usual().connection), inline("echo it runs"));
    gate.wait_until_reached(1);
    let (report, took) = cancel(job);
    assert_eq!(report.step("Script").result, StepResult::Canceled, "{}", report.log);
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(!lines(&report).contains(&"it runs"), "{}", report.log);
}

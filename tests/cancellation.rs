//! Canceled: the program stops at once and leaves nothing.

use std::time::{Duration, Instant};

use emulator::{
    Emulator, Fault, Gate, Service,
    agent::{Agent, JobReport, RunningJob, Step, StepResult},
};

use crate::support::{Case, EMULATOR, task_folder};

const PROMISED: Duration = Duration::from_secs(2);

#[expect(clippy::disallowed_methods, reason = "the promise is about real time")]
fn cancel(job: RunningJob) -> (JobReport, Duration) {
    let begin = Instant::now();
    job.cancel();
    (job.finish(), begin.elapsed())
}

#[test]
fn a_canceled_step_stops_and_leaves_no_process_and_no_file() {
    for (service, path) in [(Service::DevOps, "/oidctoken"), (Service::Entra, "/oauth2/v2.0/token")] {
        let emulator = Emulator::start();
        let gate = Gate::new();
        emulator.fault(Fault::on(service, "POST", path).always().gate(&gate));
        let message = emulator.job(emulator.usual().connection);
        let agent = Agent::new().ca_file(emulator.ca_file());
        let inputs = [("azureSubscription", "sc-prod"), ("refresh", "false"), EMULATOR];
        let job = agent.start(&message, &[Step::task(task_folder(), &inputs).display_name("Sign in")]);
        gate.wait_until_reached(1);
        let (report, took) = cancel(job);
        let step = report.step("Sign in");
        assert_eq!(step.result, StepResult::Canceled, "{}", report.log);
        assert!(step.log.contains("Canceled: nothing is left behind"), "{}", step.log);
        assert!(took < PROMISED, "{took:?}");
        assert!(!step.raw_stdout.contains("task.setvariable"), "{}", step.raw_stdout);
        assert!(report.left_in_temp.is_empty(), "{:?}", report.left_in_temp);
        assert!(report.killed_orphans.is_empty(), "{:?}", report.killed_orphans);
    }
}

#[cfg(unix)]
#[test]
fn a_signal_at_any_moment_of_the_start_leaves_nothing() {
    use std::{
        io::{BufRead as _, BufReader},
        process::{Command, Stdio},
    };
    let case = Case::new();
    let gate = Gate::new();
    case.emulator.fault(Fault::on(Service::DevOps, "POST", "/oidctoken").always().gate(&gate));
    for _ in 0..10 {
        let mut child = case
            .command(env!("CARGO_BIN_EXE_wif"))
            .args(["task", "run"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let first = lines.next().unwrap();
        assert!(first.contains("task.settaskvariable"), "{first}");
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        let rest: Vec<_> = lines.collect();
        assert!(child.wait().unwrap().success());
        assert_eq!(rest.last().unwrap(), "##vso[task.complete result=Canceled]");
        assert!(case.files().is_empty(), "{:?}", case.files());
    }
}

//! Cancelled: the program stops at once and leaves nothing.

use std::time::Duration;

use emulator::{
    Emulator, Fault, Gate, Service,
    agent::{Agent, Step, StepResult},
};

use crate::support::task_folder;

#[test]
fn a_cancelled_step_stops_and_leaves_no_process_and_no_file() {
    for (service, path) in [(Service::DevOps, "/oidctoken"), (Service::Entra, "/oauth2/v2.0/token")] {
        let emulator = Emulator::start();
        let gate = Gate::new();
        emulator.fault(Fault::on(service, "POST", path).always().gate(&gate));
        let message = emulator.job(emulator.usual().connection);
        let agent = Agent::new().ca_file(emulator.ca_file());
        let inputs = [("azureSubscription", "sc-prod"), ("refresh", "false")];
        let job = agent.start(&message, &[Step::task(task_folder(), &inputs).display_name("Sign in")]);
        gate.wait_until_reached(1);
        job.cancel();
        let report = job.finish();
        let step = report.step("Sign in");
        assert_eq!(step.result, StepResult::Canceled, "{}", report.log);
        assert!(step.log.contains("Cancelled: nothing is left behind"), "{}", step.log);
        assert!(step.seconds < Duration::from_secs(10).as_secs_f64(), "no kill was needed: {}", step.seconds);
        assert!(!step.raw_stdout.contains("task.setvariable"), "{}", step.raw_stdout);
        assert!(report.left_in_temp.is_empty(), "{:?}", report.left_in_temp);
        assert!(report.killed_orphans.is_empty(), "{:?}", report.killed_orphans);
    }
}

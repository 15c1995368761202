//! `demo`: the main job, end to end, against the emulator.

use std::{fs, io::IsTerminal as _};

use emulator::{
    Emulator,
    agent::{Agent, JobReport, JobResult, pipeline_from_yaml},
    job::Variable,
};

use crate::{
    process::{Result, root},
    stage,
};

const PIPELINE: &str = "docs/examples/demo.yml";

/// Runs the pipeline as a job, and prints its log as the web page shows it.
#[expect(clippy::disallowed_methods, reason = "it is asked whether it is a terminal, and not written to")]
pub(crate) fn demo() -> Result<()> {
    let (report, journal) = job()?;
    println!("{}", report.render(std::io::stdout().is_terminal()));
    println!("What the services were asked:\n{journal}");
    if report.result == JobResult::Succeeded { Ok(()) } else { Err(format!("the job {:?}", report.result)) }
}

/// The job's report, and what the services were asked.
pub(crate) fn job() -> Result<(JobReport, String)> {
    let task = stage::stage()?;
    let yaml = fs::read_to_string(root().join(PIPELINE)).map_err(|error| format!("{PIPELINE}: {error}"))?;
    let ours = |name: &str| (name == "AzureWorkloadIdentity@1").then(|| task.clone());
    let pipeline = pipeline_from_yaml(&yaml, &ours).map_err(|error| format!("{PIPELINE}: {error}"))?;

    let emulator = Emulator::start();
    let usual = emulator.usual();
    println!(
        "Azure DevOps, Entra and ARM are emulated at {}, {}, {}",
        emulator.devops_url(),
        emulator.entra_url(),
        emulator.arm_url()
    );
    println!("Running {PIPELINE} as a job of {}/{}\n", usual.organization, usual.project);
    let mut message = emulator.job_with(&[usual.connection, usual.entra_connection]);
    message.variables.push(Variable { name: "ARM_URL".to_owned(), value: emulator.arm_url(), secret: false });
    pipeline.add_variables(&mut message);
    let agent = Agent::new()
        .ca_file(emulator.ca_file())
        .machine_env("NODE_EXTRA_CA_CERTS", emulator.ca_file().to_string_lossy());
    let report = agent.run(&message, &pipeline.steps);
    Ok((report, emulator.journal_text()))
}

//! One stage of one step, from its condition to its result (`StepsRunner.cs`).

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use super::job_start::JobContext;
use super::report::{JobResult, Stage, StepReport, StepResult};
use super::restrictions::Restrictions;
use super::running::RunningStage;
use super::step::{Condition, Step};
use super::task_json::TaskDefinition;
use super::variables::Variables;
use super::{attempt, clock};

/// A step with what all of its stages share.
pub(super) struct PlannedStep {
    pub(super) step: Step,
    pub(super) name: String,
    pub(super) display_name: String,
    /// A task's folder and definition.
    pub(super) task: Option<(PathBuf, TaskDefinition)>,
    /// A task's inputs as the server sends them.
    pub(super) inputs: Vec<(String, String)>,
    pub(super) restrictions: Vec<Restrictions>,
    pub(super) output_variables: Vec<String>,
    pub(super) task_variables: Variables,
}

/// Runs a stage, and makes the job's result worse if the stage's is.
pub(super) fn run(job: &mut JobContext, planned: &mut PlannedStep, stage: Stage) -> StepReport {
    let started = clock::now();
    for secret in job.variables.expand_all() {
        job.masker.add(&secret);
    }
    if job.cancel.load(Ordering::SeqCst) {
        job.worsen(JobResult::Canceled);
    }
    let status = job.result.unwrap_or(JobResult::Succeeded);
    job.variables.set_public("Agent.JobStatus", status.name());
    let condition = if stage == Stage::Post { Condition::Always } else { planned.step.condition };
    let PlannedStep {
        step,
        name,
        display_name,
        task,
        inputs,
        restrictions,
        output_variables,
        task_variables,
    } = planned;
    let prefix = match stage {
        Stage::Pre => "Pre-job: ",
        Stage::Main => "",
        Stage::Post => "Post-job: ",
    };
    let report = StepReport {
        display_name: format!("{prefix}{display_name}"),
        name: name.clone(),
        stage,
        result: StepResult::Skipped,
        issues: Vec::new(),
        log: String::new(),
        exit_code: None,
        output_held_open: false,
        seconds: 0.0,
        raw_stdout: String::new(),
        raw_stderr: String::new(),
        commands: Vec::new(),
    };
    let mut running = RunningStage {
        job,
        report,
        restrictions,
        output_variables,
        task_variables,
        result: None,
        command_failed: false,
        done_since: None,
        observe_at: None,
    };
    running.job.variables.set_public("Task.DisplayName", &running.report.display_name);
    if condition.holds(status) {
        let title = running.report.display_name.clone();
        running.write(&format!("##[section]Starting: {title}"));
        let result = attempt::run_with_retries(&mut running, step, task.as_ref(), inputs, condition);
        running.write(&format!("##[section]Finishing: {title}"));
        running.report.result = result;
    } else {
        running.write(&format!("Evaluating: {condition:?}, the job's status is {}", status.name()));
        running.write("Result: False. The step is skipped.");
    }
    let mut report = running.report;
    report.seconds = started.elapsed().as_secs_f64();
    match report.result {
        StepResult::Failed => job.worsen(JobResult::Failed),
        StepResult::SucceededWithIssues => job.worsen(JobResult::SucceededWithIssues),
        StepResult::Canceled => job.worsen(JobResult::Canceled),
        StepResult::Succeeded | StepResult::Skipped | StepResult::Abandoned => {}
    }
    report
}

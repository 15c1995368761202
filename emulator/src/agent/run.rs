//! A whole job: pre-job stages, steps, post-job stages, and what is cleaned up after them (`JobExtension.cs`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::clock;
use super::job_start::JobContext;
use super::log::Log;
use super::machine::Agent;
use super::message::JobMessage;
use super::orphans;
use super::report::{JobReport, JobResult, Stage, StepReport, Summary};
use super::restrictions::Restrictions;
use super::stage::{self, PlannedStep};
use super::step::{Kind, Shell, Step};
use super::task_json::TaskDefinition;
use super::variables::Variables;
use super::{files, inputs};

impl Agent {
    /// Runs a job to its end.
    #[must_use]
    pub fn run(&self, message: &JobMessage, pipeline: &[Step]) -> JobReport {
        self.start(message, pipeline).finish()
    }

    /// Starts a job on a thread.
    #[must_use]
    pub fn start(&self, message: &JobMessage, pipeline: &[Step]) -> RunningJob {
        let (agent, message, steps) = (self.clone(), message.clone(), pipeline.to_vec());
        let (cancel, log) = (Arc::new(AtomicBool::new(false)), Arc::new(Log::default()));
        let (job_cancel, job_log) = (Arc::clone(&cancel), Arc::clone(&log));
        let thread = thread::spawn(move || {
            let _closing = Closing(Arc::clone(&job_log));
            let one_job = Arc::clone(&agent.one_job);
            // A job that panicked leaves its folders as after a crash; the next job runs in them.
            let _turn = one_job.lock().unwrap_or_else(PoisonError::into_inner);
            run_stages(JobContext::new(agent, &message, job_cancel, job_log), steps)
        });
        RunningJob { cancel, log, thread }
    }
}

/// A job that was started.
#[derive(Debug)]
pub struct RunningJob {
    cancel: Arc<AtomicBool>,
    log: Arc<Log>,
    thread: JoinHandle<JobReport>,
}

impl RunningJob {
    /// Cancels the job, as the button on the web page does. Post-job stages still run.
    pub fn cancel(&self) {
        self.cancel.store(true, Ordering::SeqCst);
    }

    /// Waits for a masked line of the log, without its time stamp; lines that are there already count.
    ///
    /// # Panics
    /// When the job ends without one, or after two minutes.
    pub fn wait_for_line(&self, matches: impl FnMut(&str) -> bool) -> String {
        self.log
            .wait(matches, Duration::from_secs(120))
            .unwrap_or_else(|lines| panic!("no such line in the log:\n{}", lines.join("\n")))
    }

    /// Gives each masked line of the log as it comes, without its time stamp, until the job ends.
    pub fn follow(&self, each: impl FnMut(&str)) {
        self.log.follow(each);
    }

    /// Waits for the end of the job.
    #[must_use]
    pub fn finish(self) -> JobReport {
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Closes the log when the job ends or panics, which ends every wait for a line.
struct Closing(Arc<Log>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn run_stages(mut job: JobContext, steps: Vec<Step>) -> JobReport {
    let before = orphans::snapshot();
    files::empty(&job.agent.temp_folder());
    let mut planned = plan(&job, steps);
    let mut reports = Vec::new();
    for step in planned.iter_mut().filter(|step| has(step, Stage::Pre)) {
        reports.push(stage::run(&mut job, step, Stage::Pre));
    }
    for step in planned.iter_mut().filter(|step| has(step, Stage::Main)) {
        reports.push(stage::run(&mut job, step, Stage::Main));
    }
    for step in planned.iter_mut().rev().filter(|step| has(step, Stage::Post)) {
        reports.push(stage::run(&mut job, step, Stage::Post));
    }
    if job.cancel.load(Ordering::SeqCst) {
        job.worsen(JobResult::Canceled);
    }
    finalize(job, reports, &before)
}

/// A script has a main stage only.
fn has(planned: &PlannedStep, stage: Stage) -> bool {
    planned.task.as_ref().map_or(stage == Stage::Main, |(_, definition)| definition.has(stage))
}

fn finalize(
    mut job: JobContext,
    steps: Vec<StepReport>,
    before: &std::collections::HashSet<(u32, String)>,
) -> JobReport {
    job.observe("");
    let mut finalize = String::new();
    let mut say = |text: &str| {
        let text = job.masker.mask(text);
        job.log.push(&text);
        clock::append(&mut finalize, &text);
    };
    let killed_orphans = if job.variables.knob("process.clean", &BTreeMap::new(), true) {
        say("Start cleaning up orphan processes.");
        orphans::kill(&job.lookup_id, before)
    } else {
        Vec::new()
    };
    for process in &killed_orphans {
        say(&format!("Terminate orphan process: pid ({}) ({})", process.pid, process.name));
    }
    let summaries = job
        .summaries
        .iter()
        .map(|path| Summary { path: path.clone(), content: std::fs::read_to_string(path).ok() })
        .collect();
    let temp = job.agent.temp_folder();
    let left_in_temp = files::leaves(&temp).into_iter().filter(|path| !job.scripts.contains(path)).collect();
    files::empty(&temp);
    let raw = steps.iter().flat_map(|step| [step.raw_stdout.as_str(), step.raw_stderr.as_str()]).collect();
    let mut report = JobReport {
        result: job.result.unwrap_or(JobResult::Succeeded),
        steps,
        variables: job.variables.report(),
        path_prepended: job.prepended,
        log: String::new(),
        raw,
        masks: job.masker.registered().to_vec(),
        summaries,
        attachments: job.attachments,
        killed_orphans,
        left_in_temp,
        observed: job.observed,
        finalize,
    };
    report.log = report.render(false);
    report
}

/// The steps of the job as the server sends them.
fn plan(job: &JobContext, steps: Vec<Step>) -> Vec<PlannedStep> {
    let mut used: BTreeMap<String, u32> = BTreeMap::new();
    steps.into_iter().map(|step| plan_step(job, step, &mut used)).collect()
}

fn plan_step(job: &JobContext, step: Step, used: &mut BTreeMap<String, u32>) -> PlannedStep {
    let (task, inputs, kind, title) = match &step.kind {
        Kind::Task { folder, inputs } => {
            let definition = TaskDefinition::read(folder);
            let folder =
                if job.agent.install { install(&job.agent, folder, &definition) } else { folder.clone() };
            let inputs = inputs::as_sent(&definition, inputs, &job.endpoints, &job.variables);
            let (kind, title) = (definition.name.clone(), definition.friendly_name.clone());
            let title = if title.is_empty() { kind.clone() } else { title };
            (Some((folder, definition)), inputs, kind, title)
        }
        Kind::Script { shell, .. } => {
            let (kind, title) = match shell {
                Shell::Script => ("CmdLine", "CmdLine"),
                Shell::Bash => ("Bash", "Bash"),
                Shell::Pwsh => ("PowerShell", "PowerShell"),
            };
            (None, Vec::new(), kind.to_owned(), title.to_owned())
        }
    };
    // The server names a step without a name `CmdLine`, `CmdLine1`, and so on.
    let count = used.entry(kind.clone()).and_modify(|count| *count += 1).or_insert(0);
    let generated = if *count == 0 { kind } else { format!("{kind}{count}") };
    let own = task.as_ref().map(|(_, definition)| definition);
    let mut restrictions = vec![Restrictions::of_target(step.restricted, step.settable.clone())];
    restrictions.extend(own.and_then(|definition| definition.restrictions.clone()));
    let output_variables = own
        .iter()
        .flat_map(|definition| &definition.output_variables)
        .map(|output| output.name.clone())
        .collect();
    PlannedStep {
        name: step.name.clone().unwrap_or(generated),
        display_name: step.display_name.clone().unwrap_or(title),
        task,
        inputs,
        restrictions,
        output_variables,
        task_variables: Variables::default(),
        step,
    }
}

/// Copies a task, unless the marker of an earlier copy exists (`TaskManager.cs`).
fn install(agent: &Agent, folder: &std::path::Path, definition: &TaskDefinition) -> std::path::PathBuf {
    let place = agent.tasks_folder().join(format!("{}_{}", definition.name, definition.id));
    let version = definition.version().replace('+', "_");
    let (target, marker) = (place.join(&version), place.join(format!("{version}.completed")));
    if !marker.exists() {
        files::copy_without_modes(folder, &target);
        std::fs::write(&marker, "").expect("the marker of an installed task");
        if agent.read_only {
            files::set_tree_mode(&target, 0o555, Some(0o444));
        }
    }
    target
}

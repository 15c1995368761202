//! The report of a job, for tests to read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::command::Command;
use super::orphans::ProcessRecord;

/// The result of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobResult {
    /// Every step succeeded or was skipped.
    Succeeded,
    /// A step had issues, or failed and was allowed to.
    SucceededWithIssues,
    /// A step failed.
    Failed,
    /// The job was canceled.
    Canceled,
}

impl JobResult {
    /// The value of `Agent.JobStatus`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::SucceededWithIssues => "SucceededWithIssues",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
        }
    }
}

/// The result of a step, in the order of the agent's own enumeration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepResult {
    /// It succeeded.
    Succeeded,
    /// It succeeded with issues, or failed with `continueOnError`.
    SucceededWithIssues,
    /// It failed or timed out.
    Failed,
    /// Stopped because the job was canceled.
    Canceled,
    /// Its condition was false.
    Skipped,
    /// A task reported this result itself.
    Abandoned,
}

impl StepResult {
    /// `task.complete result=…`: the case counts (`TaskCommandExtension.cs`).
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "Succeeded" => Self::Succeeded,
            "SucceededWithIssues" => Self::SucceededWithIssues,
            "Failed" => Self::Failed,
            "Canceled" => Self::Canceled,
            "Skipped" => Self::Skipped,
            "Abandoned" => Self::Abandoned,
            _ => return None,
        })
    }

    /// The worse of two results; canceled, skipped and abandoned are kept whatever comes (`TaskResultUtil`).
    pub(super) fn merge(current: Option<Self>, coming: Self) -> Self {
        match current {
            Some(current) if current > Self::Failed || coming < current => current,
            _ => coming,
        }
    }
}

/// Which part of a step ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// `prejobexecution`.
    Pre,
    /// `execution`.
    Main,
    /// `postjobexecution`.
    Post,
}

/// Error or warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueKind {
    /// `##[error]`.
    Error,
    /// `##[warning]`.
    Warning,
}

/// An issue, as the summary of the run lists it: at most ten of each kind for a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Error or warning.
    pub kind: IssueKind,
    /// The `code` property; the agent does not mask it.
    pub code: Option<String>,
    /// The masked text.
    pub message: String,
}

/// A variable at the end of the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobVariable {
    /// The value, after `$(…)` in it was replaced.
    pub value: String,
    /// Whether it is secret.
    pub secret: bool,
    /// Whether a task or the agent made it read-only.
    pub read_only: bool,
}

/// A summary that a task uploaded.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The file.
    pub path: PathBuf,
    /// What it held when the job ended. The real agent reads it at an unknown time before that; `None` when it no longer existed.
    pub content: Option<String>,
}

/// A file that a task uploaded or attached.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// The `type` of `task.addattachment`; `DistributedTask.Core.FileAttachment` for `task.uploadfile`.
    pub kind: String,
    /// The `name` of `task.addattachment`, or the file's name.
    pub name: String,
    /// The file.
    pub path: PathBuf,
}

/// One stage of one step.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// As the web page shows it, with `Post-job: ` before that of a post-job stage.
    pub display_name: String,
    /// The reference name, given or generated.
    pub name: String,
    /// Which part of the step.
    pub stage: Stage,
    /// The result.
    pub result: StepResult,
    /// At most ten errors and ten warnings.
    pub issues: Vec<Issue>,
    /// The masked log with its time stamps.
    pub log: String,
    /// The exit code of the direct child: `None` when it did not run, was killed, or was left running.
    pub exit_code: Option<i32>,
    /// Whether another process still held the step's output when the agent had waited for its end long enough. On
    /// Windows the real agent then kills what it finds of the step.
    pub output_held_open: bool,
    /// The duration.
    pub seconds: f64,
    /// Standard output as it came, unmasked: for leak checks.
    pub raw_stdout: String,
    /// Standard error as it came, unmasked: for leak checks.
    pub raw_stderr: String,
    /// The commands in its output, those that were refused included, in the order in which they were read.
    pub commands: Vec<Command>,
}

impl StepReport {
    /// The errors' texts.
    #[must_use]
    pub fn errors(&self) -> Vec<&str> {
        self.messages(IssueKind::Error)
    }

    /// The warnings' texts.
    #[must_use]
    pub fn warnings(&self) -> Vec<&str> {
        self.messages(IssueKind::Warning)
    }

    fn messages(&self, kind: IssueKind) -> Vec<&str> {
        self.issues.iter().filter(|issue| issue.kind == kind).map(|issue| issue.message.as_str()).collect()
    }
}

/// A whole job.
#[derive(Clone, Debug)]
pub struct JobReport {
    /// The result.
    pub result: JobResult,
    /// Every stage in the order in which it ran: pre, main, post.
    pub steps: Vec<StepReport>,
    /// The variables at the end, by the name under which each was last set.
    pub variables: BTreeMap<String, JobVariable>,
    /// What `task.prependpath` gave, in its order; the last stands first on `PATH`.
    pub path_prepended: Vec<String>,
    /// The masked log of the whole job as the web page shows it.
    pub log: String,
    /// Every byte that the steps printed, unmasked: for leak checks.
    pub raw: String,
    /// Every value that was registered as a secret, without the encoded forms that are masked too.
    pub masks: Vec<String>,
    /// `task.uploadsummary`.
    pub summaries: Vec<Summary>,
    /// `task.uploadfile` and `task.addattachment`.
    pub attachments: Vec<Attachment>,
    /// The processes that were still there after the post-job stages, and were killed.
    pub killed_orphans: Vec<ProcessRecord>,
    /// What lay in the temp folder just before the agent emptied it, without the agent's own script files.
    pub left_in_temp: Vec<PathBuf>,
    /// Command lines and environments of the job's processes, as far as they were seen (Linux only).
    pub observed: Vec<ProcessRecord>,
    pub(super) finalize: String,
}

impl JobReport {
    /// The first stage whose display name or reference name is this.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn step(&self, name: &str) -> &StepReport {
        self.steps
            .iter()
            .find(|step| step.display_name == name || step.name == name)
            .unwrap_or_else(|| panic!("no step {name:?} in this job:\n{}", self.log))
    }

    /// A variable's value; the case of its name does not count.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        let (_, variable) = self.variables.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(&variable.value)
    }
}

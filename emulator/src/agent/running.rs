//! A stage while it runs: its log, and the events of its child process.

use std::time::Instant;

use super::clock;
use super::job_start::JobContext;
use super::output::Stream;
use super::process::{Stop, Watcher};
use super::report::{Issue, IssueKind, StepReport, StepResult};
use super::restrictions::Restrictions;
use super::variables::Variables;

/// A stage that is running.
pub(super) struct RunningStage<'a> {
    pub(super) job: &'a mut JobContext,
    pub(super) report: StepReport,
    pub(super) restrictions: &'a [Restrictions],
    pub(super) output_variables: &'a [String],
    pub(super) task_variables: &'a mut Variables,
    /// The result of `task.complete`.
    pub(super) result: Option<StepResult>,
    /// Whether a command failed, which makes the step fail.
    pub(super) command_failed: bool,
    pub(super) done_since: Option<Instant>,
    pub(super) observe_at: Option<Instant>,
}

impl RunningStage<'_> {
    /// Writes a line into the log, masked.
    pub(super) fn write(&mut self, text: &str) {
        let text = self.job.masker.mask(text);
        self.write_unmasked(&text);
    }

    /// Writes a line as it is; the agent does so for the header of a task only.
    pub(super) fn write_unmasked(&mut self, text: &str) {
        clock::append(&mut self.report.log, text);
        self.job.log.push(text);
    }

    pub(super) fn debug(&mut self, text: &str) {
        if self.job.debug {
            self.write(&format!("##[debug]{text}"));
        }
    }

    pub(super) fn error(&mut self, message: &str) {
        self.issue(IssueKind::Error, None, message);
    }

    pub(super) fn warning(&mut self, message: &str) {
        self.issue(IssueKind::Warning, None, message);
    }

    /// Logs an issue, and keeps the first ten of its kind for the summary. Properties are not masked (`AddIssue`).
    pub(super) fn issue(&mut self, kind: IssueKind, code: Option<&str>, message: &str) {
        let tag = if kind == IssueKind::Error { "error" } else { "warning" };
        self.write(&format!("##[{tag}]{message}"));
        if self.report.issues.iter().filter(|issue| issue.kind == kind).count() < 10 {
            let message = self.job.masker.mask(message);
            self.report.issues.push(Issue { kind, code: code.map(str::to_owned), message });
        }
    }
}

impl Watcher for RunningStage<'_> {
    fn bytes(&mut self, stream: Stream, bytes: &[u8]) {
        let raw = match stream {
            Stream::Stdout => &mut self.report.raw_stdout,
            Stream::Stderr => &mut self.report.raw_stderr,
        };
        raw.push_str(&String::from_utf8_lossy(bytes));
    }

    fn line(&mut self, line: &str) {
        self.process_line(line);
    }

    fn stopping(&mut self, stop: Stop) {
        if stop == Stop::Canceled {
            self.error("The operation will be canceled. The next steps may not contain expected logs.");
        }
    }

    fn done_since(&self) -> Option<Instant> {
        self.done_since
    }

    fn tick(&mut self) {
        if self.observe_at.is_some_and(|at| clock::now() >= at) {
            self.observe_at = None;
            let name = self.report.name.clone();
            self.job.observe(&name);
        }
    }
}

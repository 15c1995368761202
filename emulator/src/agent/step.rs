//! A step of a pipeline, with the properties of its YAML.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::report::JobResult;

/// When a step runs (the functions of a pipeline's `condition:`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// `succeeded()`: no step has failed and the job is not canceled.
    #[default]
    Succeeded,
    /// `always()`: even when the job is canceled.
    Always,
    /// `failed()`: a step has failed.
    Failed,
    /// `succeededOrFailed()`: unless the job is canceled.
    SucceededOrFailed,
    /// `false`.
    Never,
}

impl Condition {
    /// Whether a step runs in a job of this status.
    pub(super) fn holds(self, status: JobResult) -> bool {
        match self {
            Self::Succeeded => status <= JobResult::SucceededWithIssues,
            Self::Always => true,
            Self::Failed => status == JobResult::Failed,
            Self::SucceededOrFailed => status != JobResult::Canceled,
            Self::Never => false,
        }
    }
}

/// The shell of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// `script:` (`CmdLine@2`): bash, or cmd on Windows.
    Script,
    /// `bash:` (`Bash@3`).
    Bash,
    /// `pwsh:` (`PowerShell@2`).
    Pwsh,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    pub(super) kind: Kind,
    pub(super) name: Option<String>,
    pub(super) display_name: Option<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) condition: Condition,
    pub(super) timeout: Option<Duration>,
    pub(super) continue_on_error: bool,
    pub(super) restricted: bool,
    pub(super) settable: Option<Vec<String>>,
    pub(super) retries: u32,
    pub(super) working_directory: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Task { folder: PathBuf, inputs: Vec<(String, String)> },
    Script { text: String, shell: Shell },
}

impl Step {
    /// A task: a folder with a `task.json`, and the inputs that the pipeline gives it.
    ///
    /// A `connectedService` input may name its connection: the id takes its place, as the server does.
    pub fn task(folder: impl AsRef<Path>, inputs: &[(&str, &str)]) -> Self {
        let inputs = inputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self::new(Kind::Task { folder: folder.as_ref().to_owned(), inputs })
    }

    /// `script:`: the machine's shell (bash; cmd on Windows). It sees public variables and what [`Step::env`] maps.
    pub fn script(text: impl Into<String>) -> Self {
        Self::shell(Shell::Script, text)
    }

    /// `bash:`.
    pub fn bash(text: impl Into<String>) -> Self {
        Self::shell(Shell::Bash, text)
    }

    /// `pwsh:`; the machine must have it.
    pub fn pwsh(text: impl Into<String>) -> Self {
        Self::shell(Shell::Pwsh, text)
    }

    /// A script for the given shell.
    pub fn shell(shell: Shell, text: impl Into<String>) -> Self {
        Self::new(Kind::Script { text: text.into(), shell })
    }

    fn new(kind: Kind) -> Self {
        Self {
            kind,
            name: None,
            display_name: None,
            env: Vec::new(),
            condition: Condition::default(),
            timeout: None,
            continue_on_error: false,
            restricted: false,
            settable: None,
            retries: 0,
            working_directory: None,
        }
    }

    /// `name:`, the first half of the name of an output variable.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// `displayName:`.
    #[must_use]
    pub fn display_name(mut self, name: impl Into<String>) -> Self {
        self.display_name = Some(name.into());
        self
    }

    /// One entry of `env:`; `$(name)` in the value is replaced, secret variables included.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// `condition:`.
    #[must_use]
    pub fn condition(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }

    /// `timeoutInMinutes:`, in any unit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// `continueOnError: true`.
    #[must_use]
    pub fn continue_on_error(mut self) -> Self {
        self.continue_on_error = true;
        self
    }

    /// `target: {commands: restricted}`.
    #[must_use]
    pub fn restricted_commands(mut self) -> Self {
        self.restricted = true;
        self
    }

    /// `target: {settableVariables: […]}`; an empty list is `none`.
    #[must_use]
    pub fn settable_variables(mut self, patterns: &[&str]) -> Self {
        self.settable = Some(patterns.iter().map(|pattern| (*pattern).to_owned()).collect());
        self
    }

    /// `retryCountOnTaskFailure:`, at most ten.
    #[must_use]
    pub fn retries(mut self, count: u32) -> Self {
        self.retries = count.min(10);
        self
    }

    /// `workingDirectory:` of a script.
    #[must_use]
    pub fn working_directory(mut self, folder: impl Into<String>) -> Self {
        self.working_directory = Some(folder.into());
        self
    }
}

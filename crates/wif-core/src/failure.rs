//! How a step or command fails: a stable code, what happened, what to do.

use std::{error::Error, fmt};

use crate::{
    code::{Code, Party},
    fact::Fact,
    foreign_text::one_line,
    retry::RetryClass,
};

/// The longest story, in characters.
const MAX_STORY: usize = 2000;
/// The longest detail or hint, in characters. A part of a federated credential may have 600.
const MAX_DETAIL: usize = 800;

/// A use-case failed. `Display` is the whole text for the user, over several lines: as many as there are parts, since each
/// part is made one harmless line, whatever foreign text is in it.
#[derive(Debug)]
pub struct Failure {
    /// The stable code.
    pub code: Code,
    /// What to do about it, in a sentence.
    pub hint: String,
    /// The command or the click that does it, where there is one.
    pub command: Option<&'static str>,
    /// Facts under the summary, a line each: what was presented, trace and correlation ids. [`Failure::with_details`] adds.
    pub details: Vec<Fact>,
    /// What happened.
    pub source: Box<dyn Error + Send + Sync>,
    /// Whether another attempt may help.
    pub retry_class: RetryClass,
    /// Whether the caller of a command made the mistake, whatever the code says.
    by_caller: bool,
}

impl Failure {
    /// A failure without details.
    pub fn new(code: Code, source: impl Into<Box<dyn Error + Send + Sync>>, hint: impl Into<String>) -> Self {
        let (hint, source) = (one_line(&hint.into(), MAX_DETAIL), source.into());
        Self {
            code,
            hint,
            command: None,
            details: Vec::new(),
            source,
            retry_class: RetryClass::Refused,
            by_caller: false,
        }
    }

    /// A copy for another caller who ran into the same failure.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let Self { code, hint, command, details, retry_class, .. } = self;
        let (hint, details) = (hint.clone(), details.clone());
        Self {
            code: *code,
            hint,
            command: *command,
            details,
            source: self.story().into(),
            retry_class: *retry_class,
            by_caller: self.by_caller,
        }
    }

    /// The exit code of a command that ends with it: 1 our bug, 2 the caller's mistake, 3 refused, 4 not reached.
    ///
    /// The stages of the task end with 0: they tell the agent how they ended.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match (self.code, self.retry_class) {
            _ if self.by_caller => 2,
            (Code::ArgumentInvalid | Code::OutputUnwritable, _) | (Code::BrokerGone, RetryClass::Refused) => {
                2
            }
            (Code::BrokerRefused, RetryClass::Refused) | (Code::TokenMissing, _) => 3,
            (Code::PlanChanged | Code::WorldChanged | Code::PlanInUse | Code::JournalUnusable, _) => 13,
            (
                Code::BrokerGone
                | Code::BrokerRefused
                | Code::BrokerUnproven
                | Code::BrokerFailed
                | Code::ChangeUnanswered,
                _,
            ) => 4,
            _ => 1,
        }
    }

    /// The error and all its causes, in one sentence.
    #[must_use]
    pub fn story(&self) -> String {
        let mut text = self.source.to_string();
        let mut cause = self.source.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        one_line(&text, MAX_STORY)
    }

    /// Says whether another attempt may help.
    #[must_use]
    pub fn with_retry_class(self, retry_class: RetryClass) -> Self {
        Self { retry_class, ..self }
    }

    /// Says that the caller of the command made the mistake.
    #[must_use]
    pub fn by_caller(self) -> Self {
        Self { by_caller: true, ..self }
    }

    /// Adds the command or the click that mends it.
    #[must_use]
    pub fn with_command(self, command: Option<&'static str>) -> Self {
        Self { command, ..self }
    }

    /// Adds lines under the summary.
    #[must_use]
    pub fn with_details(mut self, details: impl IntoIterator<Item = impl Into<Fact>>) -> Self {
        self.details.extend(details.into_iter().map(|fact| fact.into().in_one_line(MAX_DETAIL)));
        self
    }
}

/// Where a failure is read. At a terminal there is neither an agent nor a job: what is theirs in a job is the machine's or the
/// caller's there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// In the log of a job.
    #[default]
    Job,
    /// Anywhere else.
    Elsewhere,
}

impl Place {
    /// In a job, or not.
    #[must_use]
    pub const fn of(is_in_job: bool) -> Self {
        if is_in_job { Self::Job } else { Self::Elsewhere }
    }

    /// The party that has to change something.
    #[must_use]
    pub const fn party(self, code: Code) -> Party {
        match self {
            Self::Job => code.party(),
            Self::Elsewhere => code.party().outside_of_a_job(),
        }
    }

    /// What to do, in a sentence.
    #[must_use]
    pub fn hint(self, failure: &Failure) -> String {
        match self {
            Self::Job => failure.hint.clone(),
            Self::Elsewhere => failure.hint.replace("run the job again", "try again").replace(
                "correct the input in the pipeline",
                "correct the option: allowedTenants is --allowed-tenants",
            ),
        }
    }
}

impl Failure {
    /// The whole text for a user in this place. `Display` is that in a job.
    #[must_use]
    pub fn shown(&self, place: Place) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text, place);
        text
    }

    fn write(&self, f: &mut dyn fmt::Write, place: Place) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.story())?;
        for line in &self.details {
            write!(f, "\n  {line}")?;
        }
        write!(f, "\n  at fault: {}\n  fix: {}", place.party(self.code), place.hint(self))?;
        if let Some(command) = self.command {
            write!(f, "\n  run: {command}")?;
        }
        write!(f, "\n  docs: {}", self.code.page())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, Place::Job)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_says_whose_fault_it_is() {
        let of = |code, retry_class| Failure::new(code, "x", "y").with_retry_class(retry_class).exit_code();
        assert_eq!(of(Code::Bug, RetryClass::Refused), 1);
        assert_eq!(of(Code::ArgumentInvalid, RetryClass::Refused), 2);
        assert_eq!(of(Code::OutputUnwritable, RetryClass::Refused), 2);
        assert_eq!(of(Code::BrokerGone, RetryClass::Refused), 2, "this step has no session");
        assert_eq!(of(Code::BrokerGone, RetryClass::Unreachable), 4);
        assert_eq!(of(Code::BrokerRefused, RetryClass::Refused), 3);
        assert_eq!(Failure::new(Code::BrokerRefused, "x", "y").by_caller().exit_code(), 2);
        assert_eq!(of(Code::BrokerRefused, RetryClass::MayPass), 4);
        assert_eq!(of(Code::BrokerUnproven, RetryClass::Refused), 4);
        assert_eq!(of(Code::TimedOut, RetryClass::Unreachable), 1, "a doctor that could not begin");
    }

    #[test]
    fn a_failure_tells_what_why_and_what_to_do() {
        let failure = Failure::new(Code::TimedOut, "no answer from Entra", "try again")
            .with_details(["after 60 s".to_owned()]);
        let text = "WIF3005: no answer from Entra\n  after 60 s\n  at fault: the network\n  fix: try again\n  \
                    docs: https://github.com/wif-azure/wif/blob/main/docs/errors.md#wif3005";
        assert_eq!(failure.to_string(), text);
        let failure = failure.with_command(Some("curl -v https://dev.azure.com"));
        assert!(failure.to_string().contains("\n  run: curl -v https://dev.azure.com\n  docs: "));
    }

    #[test]
    fn where_no_job_is_neither_an_agent_nor_a_pipeline_is_wrong_and_no_job_is_run_again() {
        for code in Code::ALL {
            let failure = Failure::new(*code, "x", "run the job again; if it lasts, report it");
            let (in_job, elsewhere) = (failure.shown(Place::of(true)), failure.shown(Place::of(false)));
            assert_eq!(in_job, failure.to_string());
            assert!(elsewhere.contains("\n  fix: try again; if it lasts, report it\n"), "{elsewhere}");
            for word in ["the agent", "the pipeline", "the job again"] {
                assert!(!elsewhere.contains(word), "{elsewhere}");
            }
        }
        let of_caller = Failure::new(Code::ArgumentInvalid, "x", "y").shown(Place::Elsewhere);
        assert!(of_caller.contains("at fault: the caller of this command"), "{of_caller}");
    }
}

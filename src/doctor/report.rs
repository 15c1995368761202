//! What was checked, and what came of it.

use serde_json::{Value, json};
use wif_core::{
    code::Code,
    fact::Fact,
    failure::{Failure, Place},
    foreign_text::{self, one_line},
};

/// The longest fact or reason, in characters. A part of a federated credential may have 600.
const MAX_FACT: usize = 1000;

/// What is checked, in the order in which a report shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    /// The sign-in sessions of the job.
    Session,
    /// The job's variables.
    Job,
    /// The tools of the machine.
    Tools,
    /// The agent's settings for the network.
    Settings,
    /// Whether the services are reached.
    Network,
    /// This machine's clock.
    Clock,
    /// The token that Azure DevOps is asked with.
    Token,
    /// The service connection.
    Connection,
    /// The id token.
    IdToken,
    /// The identity's federated credentials.
    Trust,
    /// The access tokens.
    Exchange,
    /// The subscription.
    Subscription,
    /// The identity's roles.
    Roles,
    /// Other clouds, and registries of container images.
    Targets,
    /// Tools that were started.
    Trials,
}

/// One check.
#[derive(Debug)]
pub(crate) struct Check {
    /// What was checked.
    pub(crate) topic: Topic,
    /// What came of it.
    pub(crate) verdict: Verdict,
    /// What was seen, a line each.
    pub(crate) facts: Vec<Fact>,
}

/// What came of a check.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Nothing to complain of.
    Good,
    /// It works, and may not for long, or not as meant.
    Warning(Box<Failure>),
    /// It is wrong.
    Fault(Box<Failure>),
    /// It could not be checked, and why.
    Skipped(String),
}

/// Every check of a connection.
#[derive(Debug, Default)]
pub(crate) struct Report {
    checks: Vec<Check>,
    /// What stands for `<client id>` and so on in the commands, as far as it is known.
    ids: Vec<(&'static str, String)>,
    /// Where it is read.
    place: Place,
}

impl Topic {
    /// As a person reads it.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "sign-in sessions",
            Self::Job => "variables of the job",
            Self::Tools => "tools",
            Self::Settings => "agent's network settings",
            Self::Network => "network",
            Self::Clock => "clock",
            Self::Token => "token for Azure DevOps",
            Self::Connection => "service connection",
            Self::IdToken => "id token",
            Self::Trust => "federated credentials",
            Self::Exchange => "exchange at Entra",
            Self::Subscription => "subscription",
            Self::Roles => "roles",
            Self::Targets => "other clouds",
            Self::Trials => "tools that were tried",
        }
    }
}

impl Topic {
    /// As a person reads it in this place.
    #[must_use]
    pub(super) const fn shown(self, place: Place) -> &'static str {
        match (self, place) {
            (Self::Settings, Place::Elsewhere) => "network settings",
            _ => self.as_str(),
        }
    }
}

impl Verdict {
    /// As a person reads it.
    #[must_use]
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning(_) => "warning",
            Self::Fault(_) => "FAULT",
            Self::Skipped(_) => "skipped",
        }
    }

    /// What is to be said of it.
    #[must_use]
    pub(crate) const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Warning(failure) | Self::Fault(failure) => Some(failure),
            Self::Good | Self::Skipped(_) => None,
        }
    }
}

/// For a check that has nothing to tell beside its verdict.
pub(super) const NO_FACTS: [Fact; 0] = [];

impl Report {
    /// A report for which no connection is checked, and why.
    #[must_use]
    pub(crate) fn without_connection(reason: &str) -> Self {
        let mut report = Self::default();
        report.skipped(Topic::Connection, reason);
        report
    }

    /// Says where it is read.
    #[must_use]
    pub(crate) fn in_place(self, place: Place) -> Self {
        Self { place, ..self }
    }

    /// Where it is read.
    #[must_use]
    pub(super) const fn place(&self) -> Place {
        self.place
    }

    /// Adds a check. What it says is foreign in part: each fact becomes one harmless line.
    pub(super) fn add(
        &mut self,
        topic: Topic,
        verdict: Verdict,
        facts: impl IntoIterator<Item = impl Into<Fact>>,
    ) {
        let facts = facts.into_iter().map(|fact| fact.into().in_one_line(MAX_FACT)).collect();
        self.checks.push(Check { topic, verdict, facts });
        self.checks.sort_by_key(|check| check.topic);
    }

    pub(super) fn good(&mut self, topic: Topic, facts: impl IntoIterator<Item = impl Into<Fact>>) {
        self.add(topic, Verdict::Good, facts);
    }

    pub(super) fn skipped(&mut self, topic: Topic, reason: impl Into<String>) {
        self.add(topic, Verdict::Skipped(one_line(&reason.into(), MAX_FACT)), NO_FACTS);
    }

    pub(super) fn fault(
        &mut self,
        topic: Topic,
        failure: impl Into<Failure>,
        facts: impl IntoIterator<Item = impl Into<Fact>>,
    ) {
        self.add(topic, Verdict::Fault(Box::new(failure.into())), facts);
    }

    pub(super) fn warning(
        &mut self,
        topic: Topic,
        failure: Failure,
        facts: impl IntoIterator<Item = impl Into<Fact>>,
    ) {
        self.add(topic, Verdict::Warning(Box::new(failure)), facts);
    }

    /// Notes what a placeholder of the commands stands for.
    pub(super) fn knows(&mut self, placeholder: &'static str, id: &dyn ToString) {
        self.ids.push((placeholder, id.to_string()));
    }

    /// A text with the ids that are known in place of their placeholders.
    #[must_use]
    pub(super) fn fill(&self, text: &str) -> String {
        self.ids.iter().fold(text.to_owned(), |text, (placeholder, id)| text.replace(placeholder, id))
    }

    /// Every check, in the order in which it is shown.
    #[must_use]
    pub(crate) fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// Whether something of this topic is wrong.
    pub(super) fn is_faulty(&self, topic: Topic) -> bool {
        self.checks.iter().any(|check| check.topic == topic && matches!(check.verdict, Verdict::Fault(_)))
    }

    /// The first check that found the same as this one, and has the same remedy, if that is not this one.
    #[must_use]
    pub(super) fn first_with_the_remedy_of(&self, check: &Check) -> Option<&Check> {
        let remedy = |check: &Check| {
            let failure = check.verdict.failure()?;
            Some((failure.code, failure.hint.clone(), failure.command))
        };
        let own = remedy(check)?;
        let first = self.checks.iter().find(|other| remedy(other).is_some_and(|other| other == own))?;
        (!std::ptr::eq(first, check)).then_some(first)
    }

    /// The codes of what is wrong, each once: two checks may run into one fault.
    #[must_use]
    pub(crate) fn faults(&self) -> Vec<Code> {
        self.codes(|verdict| matches!(verdict, Verdict::Fault(_)))
    }

    /// The codes of what is warned of, each once.
    #[must_use]
    pub(crate) fn warnings(&self) -> Vec<Code> {
        self.codes(|verdict| matches!(verdict, Verdict::Warning(_)))
    }

    fn codes(&self, is_meant: impl Fn(&Verdict) -> bool) -> Vec<Code> {
        let mut codes = Vec::new();
        let found = self.checks.iter().filter(|check| is_meant(&check.verdict));
        for code in found.filter_map(|check| check.verdict.failure()).map(|failure| failure.code) {
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        codes
    }

    /// 0: nothing; 10: something to be warned of; 11: something is wrong.
    #[must_use]
    pub(crate) fn exit_code(&self) -> u8 {
        match (self.faults().is_empty(), self.warnings().is_empty()) {
            (false, _) => 11,
            (true, false) => 10,
            (true, true) => 0,
        }
    }

    /// What a step that found a fault fails with; none, if there is no fault.
    #[must_use]
    pub(crate) fn failure(&self) -> Option<Failure> {
        let mut faults = self.checks.iter().filter(|check| matches!(check.verdict, Verdict::Fault(_)));
        let first = faults.next()?;
        let failure = first.verdict.failure()?.duplicate();
        let others: Vec<_> = self.faults().into_iter().filter(|code| *code != failure.code).collect();
        let mut details = vec![Fact::new("found by the check", first.topic.as_str())];
        details.extend(
            others
                .iter()
                .map(|code| Fact::new("also wrong", format!("{code} ({})", self.place.party(*code)))),
        );
        Some(failure.with_details(details))
    }

    /// The report in JSON.
    #[must_use]
    pub(crate) fn json(&self) -> Value {
        let texts = |codes: Vec<Code>| codes.iter().map(|code| code.as_str()).collect::<Vec<_>>();
        let checks: Vec<_> = self.checks.iter().map(|check| check.json(self)).collect();
        foreign_text::json(
            json!({ "schema": "wif.doctor/1", "version": 1, "faults": texts(self.faults()), "warnings": texts(self.warnings()), "checks": checks }),
        )
    }
}

/// The facts as lines, as the text shows them.
fn lines(facts: &[Fact]) -> Vec<String> {
    facts.iter().map(ToString::to_string).collect()
}

impl Check {
    fn json(&self, report: &Report) -> Value {
        let Self { topic, verdict, facts } = self;
        let mut value = json!({ "check": topic.as_str(), "verdict": verdict.as_str().to_lowercase(), "facts": lines(facts) });
        let more = match verdict {
            Verdict::Good => return value,
            Verdict::Skipped(reason) => json!({ "reason": reason }),
            Verdict::Warning(failure) | Verdict::Fault(failure) => json!({
                "code": failure.code.as_str(),
                "says": failure.story(),
                "details": lines(&failure.details),
                "wrong": report.place.party(failure.code).to_string(),
                "fix": report.place.hint(failure),
                "how": failure.command.map(|command| report.fill(command)),
                "more": failure.code.page(),
            }),
        };
        if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
            value.extend(more);
        }
        value
    }
}

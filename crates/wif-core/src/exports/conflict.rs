//! Variables by which tools sign in otherwise, although a session's own variables are there: data of each family.

use super::variable::Facts;

/// How a session gives tokens to later steps: it decides which variables would win.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// By a broker that gives the id token.
    IdToken,
    /// By a broker that gives access tokens only.
    AccessTokens,
    /// By an id token in a file, and no broker.
    Snapshot,
}

/// Variables that would win over a session's.
#[derive(Clone, Copy, Debug)]
pub struct Conflict {
    /// The variables, which count when all of them are set.
    pub variables: &'static [&'static str],
    /// With which values.
    pub values: Values,
    /// In which sessions.
    pub sessions: &'static [SessionKind],
    /// What the step does when the agent's machine has set them. What the pipeline has set gets a warning, or fails the step too.
    pub from_machine: Remedy,
    /// What a tool does with them, in one sentence that the user reads.
    pub effect: &'static str,
}

/// The values that count. Case does not.
#[derive(Clone, Copy)]
pub enum Values {
    /// Any.
    Any,
    /// These only.
    Only(&'static [&'static str]),
    /// All but these.
    AllBut(&'static [&'static str]),
    /// All but what this session has, where it has one.
    AllButOurs(fn(&Facts) -> Option<String>),
    /// Any, unless this holds of the session; and how a table says it.
    AnyUnless(fn(&Facts) -> bool, &'static str),
}

/// What the step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It empties the variable for the job, and says so: every tool that reads it takes an empty text for none.
    Empty,
    /// It warns: some tool takes an empty text for a value.
    Warn,
    /// It fails, whether the machine or the pipeline has set the variable: the promise for AWS, whose every tool would go to another
    /// account without a word.
    Fail,
}

/// Every session.
pub(super) const ALWAYS: &[SessionKind] =
    &[SessionKind::IdToken, SessionKind::AccessTokens, SessionKind::Snapshot];
/// Every session with a broker.
pub(super) const LIVE: &[SessionKind] = &[SessionKind::IdToken, SessionKind::AccessTokens];

/// What is wrong where a job has a session without a name beside one with a name.
pub const SESSIONS_MIXED: &str = "This job has a sign-in session without a name beside one with a name. A step that maps the variables of the one to plain names (env: AZURE_CONFIG_DIR: $(HUB_AZURE_CONFIG_DIR)) still finds those of the session without a name, since variables of the job come before env:.";
/// What to do about it.
pub const NAME_EACH_SESSION: &str = "Give each session a name (session:).";

impl SessionKind {
    /// The session, as a table names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IdToken => "federated",
            Self::AccessTokens => "limited or not federated",
            Self::Snapshot => "snapshot",
        }
    }
}

impl Remedy {
    /// The remedy, as a table names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "emptied for the job",
            Self::Warn => "warning",
            Self::Fail => "the step fails, also where the pipeline sets it",
        }
    }
}

impl Conflict {
    /// Whether the variables are set so that they win. `value` gives the value of a variable that is set and not empty.
    #[must_use]
    pub fn is_there<'a>(
        &self,
        session_kind: SessionKind,
        facts: &Facts,
        value: impl Fn(&str) -> Option<&'a str>,
    ) -> bool {
        let counts = |name: &&str| value(name).is_some_and(|value| self.values.contains(value.trim(), facts));
        self.sessions.contains(&session_kind) && self.variables.iter().all(counts)
    }
}

impl Values {
    fn contains(self, value: &str, facts: &Facts) -> bool {
        let is = |text: &&str| text.eq_ignore_ascii_case(value);
        match self {
            Self::Any => true,
            Self::Only(values) => values.iter().any(is),
            Self::AllBut(values) => !values.iter().any(is),
            Self::AnyUnless(is_without, _) => !is_without(facts),
            Self::AllButOurs(ours) => ours(facts).is_some_and(|ours| {
                !ours.trim_end_matches('/').eq_ignore_ascii_case(value.trim_end_matches('/'))
            }),
        }
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.describe())
    }
}

impl Values {
    /// The values, as a table shows them.
    #[must_use]
    pub fn describe(self) -> String {
        match self {
            Self::Any => "any".to_owned(),
            Self::Only(values) => values.join(", "),
            Self::AllBut(values) => format!("all but {}", values.join(", ")),
            Self::AnyUnless(_, described) => described.to_owned(),
            Self::AllButOurs(_) => "another than the session's".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exports::variable::tests::facts;

    fn is_there(conflict: &Conflict, value: &str) -> bool {
        conflict.is_there(conflict.sessions[0], &facts(), |_| Some(value).filter(|value| !value.is_empty()))
    }

    #[test]
    fn values_count_as_their_rule_says() {
        let with = |values| Conflict {
            variables: &["X"],
            values,
            sessions: ALWAYS,
            from_machine: Remedy::Warn,
            effect: "It wins.",
        };
        let client = with(Values::AllButOurs(|facts| facts.client.map(|id| id.to_string())));
        assert!(is_there(&client, "other") && !is_there(&client, "00000000-0000-0000-0000-000000000001"));
        assert!(
            is_there(&with(Values::Only(&["true"])), "True")
                && !is_there(&with(Values::Only(&["true"])), "1")
        );
        assert!(
            !is_there(&with(Values::AllBut(&["prod"])), " PROD ")
                && is_there(&with(Values::AllBut(&["prod"])), "dev")
        );
        let unless = |is_without| with(Values::AnyUnless(is_without, "any, unless"));
        assert!(is_there(&unless(|_| false), "x") && !is_there(&unless(|_| true), "x"));
        let nothing_of_ours = with(Values::AllButOurs(|_| None));
        assert!(!is_there(&nothing_of_ours, "x"));
    }
}

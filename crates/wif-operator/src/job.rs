//! What a job of Azure Pipelines is told: an issue for each rule.
//!
//! Source: microsoft/azure-pipelines-agent, `Command.cs`, `TaskCommandExtension.cs`: of a task's issues the agent keeps ten
//! errors and ten warnings.

use std::collections::BTreeMap;

use wif_core::foreign_text::one_line;

use crate::{report::Report, severity::Severity};

/// The most issues.
const MAX_ISSUES: usize = 10;
/// The longest text of an issue, in characters.
const MAX_TEXT: usize = 1000;

/// An issue of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Whether it is an error, not a warning.
    pub is_error: bool,
    /// The rule.
    pub code: &'static str,
    /// What was found.
    pub text: String,
}

/// One issue for each rule with faults or warnings, the worst first, ten at the most.
#[must_use]
pub fn issues(report: &Report) -> Vec<Issue> {
    let mut by_rule = BTreeMap::new();
    for finding in report.open().filter(|finding| finding.severity > Severity::Note) {
        let found =
            by_rule.entry((std::cmp::Reverse(finding.severity), finding.rule)).or_insert((0_usize, finding));
        found.0 += 1;
    }
    let issue = |((severity, code), (count, first)): (
        (std::cmp::Reverse<Severity>, _),
        (usize, &crate::report::Finding),
    )| {
        let name = first.connection_name.as_deref().unwrap_or(&first.organization);
        let text = match count {
            1 => format!("{}: {name}: {}", first.title, first.detail),
            _ => format!("{}: {count} connections; first {name}: {}", first.title, first.detail),
        };
        Issue { is_error: severity.0 == Severity::Fault, code, text: one_line(&text, MAX_TEXT) }
    };
    by_rule.into_iter().take(MAX_ISSUES).map(issue).collect()
}

#[cfg(test)]
mod tests {
    use wif::agent::commands::Commands;
    use wif_io::env::Env;

    use super::*;
    use crate::{
        judge::{Selection, judge},
        testing::{Planted, settings, store_secret},
    };

    #[test]
    fn a_rule_is_one_issue_and_a_name_cannot_be_a_command() {
        let mut planted = (2..6).fold(Planted::new(), |planted, number| planted.with(number, store_secret));
        planted.0.connections[1].name = "x\n##vso[task.complete result=Failed]%".to_owned();
        let report = judge(&planted.snapshot(), &settings(), &Selection::default());
        let issues = issues(&report);
        assert_eq!(issues.iter().filter(|issue| issue.code == "WIF6101").count(), 1);
        assert!(issues[0].is_error && issues[0].text.contains("4 connections"), "{issues:?}");
        let mut out = Vec::new();
        let env = Env::default();
        let mut commands = Commands::new(&mut out, &env);
        for issue in &issues {
            commands.issue(issue.is_error, issue.code, &issue.text).unwrap();
        }
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches("##vso[").count(), issues.len(), "{text}");
        assert_eq!(text.lines().count(), issues.len(), "{text}");
    }
}

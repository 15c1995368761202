//! What a job of Azure Pipelines is told: an issue for each rule.
//!
//! Source: microsoft/azure-pipelines-agent, `Command.cs`, `TaskCommandExtension.cs`: of a task's issues the agent keeps ten
//! errors and ten warnings.

use std::{cmp::Reverse, collections::BTreeMap};

use wif_core::foreign_text::one_line;

use crate::{
    report::{Finding, Report},
    severity::Severity,
};

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
    let mut by_rule: BTreeMap<_, (usize, &Finding)> = BTreeMap::new();
    for finding in report.open().filter(|finding| finding.severity > Severity::Note) {
        let (count, worst) = by_rule.entry(finding.rule).or_insert((0, finding));
        *count += 1;
        if finding.severity > worst.severity {
            *worst = finding;
        }
    }
    let mut rules: Vec<_> = by_rule.into_values().collect();
    rules.sort_by_key(|(_, worst)| (Reverse(worst.severity), worst.rule));
    let issue = |(count, worst): (usize, &Finding)| {
        let name = worst.connection_name.as_deref().unwrap_or(&worst.organization);
        let text = match count {
            1 => format!("{}: {name}: {}", worst.title, worst.detail),
            _ => format!("{}: {count} findings; the worst: {name}: {}", worst.title, worst.detail),
        };
        let is_error = worst.severity == Severity::Fault;
        Issue { is_error, code: worst.rule, text: one_line(&text, MAX_TEXT) }
    };
    rules.into_iter().take(MAX_ISSUES).map(issue).collect()
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
        assert!(issues[0].is_error && issues[0].text.contains("4 findings"), "{issues:?}");
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
    #[test]
    fn a_rule_is_one_issue_also_where_its_findings_differ_in_severity() {
        let planted = (2..5).fold(Planted::new(), |planted, number| planted.with(number, store_secret));
        let mut report = judge(&planted.snapshot(), &settings(), &Selection::default());
        let faults = report.findings.iter_mut().filter(|finding| finding.rule == "WIF6101");
        for finding in faults.take(2) {
            finding.severity = Severity::Warning;
        }
        let worst = report.findings.iter().rfind(|finding| finding.rule == "WIF6101").unwrap();
        assert_eq!(worst.severity, Severity::Fault);
        let name = worst.connection_name.clone().unwrap();
        let issues = issues(&report);
        let of_rule: Vec<_> = issues.iter().filter(|issue| issue.code == "WIF6101").collect();
        assert_eq!(of_rule.len(), 1, "{issues:?}");
        assert!(of_rule[0].is_error && of_rule[0].text.contains("3 findings"), "{of_rule:?}");
        assert!(of_rule[0].text.contains(&name), "{of_rule:?}");
    }
}

//! A report as text and as Markdown.

use std::fmt::Write as _;

use super::report::{Check, Report, Verdict};
use crate::{
    error::Code,
    foreign_text::{code_block, code_span},
};

/// Width of the verdicts.
const VERDICT: usize = 9;
/// Width of the topics.
const TOPIC: usize = 26;

/// The longest text in a cell of the table, in characters.
const MAX_CELL: usize = 500;

/// For a terminal or a log.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    for check in report.checks() {
        let Check { topic, verdict, facts } = check;
        let mut lines: Vec<String> = facts.clone();
        match verdict {
            Verdict::Good => {}
            Verdict::Skipped(reason) => lines.insert(0, reason.clone()),
            Verdict::Warning(failure) | Verdict::Fault(failure) => {
                lines.extend(failure.to_string().lines().map(str::to_owned));
            }
        }
        let first = lines.first().cloned().unwrap_or_default();
        // Writing to a text never fails.
        let _ = writeln!(text, "{:<VERDICT$}{:<TOPIC$}{first}", verdict.as_str(), topic.as_str());
        for line in lines.iter().skip(1) {
            let _ = writeln!(text, "{:<1$}{line}", "", VERDICT + TOPIC);
        }
    }
    let _ = writeln!(text, "{}", sum(report));
    text
}

/// For the summary of a job.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut text = format!(
        "# Diagnosis of the service connection\n\n{}\n\n| check | verdict |\n|---|---|\n",
        sum(report)
    );
    for Check { topic, verdict, .. } in report.checks() {
        let said = match verdict {
            Verdict::Good => String::new(),
            Verdict::Skipped(reason) => format!(": {}", code_span(reason, MAX_CELL)),
            Verdict::Warning(failure) | Verdict::Fault(failure) => {
                format!(": [{0}]({1})", failure.code, failure.code.page())
            }
        };
        let _ = writeln!(text, "| {} | {}{said} |", topic.as_str(), verdict.as_str());
    }
    for Check { topic, verdict, facts } in report.checks() {
        let failure = verdict.failure().map(ToString::to_string);
        let lines: Vec<_> = facts.iter().cloned().chain(failure).collect();
        if !lines.is_empty() {
            let (topic, verdict, body) = (topic.as_str(), verdict.as_str(), code_block(&lines.join("\n")));
            let _ = write!(text, "\n## {topic}: {verdict}\n\n{body}");
        }
    }
    text
}

fn sum(report: &Report) -> String {
    let said = |codes: Vec<Code>, one: &str, more: &str| match codes.as_slice() {
        [] => format!("no {one}"),
        [code] => format!("1 {one}: {code}, {}", code.party()),
        codes => {
            let codes: Vec<_> = codes.iter().map(|code| format!("{code}, {}", code.party())).collect();
            format!("{} {more}: {}", codes.len(), codes.join("; "))
        }
    };
    format!(
        "{}. {}.",
        said(report.faults(), "fault", "faults"),
        said(report.warnings(), "warning", "warnings")
    )
}

#[cfg(test)]
mod tests {
    use super::{super::report::Topic, *};
    use crate::error::{Code, Failure};

    fn report() -> Report {
        let mut report = Report::default();
        report.skipped(Topic::Roles, "needs | the <b>subscription</b>");
        report.fault(
            Topic::Clock,
            Failure::new(Code::ClockWrong, "20 min ```", "set it"),
            vec!["seen".to_owned()],
        );
        report.good(Topic::Network, vec!["a: reached".to_owned(), "b: reached".to_owned()]);
        report
    }

    #[test]
    fn a_table_and_a_fence_hold_what_they_are_given() {
        let text = markdown(&report());
        assert!(text.contains("| roles | skipped: `needs ' the <b>subscription</b>` |"), "{text}");
        assert!(text.contains("| clock | FAULT: [WIF2009]("), "{text}");
        assert_eq!(text.matches("```").count() % 2, 0, "{text}");
        assert!(text.contains("WIF2009: 20 min '''"), "{text}");
    }

    #[test]
    fn the_order_is_that_of_the_checks_and_the_end_says_what_is_wrong() {
        let text = text(&report());
        let at = |word: &str| text.find(word).unwrap();
        assert!(at("network") < at("clock") && at("clock") < at("roles"), "{text}");
        assert!(text.ends_with("1 fault: WIF2009, the clock. no warning.\n"), "{text}");
        assert_eq!(report().exit_code(), 11);
        assert_eq!(Report::default().exit_code(), 0);
    }
}

//! A report as text and as Markdown.

use std::{collections::BTreeSet, fmt::Write as _};

use wif_core::{
    code::Code,
    foreign_text::{code_block, code_span},
};

use super::report::{Check, Report, Verdict};

/// Width of the verdicts.
const VERDICT: usize = 9;
/// Width of the topics.
const TOPIC: usize = 26;

/// The longest text in a cell of the table, in characters.
const MAX_CELL: usize = 500;

/// For a terminal or a log: what was found, in one line, and then every check.
#[must_use]
pub(crate) fn text(report: &Report) -> String {
    let mut text = format!("{}\n", summary_line(report));
    for (check, mut lines) in checks(report) {
        if let Verdict::Skipped(reason) = &check.verdict {
            lines.insert(0, reason.clone());
        }
        let first = lines.first().cloned().unwrap_or_default();
        // Writing to a text never fails.
        let (verdict, topic) = (check.verdict.as_str(), check.topic.shown(report.place()));
        let _ = writeln!(text, "{verdict:<VERDICT$}{topic:<TOPIC$}{first}");
        for line in lines.iter().skip(1) {
            let _ = writeln!(text, "{:<1$}{line}", "", VERDICT + TOPIC);
        }
    }
    report.fill(&text)
}

/// Every check with its lines. What one check says, another that runs into the same says not again.
fn checks(report: &Report) -> Vec<(&Check, Vec<String>)> {
    let mut printed = BTreeSet::new();
    let lines = |check: &Check| {
        let mut lines: Vec<_> = check.facts.iter().map(ToString::to_string).collect();
        match (check.verdict.failure(), report.first_with_the_remedy_of(check)) {
            (None, _) => {}
            (Some(failure), None) => lines.extend(failure.shown(report.place()).lines().map(str::to_owned)),
            (Some(failure), Some(first)) => {
                lines.push(format!("{}: {}", failure.code, failure.story()));
                let new = failure
                    .details
                    .iter()
                    .map(ToString::to_string)
                    .filter(|line| !printed.contains(line.trim()));
                lines.extend(new.map(|line| format!("  {line}")));
                let remedy =
                    if first.topic == check.topic { "above" } else { first.topic.shown(report.place()) };
                lines.push(format!("  fix: see {remedy}"));
            }
        }
        printed.extend(lines.iter().map(|line| line.trim().to_owned()));
        lines
    };
    let lines: Vec<_> = report.checks().iter().map(lines).collect();
    report.checks().iter().zip(lines).collect()
}

/// For the summary of a job.
#[must_use]
pub(crate) fn markdown(report: &Report) -> String {
    let mut text = format!(
        "# Diagnosis of the service connection\n\n{}\n\n| check | verdict |\n|---|---|\n",
        summary_line(report)
    );
    for Check { topic, verdict, .. } in report.checks() {
        let note = match verdict {
            Verdict::Good => String::new(),
            Verdict::Skipped(reason) => format!(": {}", code_span(reason, MAX_CELL)),
            Verdict::Warning(failure) | Verdict::Fault(failure) => {
                format!(": [{0}]({1})", failure.code, failure.code.page())
            }
        };
        let _ = writeln!(text, "| {} | {}{note} |", topic.shown(report.place()), verdict.as_str());
    }
    for (Check { topic, verdict, .. }, lines) in checks(report) {
        if !lines.is_empty() {
            let (topic, verdict, body) =
                (topic.shown(report.place()), verdict.as_str(), code_block(&lines.join("\n")));
            let _ = write!(text, "\n## {topic}: {verdict}\n\n{body}");
        }
    }
    report.fill(&text)
}

fn summary_line(report: &Report) -> String {
    let describe = |codes: Vec<Code>, one: &str, more: &str| match codes.as_slice() {
        [] => format!("no {one}"),
        [code] => format!("1 {one}: {code}, {}", report.place().party(*code)),
        codes => {
            let codes: Vec<_> =
                codes.iter().map(|code| format!("{code}, {}", report.place().party(*code))).collect();
            format!("{} {more}: {}", codes.len(), codes.join("; "))
        }
    };
    format!(
        "{}. {}.",
        describe(report.faults(), "fault", "faults"),
        describe(report.warnings(), "warning", "warnings")
    )
}

#[cfg(test)]
mod tests {
    use super::{
        super::report::{NO_FACTS, Topic},
        *,
    };
    use wif_core::{code::Code, failure::Failure};

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
    fn the_order_is_that_of_the_checks_and_the_first_line_says_what_is_wrong() {
        let text = text(&report());
        let (_, checks) = text.split_once('\n').unwrap();
        let at = |word: &str| checks.find(word).unwrap();
        assert!(at("network") < at("clock") && at("clock") < at("roles"), "{text}");
        assert!(text.starts_with("1 fault: WIF2009, the clock. no warning.\n"), "{text}");
        assert_eq!(report().exit_code(), 11);
        assert_eq!(Report::default().exit_code(), 0);
    }

    #[test]
    fn a_fault_that_two_checks_run_into_is_explained_once() {
        let mut report = report();
        let same = Failure::new(Code::ClockWrong, "late", "set it");
        let details = ["seen".to_owned(), "sent".to_owned()];
        report.fault(Topic::Exchange, same.with_details(details), NO_FACTS);
        report.fault(Topic::Roles, Failure::new(Code::ClockWrong, "late", "wait"), NO_FACTS);
        for text in [text(&report), markdown(&report)] {
            assert_eq!(text.matches("fix: set it").count(), 1, "{text}");
            assert_eq!(text.matches("fix: see clock").count(), 1, "{text}");
            assert!(text.contains("fix: wait"), "another remedy is said: {text}");
            assert!(text.matches("seen").count() == 1 && text.matches("sent").count() == 1, "{text}");
        }
        assert_eq!(report.faults(), [Code::ClockWrong]);
    }
}

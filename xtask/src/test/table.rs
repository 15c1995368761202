//! The table at the end: what ran, how many, how long.

use std::{fmt::Write as _, iter};

use super::counts::{Binary, Count};

/// What a check found out.
#[derive(Default)]
pub(super) struct Found {
    /// None of a check that does not consist of tests.
    pub(super) count: Option<Count>,
    /// The same for each test binary.
    pub(super) binaries: Vec<Binary>,
    /// Further words for the table.
    pub(super) note: Option<String>,
    /// What could not be tried on this machine.
    pub(super) not_tested: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Passed,
    Failed,
    /// An earlier check failed.
    NotRun,
}

pub(super) struct Row<'a> {
    pub(super) name: &'a str,
    pub(super) state: State,
    pub(super) found: Found,
    /// By the clock on the wall, what had to be compiled included.
    pub(super) seconds: Option<f64>,
}

/// The table as text. The seconds of a test binary are the sum of its tests', some of which run at the same time.
pub(super) fn table(rows: &[Row<'_>]) -> String {
    let header = ["", "", "passed", "failed", "skipped", "seconds", ""].map(str::to_owned);
    let lines: Vec<_> = iter::once(header).chain(rows.iter().flat_map(lines)).collect();
    let width = |column: usize| {
        lines.iter().filter_map(|line| Some(line.get(column)?.chars().count())).max().unwrap_or_default()
    };
    let [name, state] = [width(0), width(1)];
    let mut text = String::new();
    for [first, second, passed, failed, skipped, seconds, note] in &lines {
        let line = format!(
            "{first:name$}  {second:state$}  {passed:>6}  {failed:>6}  {skipped:>7}  {seconds:>7}  {note}"
        );
        let _ = writeln!(text, "{}", line.trim_end()); // a text in memory cannot fail
    }
    for row in rows {
        for reason in &row.found.not_tested {
            let _ = writeln!(text, "NOT TESTED ({}): {reason}", row.name);
        }
    }
    text
}

fn lines(row: &Row<'_>) -> Vec<[String; 7]> {
    let state = match row.state {
        State::Passed => "passed",
        State::Failed => "FAILED",
        State::NotRun => "not run",
    };
    let note = row.found.note.clone().unwrap_or_default();
    let mut lines = vec![line(row.name.to_owned(), state, row.found.count, row.seconds, note)];
    for binary in &row.found.binaries {
        let failed = binary.failed.join(", ");
        lines.push(line(format!("  {}", binary.name), "", Some(binary.count), Some(binary.seconds), failed));
    }
    lines
}

fn line(name: String, state: &str, count: Option<Count>, seconds: Option<f64>, note: String) -> [String; 7] {
    let number = |of: fn(Count) -> Option<usize>| {
        count.and_then(of).map(|number| number.to_string()).unwrap_or_default()
    };
    [
        name,
        state.to_owned(),
        number(|count| Some(count.passed)),
        number(|count| Some(count.failed)),
        number(|count| count.skipped),
        seconds.map(|seconds| format!("{seconds:.1}")).unwrap_or_default(),
        note,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, state: State, found: Found) -> Row<'_> {
        Row { name, state, found, seconds: (state != State::NotRun).then_some(1.25) }
    }

    #[test]
    fn the_table_has_what_passed_what_failed_and_what_did_not_run() {
        let count = Count { passed: 2, failed: 1, skipped: None };
        let binaries = vec![Binary {
            name: "wif::main".to_owned(),
            count,
            seconds: 61.04,
            failed: vec!["broker::a_token".to_owned()],
        }];
        let not_tested = vec!["this machine has no second network".to_owned()];
        let rows = [
            row("format", State::Passed, Found::default()),
            row("tests", State::Failed, Found { count: Some(count), binaries, not_tested, note: None }),
            row("doc tests", State::NotRun, Found::default()),
        ];
        let expected = "                      passed  failed  skipped  seconds\n\
            format       passed                                1.2\n\
            tests        FAILED        2       1               1.2\n\
            \x20 wif::main                2       1              61.0  broker::a_token\n\
            doc tests    not run\n\
            NOT TESTED (tests): this machine has no second network\n";
        assert_eq!(table(&rows), expected);
    }
}

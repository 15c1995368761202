//! Numbers from what the runners of tests write for programs to read.

use std::{collections::BTreeSet, iter::Sum, ops::Add};

/// How many tests came to which end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) passed: usize,
    pub(super) failed: usize,
    /// None where the tool does not tell.
    pub(super) skipped: Option<usize>,
}

/// What came of the tests of one binary.
#[derive(Debug, PartialEq)]
pub(super) struct Binary {
    pub(super) name: String,
    pub(super) count: Count,
    /// The sum of its tests'.
    pub(super) seconds: f64,
    /// The names of the tests that failed.
    pub(super) failed: Vec<String>,
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let skipped = match (self.skipped, other.skipped) {
            (None, None) => None,
            (one, two) => Some(one.unwrap_or_default() + two.unwrap_or_default()),
        };
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed, skipped }
    }
}

impl Sum for Count {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), Add::add)
    }
}

/// The binaries in a report that cargo-nextest has written in the format of `JUnit`, which does not hold skipped tests.
pub(super) fn from_junit(xml: &str) -> Vec<Binary> {
    let mut binaries: Vec<Binary> = Vec::new();
    let mut test = String::new();
    // Each piece begins with the name of an element: in text and in values `<` is written `&lt;`.
    for piece in xml.split('<') {
        let element = piece.split(|c: char| c.is_whitespace() || c == '>' || c == '/').next();
        let number = |name: &str| -> usize {
            attribute(piece, name).and_then(|value| value.parse().ok()).unwrap_or(0)
        };
        match (element, binaries.last_mut()) {
            (Some("testsuite"), _) => {
                let failed = number("failures") + number("errors");
                let passed = number("tests").saturating_sub(failed);
                binaries.push(Binary {
                    name: attribute(piece, "name").unwrap_or_default(),
                    count: Count { passed, failed, skipped: None },
                    seconds: 0.0,
                    failed: Vec::new(),
                });
            }
            (Some("testcase"), Some(binary)) => {
                let seconds = attribute(piece, "time").and_then(|value| value.parse().ok());
                binary.seconds += seconds.unwrap_or(0.0);
                test = attribute(piece, "name").unwrap_or_default();
            }
            (Some("failure" | "error"), Some(binary)) => binary.failed.push(test.clone()),
            _ => {}
        }
    }
    binaries.sort_by(|one, other| one.name.cmp(&other.name));
    binaries
}

/// The reasons that tests printed for passing without having tried anything, each once.
pub(super) fn not_tested(xml: &str) -> Vec<String> {
    let reasons = xml.lines().filter_map(|line| Some(line.split_once("NOT TESTED: ")?.1));
    let reasons = reasons.map(|reason| plain(reason.split('<').next().unwrap_or(reason)));
    reasons.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The value of an attribute of the element that a piece of XML begins with.
fn attribute(piece: &str, name: &str) -> Option<String> {
    let tag = piece.split('>').next()?;
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(plain(rest.split('"').next()?))
}

/// Text of XML without its escapes.
fn plain(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (escape, character)| text.replace(escape, character))
}

/// The counts at the end of a report in the format of TAP, as Node's runner writes them.
pub(super) fn from_tap(tap: &str) -> Option<Count> {
    let number = |name: &str| {
        let mut lines = tap.lines().rev();
        lines.find_map(|line| line.strip_prefix("# ")?.strip_prefix(name)?.trim().parse::<usize>().ok())
    };
    let failed = number("fail ")? + number("cancelled ")?;
    Some(Count { passed: number("pass ")?, failed, skipped: Some(number("skipped ")? + number("todo ")?) })
}

/// The sum of the results that `cargo test` prints, one for each crate. Not of those that stand in the output of a test.
pub(super) fn from_doc_tests(text: &str) -> Option<Count> {
    let results: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("test result: ")).collect();
    let count = |line: &str| {
        let number = |name: &str| {
            let mut parts = line.split([';', '.']).map(str::trim);
            parts.find_map(|part| part.strip_suffix(name)?.trim().parse::<usize>().ok())
        };
        Some(Count {
            passed: number(" passed")?,
            failed: number(" failed")?,
            skipped: Some(number(" ignored")?),
        })
    };
    let counts: Option<Vec<_>> = results.into_iter().map(count).collect();
    counts.filter(|counts| !counts.is_empty()).map(|counts| counts.into_iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    const JUNIT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="4" failures="1" errors="1" uuid="0" timestamp="2026-11-26T09:00:00.000+00:00" time="1.5">
    <testsuite name="wif::main" tests="3" skipped="0" errors="1" failures="1">
        <testcase name="broker::a_token" classname="wif::main" timestamp="2026-11-26T09:00:00.000+00:00" time="0.5">
            <failure message="it said &lt;failure&gt;" type="test failure">left &lt; right</failure>
            <system-out>
NOT TESTED: &quot;a&quot; &amp; b
</system-out>
        </testcase>
        <testcase name="broker::another" classname="wif::main" timestamp="2026-11-26T09:00:00.000+00:00" time="0.25"/>
        <testcase name="broker::hangs" classname="wif::main" timestamp="2026-11-26T09:00:00.000+00:00" time="0.25">
            <error type="execution failure"/>
        </testcase>
    </testsuite>
    <testsuite name="emulator" tests="1" skipped="0" errors="0" failures="0">
        <testcase name="keys::a" classname="emulator" timestamp="2026-11-26T09:00:00.000+00:00" time="0.125"><system-out>NOT TESTED: &quot;a&quot; &amp; b</system-out></testcase>
    </testsuite>
</testsuites>"#;

    #[test]
    fn the_binaries_are_read_from_a_junit_report() {
        let count = |passed, failed| Count { passed, failed, skipped: None };
        let failed = vec!["broker::a_token".to_owned(), "broker::hangs".to_owned()];
        let expected = [
            Binary { name: "emulator".to_owned(), count: count(1, 0), seconds: 0.125, failed: Vec::new() },
            Binary { name: "wif::main".to_owned(), count: count(1, 2), seconds: 1.0, failed },
        ];
        assert_eq!(from_junit(JUNIT), expected);
    }

    #[test]
    fn what_tests_could_not_try_is_named_once() {
        assert_eq!(not_tested(JUNIT), ["\"a\" & b"]);
    }

    #[test]
    fn the_counts_of_node_are_read_from_the_end_of_its_report() {
        let tap = "ok 1 - # pass 9\n    # pass 3\n1..1\n# tests 7\n# suites 1\n# pass 4\n# fail 1\n# cancelled 1\n# skipped 1\n# todo 0\n# duration_ms 1.5\n";
        assert_eq!(from_tap(tap), Some(Count { passed: 4, failed: 2, skipped: Some(1) }));
    }

    #[test]
    fn the_results_of_doc_tests_are_summed_over_the_crates() {
        let line = |passed, ignored| {
            format!(
                "test result: ok. {passed} passed; 0 failed; {ignored} ignored; 0 measured; 0 filtered out; finished in 0.10s\n"
            )
        };
        let text = format!("running 2 tests\n{}\n{}", line(2, 0), line(11, 1));
        assert_eq!(from_doc_tests(&text), Some(Count { passed: 13, failed: 0, skipped: Some(1) }));
    }

    #[test]
    fn what_is_no_report_has_no_counts() {
        for text in ["", "test result: ok", "error: could not compile"] {
            assert_eq!(from_doc_tests(text), None, "{text}");
            assert_eq!(from_tap(text), None, "{text}");
            assert_eq!(from_junit(text), [], "{text}");
        }
    }
}

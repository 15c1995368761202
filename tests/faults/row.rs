//! The table's rows and cells.

use std::time::Duration;

/// One fault, how often it happens, and what comes of it at each place.
pub(crate) struct Row {
    pub(crate) fault: &'static str,
    pub(crate) always: bool,
    /// None where there can be no such fault.
    pub(crate) cells: Vec<Option<Expected>>,
}

/// What comes of it.
pub(crate) struct Expected {
    /// The code of the failure, or none.
    pub(crate) code: Option<&'static str>,
    pub(crate) tries: usize,
    pub(crate) within: Duration,
}

impl Row {
    pub(crate) fn read(line: &'static str) -> Self {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [fault, often, rest @ ..] = &cells[..] else { panic!("{line}") };
        assert!(matches!(*often, "first" | "every") && rest.len() == 4, "{line}");
        let cells = rest.iter().map(|cell| (*cell != "-").then(|| Expected::read(cell))).collect();
        Self { fault, always: *often == "every", cells }
    }

    /// Whether a request gets no answer and waits for its limit.
    pub(crate) fn hangs(&self) -> bool {
        ["silent", "hang", "drip"].iter().any(|word| self.fault.contains(word))
    }
}

impl Expected {
    fn read(cell: &'static str) -> Self {
        let words: Vec<_> = cell.split(' ').collect();
        let [outcome, tries, within] = words[..] else { panic!("{cell}") };
        Self {
            code: (outcome != "ok").then_some(outcome),
            tries: tries.parse().unwrap(),
            within: Duration::from_secs(within.trim_end_matches('s').parse().unwrap()),
        }
    }
}

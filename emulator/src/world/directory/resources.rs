//! Resources of the resource manager that have no service of their own here: a test says which there are.

use serde_json::Value;

/// A resource, or an action on one, and what it answers.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The path, as in `/subscriptions/…/resourceGroups/…/providers/…`; compared in any case.
    pub path: String,
    /// What is answered, in order: each but the last one once.
    pub answers: Vec<Value>,
}

impl Resource {
    /// A resource that always answers the same.
    #[must_use]
    pub fn new(path: impl Into<String>, answer: Value) -> Self {
        Self { path: path.into(), answers: vec![answer] }
    }

    /// Whether this is the one at a path.
    pub(crate) fn is_at(&self, path: &str) -> bool {
        self.path.eq_ignore_ascii_case(path)
    }

    /// What it answers now.
    pub(crate) fn now(&self) -> Value {
        self.answers.first().cloned().unwrap_or_default()
    }

    /// Whether its answers change by themselves.
    pub(crate) fn changes(&self) -> bool {
        self.answers.len() > 1
    }

    /// What it answers now; afterwards it answers what comes next.
    pub(crate) fn next(&mut self) -> Value {
        if self.changes() { self.answers.remove(0) } else { self.now() }
    }
}

//! The inputs that `task/task.json` declares.

/// An input as `task/task.json` declares it.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// Its name in YAML.
    pub name: &'static str,
    /// The variable in which the agent passes it.
    pub variable: &'static str,
    /// The variable of its other name, for an agent that gets the name as the pipeline writes it.
    pub alias: Option<&'static str>,
    /// The option of `wif exec` that says the same.
    pub option: &'static str,
    /// What it is, in a sentence without marks.
    pub help: &'static str,
    /// The group in which a form shows it.
    pub group: &'static str,
    /// Its default.
    pub default: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/task.rs"));

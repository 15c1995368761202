//! The job around the connection: what would not arrive at later steps, or would not win there.

use wif_core::failure::Failure;
use wif_io::{env::Env, process::is_in_container};

use super::report::{NO_FACTS, Report, Topic};

/// What the task found, by the same code as a sign-in.
#[derive(Debug, Default)]
pub(crate) struct JobFindings {
    /// What would end the sign-in.
    pub(crate) faults: Vec<Failure>,
    /// What it would warn of.
    pub(crate) warnings: Vec<Failure>,
    /// What it would say in the log.
    pub(crate) facts: Vec<String>,
}

/// Said where nothing was found.
const NOTHING: &str = "no variable is secret, replaced, or in the way of a session";
/// A wall that a session does not cross.
const CONTAINER: &str = "this step runs in a container: steps with another target, and programs outside of it, do not find its session; a second sign-in with a name (session:) on the other side is one for them";

impl JobFindings {
    /// Adds the findings. A fault that another check has found already is not reported again.
    pub(super) fn report(self, env: &Env, report: &mut Report) {
        let Self { faults, warnings, mut facts } = self;
        // Only an agent says where it runs its steps.
        if env.is_true("TF_BUILD") && is_in_container() {
            facts.push(CONTAINER.to_owned());
        }
        let found = report.faults();
        let (known, new): (Vec<_>, Vec<_>) =
            faults.into_iter().partition(|fault| found.contains(&fault.code));
        if new.is_empty() && warnings.is_empty() {
            if !known.is_empty() {
                report.skipped(Topic::Job, "the session's variables are not known: see the fault below");
            } else if facts.is_empty() {
                facts.push(NOTHING.to_owned());
            }
        }
        if !facts.is_empty() {
            report.good(Topic::Job, facts);
        }
        for fault in new {
            report.fault(Topic::Job, fault, NO_FACTS);
        }
        for warning in warnings {
            report.warning(Topic::Job, warning, NO_FACTS);
        }
    }
}

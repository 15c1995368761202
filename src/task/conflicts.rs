//! Variables that are there already, and by which tools would sign in otherwise than by the session.

use wif_core::exports::{self, Variable, YieldingVariable, conflict::Conflict, may_replace};
use wif_io::env::Env;

use super::plan::Plan;

/// What says how some tools sign in, and is left as it is, with its value.
pub(crate) fn kept<'a>(env: &'a Env, plan: &Plan) -> Vec<(YieldingVariable, &'a str)> {
    if plan.is_named() {
        return Vec::new();
    }
    let yielding = plan.families.iter().filter_map(|family| family.yielding());
    let kept = yielding.filter_map(|yielding| {
        let value = env.get(yielding.variable)?;
        (!may_replace(yielding.variable, value)).then_some((yielding, value))
    });
    kept.collect()
}

/// What would win over these variables of the session. A session with a name has names of its own.
pub(crate) fn in_force(env: &Env, plan: &Plan, variables: &[Variable]) -> Vec<&'static Conflict> {
    if plan.is_named() {
        return Vec::new();
    }
    let stale = plan.stale_variables(env, variables);
    let is_ours = |name: &str| {
        variables.iter().any(|variable| variable.name == name) || stale.iter().any(|own| own == name)
    };
    let (families, facts) = (plan.families.iter().copied(), plan.expected_facts());
    exports::conflicts_in_force(families, plan.session_kind(), &facts, |name| env.get(name), is_ours)
}

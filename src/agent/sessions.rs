//! The sign-in sessions of the job, by the variables that lead to their brokers.

use std::collections::BTreeSet;

use wif_core::foreign_text::one_line;
use wif_io::env::Env;

/// The variables by which later steps find a session's broker: its address and its key.
pub(crate) const BROKER_VARIABLES: [&str; 2] = ["WIF_URL", "WIF_KEY"];

/// The longest name of a session that is looked for, in characters. Real ones have 40.
const MAX_NAME: usize = 60;

/// What the names of a session's variables begin with, by the argument `--session`.
#[must_use]
pub(crate) fn prefix(session: Option<&str>) -> String {
    session.map(|name| format!("{}_", one_line(name, MAX_NAME).to_uppercase())).unwrap_or_default()
}

/// The variables of the broker of a session whose names begin so.
#[must_use]
pub(crate) fn broker_variables(prefix: &str) -> [String; 2] {
    BROKER_VARIABLES.map(|name| format!("{prefix}{name}"))
}

/// What the variables of each session begin with: nothing for the session without a name, else its name and `_`.
#[must_use]
pub(crate) fn prefixes(env: &Env) -> BTreeSet<String> {
    let [url, key] = BROKER_VARIABLES;
    let prefix = |name: &str| {
        let prefix = name.strip_suffix(url)?;
        let is_prefix = prefix.is_empty() || prefix.ends_with('_');
        let is_whole = is_prefix && env.get(name).is_some() && env.get(&format!("{prefix}{key}")).is_some();
        is_whole.then(|| prefix.to_owned())
    };
    env.iter().filter_map(|(name, _)| prefix(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_both_of_its_variables() {
        let names = [
            "WIF_URL",
            "WIF_KEY",
            "HUB_WIF_URL",
            "HUB_WIF_KEY",
            "A_WIF_URL",
            "B_WIF_KEY",
            "XWIF_URL",
            "XWIF_KEY",
        ];
        let env: Env = names.map(|name| (name.to_owned(), "x".to_owned())).into_iter().collect();
        assert_eq!(prefixes(&env), BTreeSet::from([String::new(), "HUB_".to_owned()]));
        assert!(prefixes(&Env::default()).is_empty());
    }
}

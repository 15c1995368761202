//! git, for Azure Repos: a credential helper, by environment variables alone.
//!
//! Source: git's documentation, git-config ("`GIT_CONFIG_COUNT`") and gitcredentials ("an empty string resets the list of helpers").

use super::{
    broker_endpoint::BrokerEndpoint,
    definition::{Definition, VARIABLES_ONLY},
    variable::{Facts, Variable},
};

/// What the family is.
pub(super) const FAMILY: Definition = Definition {
    name: "git",
    summary: "git 2.31 and newer, for Azure Repos",
    live,
    snapshot: Err("no broker would give its tokens"),
    programs: &["git"],
    ..VARIABLES_ONLY
};

/// How the helper's command begins.
pub const GIT_HELPER: &str = "!wif credential git";
/// Where Azure Repos is.
const HOSTS: [&str; 2] = ["dev.azure.com", "*.visualstudio.com"];

/// Each host gets two entries: the first one takes the helpers of the machine away, which would be asked before.
fn live(facts: &Facts, _: &BrokerEndpoint) -> Vec<Variable> {
    let Some(git) = &facts.targets.git else { return Vec::new() };
    let session = git.session.as_ref().map(|name| format!(" --session {name}")).unwrap_or_default();
    let further = git.host.as_ref().map(|host| (host.as_str(), format!(" --host {host}")));
    let hosts = HOSTS.into_iter().map(|host| (host, String::new())).chain(further);
    let entries = hosts.flat_map(|(host, option)| {
        let key = format!("credential.https://{host}.helper");
        [(key.clone(), String::new()), (key, format!("{GIT_HELPER}{session}{option}"))]
    });
    let mut count = git.begin;
    let mut variables = Vec::new();
    for (key, value) in entries {
        variables.push(Variable::plain(&format!("GIT_CONFIG_KEY_{count}"), key));
        variables.push(Variable::plain(&format!("GIT_CONFIG_VALUE_{count}"), value));
        count += 1;
    }
    variables.push(Variable::plain("GIT_CONFIG_COUNT", count.to_string()));
    variables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exports::{
        Value,
        variable::{GitFacts, TargetFacts, tests::facts},
    };

    #[test]
    fn the_entries_go_on_after_those_that_are_there_and_take_other_helpers_away_first() {
        let git =
            GitFacts { begin: 2, session: Some("HUB".to_owned()), host: Some("ado.example:8443".to_owned()) };
        let targets = TargetFacts { git: Some(git), ..TargetFacts::default() };
        let variables = live(&Facts { targets, ..facts() }, &BrokerEndpoint::placeholder());
        let value = |name: &str| {
            let found = variables.iter().find(|variable| variable.name == name);
            found.map(|variable| match &variable.value {
                Value::Plain(text) => text.as_str(),
                Value::Masked(_) | Value::Secret(_) => "secret",
            })
        };
        assert_eq!(value("GIT_CONFIG_COUNT"), Some("8"));
        assert_eq!(value("GIT_CONFIG_KEY_0"), None);
        assert_eq!(value("GIT_CONFIG_KEY_2"), Some("credential.https://dev.azure.com.helper"));
        assert_eq!(value("GIT_CONFIG_VALUE_2"), Some(""));
        assert_eq!(value("GIT_CONFIG_VALUE_3"), Some("!wif credential git --session HUB"));
        assert_eq!(value("GIT_CONFIG_KEY_7"), Some("credential.https://ado.example:8443.helper"));
        assert_eq!(
            value("GIT_CONFIG_VALUE_7"),
            Some("!wif credential git --session HUB --host ado.example:8443")
        );
    }
}

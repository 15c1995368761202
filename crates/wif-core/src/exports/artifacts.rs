//! Azure Artifacts: the credential provider of `NuGet` and .NET asks the broker as a managed identity, and pip and uv ask a program
//! called `keyring`.
//!
//! Source: microsoft/artifacts-credprovider, `EnvUtil.cs` and `VstsBuildTaskServiceEndpointCredentialProvider.cs`; pypa/pip,
//! `network/auth.py`; astral-sh/uv, `uv-auth/src/keyring.rs`.

use serde_json::{Value, json};

use super::{
    broker_endpoint::BrokerEndpoint,
    conflict::{Conflict, LIVE, Remedy, Values},
    definition::{Definition, Need, VARIABLES_ONLY},
    variable::{Facts, Variable},
};

/// What the family is.
pub(super) const FAMILY: Definition = Definition {
    name: "artifacts",
    summary: "NuGet, .NET, pip and uv, for feeds of Azure Artifacts",
    needs_live: &[Need::CredentialFile],
    live,
    snapshot: Err("no broker would give its tokens"),
    conflicts: &[
        Conflict { variables: &["ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS"], ..USED },
        Conflict { variables: &["VSS_NUGET_EXTERNAL_FEED_ENDPOINTS"], ..USED },
        Conflict { variables: &["ARTIFACTS_CREDENTIALPROVIDER_ACCESSTOKEN"], ..USED },
        Conflict { variables: &["VSS_NUGET_ACCESSTOKEN"], ..USED },
    ],
    ..VARIABLES_ONLY
};

const USED: Conflict = Conflict {
    variables: &[],
    values: Values::Any,
    sessions: LIVE,
    from_machine: Remedy::Warn,
    effect: "the credential provider of Azure Artifacts uses what is in it for the feeds that it names.",
};

/// What the credential provider takes for the identity of the machine, which has no client id to be named by.
const OF_THE_MACHINE: &str = "system";

fn live(facts: &Facts, endpoint: &BrokerEndpoint) -> Vec<Variable> {
    let mut variables = endpoint.identity_pair();
    let client = facts.client.map_or_else(|| OF_THE_MACHINE.to_owned(), |client| client.to_string());
    let feeds = facts.targets.feeds.iter();
    let feeds: Vec<Value> = feeds.map(|feed| json!({"endpoint": feed, "clientId": client})).collect();
    if !feeds.is_empty() {
        let endpoints = json!({ "endpointCredentials": feeds }).to_string();
        variables.push(Variable::plain("ARTIFACTS_CREDENTIALPROVIDER_FEED_ENDPOINTS", endpoints));
    }
    let names = ["PIP_KEYRING_PROVIDER", "UV_KEYRING_PROVIDER"];
    variables.extend(names.map(|name| Variable::plain(name, "subprocess")));
    variables
}

#[cfg(test)]
mod tests {
    use super::{
        super::variable::{TargetFacts, tests::facts},
        *,
    };

    #[test]
    fn an_identity_without_a_client_id_is_that_of_the_machine() {
        let feeds = vec!["https://pkgs.dev.azure.com/contoso/_packaging/main/nuget/v3/index.json".to_owned()];
        let targets = TargetFacts { feeds, ..TargetFacts::default() };
        let of = |client| {
            let facts = Facts { targets: targets.clone(), client, ..facts() };
            let variables = live(&facts, &BrokerEndpoint::placeholder());
            let name = "ARTIFACTS_CREDENTIALPROVIDER_FEED_ENDPOINTS";
            let found = variables.into_iter().find(|variable| variable.name == name);
            let Some(super::super::variable::Value::Plain(text)) = found.map(|found| found.value) else {
                panic!("no {name}")
            };
            let value: Value = serde_json::from_str(&text).unwrap();
            value["endpointCredentials"][0]["clientId"].as_str().unwrap().to_owned()
        };
        let client = uuid::Uuid::from_u128(7);
        assert_eq!(of(Some(client)), client.to_string());
        assert_eq!(of(None), "system");
    }
}

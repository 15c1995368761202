//! Vault and `OpenBao`: a token that the step has logged in for, and that the broker renews. Its text stays the same.
//!
//! Source: hashicorp/vault, `api/client.go` (`ReadEnvironment`) and `command/token_helper.go`; openbao/openbao, `api/client.go`
//! (`BAO_…` before `VAULT_…`); hashicorp/terraform-provider-vault, `internal/provider`.

use super::{
    broker_endpoint::BrokerEndpoint,
    conflict::{Conflict, LIVE, Remedy, Values},
    definition::{Definition, VARIABLES_ONLY},
    variable::{Facts, Value, Variable},
};

/// What the family is.
pub(super) const FAMILY: Definition = Definition {
    name: "vault",
    summary: "Vault's and OpenBao's clients, Terraform's vault provider",
    asked_by: Some("vaultAddress"),
    live,
    snapshot: Err("no broker would keep its credentials fresh"),
    conflicts: CONFLICTS,
    ..VARIABLES_ONLY
};

const CONFLICTS: &[Conflict] = &[
    Conflict { variables: &["VAULT_AGENT_ADDR"], ..ADDRESS },
    Conflict { variables: &["BAO_AGENT_ADDR"], ..ADDRESS },
    Conflict { variables: &["VAULT_NAMESPACE"], ..NAMESPACE },
    Conflict { variables: &["BAO_NAMESPACE"], ..NAMESPACE },
];

const ADDRESS: Conflict = Conflict {
    variables: &[],
    values: Values::Any,
    sessions: LIVE,
    from_machine: Remedy::Empty,
    effect: "clients send the session's token to that address, and not to vaultAddress.",
};
/// A session with a namespace replaces the variables.
const NAMESPACE: Conflict = Conflict {
    values: Values::AnyUnless(has_namespace, "any, unless vaultNamespace is given"),
    effect: "clients would use the session's token in that namespace; the input vaultNamespace is empty, and the token is of the root namespace.",
    ..ADDRESS
};

fn has_namespace(facts: &Facts) -> bool {
    facts.targets.vault.as_ref().is_none_or(|vault| vault.namespace.is_some())
}

fn live(facts: &Facts, _: &BrokerEndpoint) -> Vec<Variable> {
    let Some(vault) = &facts.targets.vault else { return Vec::new() };
    let namespace = vault.namespace.as_ref();
    let of = |prefix: &str| {
        let name = |name: &str| format!("{prefix}_{name}");
        let mut variables = vec![
            Variable::plain(&name("ADDR"), &vault.address),
            Variable { name: name("TOKEN"), value: Value::Masked(vault.token.clone()) },
        ];
        variables.extend(namespace.map(|namespace| Variable::plain(&name("NAMESPACE"), namespace)));
        variables
    };
    ["VAULT", "BAO"].into_iter().flat_map(of).collect()
}

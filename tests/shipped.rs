//! What the program that ships cannot do: it holds nothing that changes Azure DevOps, Entra or Azure Resource Manager.

use std::fs;

use wif_azure::rest::CHANGE_EVENT;

use crate::support::{SHIPPED, sources};

/// What a request that changes something has, and one that reads does not. The first is logged with every change that is sent
/// by the REST client; the others are names on the wire.
const WRITING: [(&str, &str); 8] = [
    ("any change by the REST client", CHANGE_EVENT),
    ("a role assignment that is created", "principalType"),
    ("a role assignment with its condition", "conditionVersion"),
    ("a service connection that is created or changed", "serviceEndpointProjectReferences"),
    ("a service connection that is converted", "ConvertAuthenticationScheme"),
    ("the issuer that a service connection is to have", "workloadIdentityFederationIssuerType"),
    ("a federated credential that is created or changed", "create-if-missing"),
    ("a secret that is added to an application", "addPassword"),
];

/// What a request that reads has, to show that names on the wire are found in the program.
const READING: [&str; 3] = ["roleDefinitionId", "federatedIdentityCredentials", "subscriptions"];

/// How a request is sent that may change something.
const CALLS: [&str; 5] = ["Method::POST", "Method::PUT", "Method::PATCH", "Method::DELETE", ".post_query("];

/// Where the shipped crates have one of these, and what it is for.
const PERMITTED: [(&str, &str); 23] = [
    // The client itself: it sends what others ask it to.
    ("crates/wif-azure/src/rest/client.rs", "Method::"),
    // A batch of reading calls only.
    ("crates/wif-azure/src/rest/batch.rs", ".post_query("),
    // The same, and queries of Resource Graph and of checks.
    ("crates/wif-operator/src/read/service.rs", ".post_query("),
    // Azure DevOps' own test of a connection, which changes nothing.
    ("crates/wif-operator/src/change/service.rs", ".post_query("),
    // A query of Resource Graph: the key vaults whose access policies name an identity.
    ("crates/wif-operator/src/change/vend/calls/copies.rs", ".post_query("),
    // An id token.
    ("crates/wif-azure/src/devops/oidc.rs", ".post_query("),
    ("src/sources/buildkite.rs", "Method::POST"),
    ("src/sources/kubernetes.rs", "Method::POST"),
    ("src/sources/aws/mod.rs", "Method::POST"),
    // The keys of the role that asks AWS for one, and the token of the metadata service that has them.
    ("src/sources/aws/credentials.rs", "Method::POST"),
    ("src/sources/aws/credentials.rs", "Method::PUT"),
    // An access token.
    ("crates/wif-azure/src/entra/token.rs", "Method::POST"),
    // Whether Entra is reached: a request without content.
    ("src/doctor/network.rs", "Method::POST"),
    // What another cloud gives for an id token; Vault's token is renewed and revoked, too.
    ("src/targets/aws.rs", "Method::POST"),
    ("src/targets/google.rs", "Method::POST"),
    ("src/targets/vault.rs", "Method::POST"),
    // The login of a registry of AWS for a role's credentials.
    ("src/targets/ecr.rs", "Method::POST"),
    // A registry's refresh token for an access token.
    ("src/targets/registry.rs", "Method::POST"),
    // A cluster's address and certificate authority (listClusterUserCredential): Azure Resource Manager reads them by POST.
    ("crates/wif-azure/src/resource_manager.rs", ".post_query("),
    // The broker of this job, and its callers.
    ("crates/wif-broker/src/routes.rs", "Method::POST"),
    ("crates/wif-broker/src/dialects/google.rs", "Method::POST"),
    ("src/cli/ask.rs", "Method::POST"),
    ("src/task/post.rs", "Method::POST"),
];

#[test]
fn the_shipped_program_holds_nothing_that_changes_azure_devops_entra_or_azure() {
    let program = fs::read(env!("CARGO_BIN_EXE_wif")).unwrap();
    // Text of any other kind is not looked for.
    let ascii: Vec<_> = program.into_iter().map(|byte| if byte.is_ascii() { byte } else { b' ' }).collect();
    let text = String::from_utf8(ascii).unwrap();
    let holds = |name: &str| text.contains(name);
    for name in READING {
        assert!(holds(name), "{name} is in the program: its text can be searched");
    }
    let found: Vec<_> = WRITING.into_iter().filter(|(_, name)| holds(name)).collect();
    assert_eq!(found, Vec::new());
}

#[test]
fn no_shipped_code_sends_a_method_that_changes_something_past_the_rest_client() {
    let mut found = Vec::new();
    for source in sources(&SHIPPED) {
        for (at, line) in source.code.lines().enumerate() {
            let is_permitted = |call: &str| {
                PERMITTED.iter().any(|(path, part)| source.path == *path && call.starts_with(part))
            };
            for call in CALLS.into_iter().filter(|call| line.contains(call) && !is_permitted(call)) {
                found.push(format!("{}:{}: {call}", source.path, at + 1));
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

//! AWS: the container credentials protocol, which every AWS SDK speaks.
//!
//! Source: botocore, `credentials.py` (`ContainerProvider`, and the order of `create_credential_resolver`);
//! aws-sdk-js-v3, `credential-provider-node` and `credential-provider-http`; aws-sdk-go-v2, `config/resolve_credentials.go`;
//! aws-sdk-java-v2, `ContainerCredentialsProvider`.

use super::{
    broker_endpoint::BrokerEndpoint,
    conflict::{Conflict, LIVE, Remedy, Values},
    definition::{Definition, LeadsTo, Marker, VARIABLES_ONLY},
    variable::{Facts, Variable},
};

/// What the family is.
pub(super) const FAMILY: Definition = Definition {
    name: "aws",
    summary: "the AWS SDKs, the AWS CLI, Terraform's aws provider and S3 backend",
    asked_by: Some("awsRole"),
    live,
    snapshot: Err("no broker would keep its credentials fresh"),
    conflicts: CONFLICTS,
    markers: &[Marker {
        variable: "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        leads_to: LeadsTo::Broker(Some("AWS_CONTAINER_AUTHORIZATION_TOKEN")),
        sessions: LIVE,
    }],
    programs: &["aws"],
    ..VARIABLES_ONLY
};

/// The path of a broker's container credentials protocol.
pub const AWS_PATH: &str = "/aws";

const CONFLICTS: &[Conflict] = &[
    Conflict {
        variables: &["AWS_ACCESS_KEY_ID"],
        effect: "every AWS SDK signs in with this access key before it asks the session.",
        ..USED
    },
    Conflict { variables: &["AWS_PROFILE"], ..PROFILE },
    Conflict { variables: &["AWS_DEFAULT_PROFILE"], ..PROFILE },
    Conflict {
        variables: &["AWS_WEB_IDENTITY_TOKEN_FILE"],
        effect: "AWS SDKs present the token in that file for a role before they ask the session.",
        ..USED
    },
    Conflict {
        variables: &["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"],
        effect: "AWS SDKs ask the container's own service, and not the session.",
        ..USED
    },
    Conflict {
        variables: &["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"],
        effect: "AWS SDKs send what is in that file to the session instead of its key, and are refused.",
        ..USED
    },
];

const USED: Conflict =
    Conflict { variables: &[], values: Values::Any, sessions: LIVE, from_machine: Remedy::Fail, effect: "" };
const PROFILE: Conflict =
    Conflict { effect: "AWS SDKs sign in as this profile says before they ask the session.", ..USED };

/// botocore reads `AWS_DEFAULT_REGION` only, every other SDK `AWS_REGION`.
fn live(facts: &Facts, endpoint: &BrokerEndpoint) -> Vec<Variable> {
    let Some(region) = &facts.targets.aws_region else { return Vec::new() };
    vec![
        Variable::plain("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}{AWS_PATH}", endpoint.url)),
        endpoint.keyed("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
        Variable::plain("AWS_REGION", region),
        Variable::plain("AWS_DEFAULT_REGION", region),
    ]
}

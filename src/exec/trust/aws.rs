//! A role of AWS: one identity provider for each issuer, and one trust policy with a statement for each.
//!
//! Source: AWS' documentation, "Create an OpenID Connect identity provider in IAM"; the provider hashicorp/aws,
//! `aws_iam_openid_connect_provider`, `aws_iam_policy_document`.

use serde_json::json;

use super::{
    issuers::{DEVOPS, EXCHANGE, Trusted},
    quoted::{shell, terraform, terraform_list},
};

/// The role that is to trust.
#[derive(Clone, Debug)]
pub struct AwsRole {
    /// `arn:PARTITION:iam::ACCOUNT:role/[PATH/]NAME`
    pub arn: Option<String>,
}

impl AwsRole {
    /// Partition, account and name. A word in capitals stands for each that the caller has not given.
    fn parts(&self) -> (&str, &str, &str) {
        let parts: Vec<_> = self.arn.as_deref().unwrap_or_default().splitn(6, ':').collect();
        match parts[..] {
            [_, partition, _, _, account, resource] => {
                (partition, account, resource.rsplit('/').next().unwrap_or(resource))
            }
            _ => ("aws", "ACCOUNT", "ROLE"),
        }
    }
}

/// AWS compares the authorized party of an id token in place of its audience, where it has one: Entra's for connections have.
pub(super) fn audiences(trusted: Trusted) -> Trusted {
    if trusted.is_of_tenant() && trusted.audiences == [EXCHANGE] {
        return Trusted { audiences: vec![DEVOPS.to_string(), EXCHANGE.to_owned()], ..trusted };
    }
    trusted
}

/// The commands, for the AWS CLI and for Terraform.
pub(super) fn commands(role: &AwsRole, all: &[Trusted]) -> String {
    let (partition, account, name) = role.parts();
    let statements: Vec<_> = all.iter().map(|one| statement(one, partition, account)).collect();
    let policy = json!({"Version": "2012-10-17", "Statement": statements});
    let policy = format!(
        "# this is the role's whole trust policy: add the statements that it has already\naws iam update-assume-role-policy --role-name {name} --policy-document {}",
        shell(&policy.to_string())
    );
    let statements: String = all.iter().map(terraform_statement).collect();
    let document = format!(
        "# assume_role_policy of the role is data.aws_iam_policy_document.wif.json\ndata \"aws_iam_policy_document\" \"wif\" {{\n{statements}}}"
    );
    let made = all.iter().map(create).chain([policy, "# Terraform".to_owned()]);
    let made: Vec<_> = made.chain(all.iter().map(terraform_provider)).chain([document]).collect();
    made.join("\n\n")
}

fn create(one: &Trusted) -> String {
    let clients: Vec<_> = one.audiences.iter().map(|audience| shell(audience)).collect();
    format!(
        "# {}\naws iam create-open-id-connect-provider --url {} --client-id-list {}",
        one.heading(),
        shell(&one.issuer),
        clients.join(" ")
    )
}

fn terraform_provider(one: &Trusted) -> String {
    format!(
        "resource \"aws_iam_openid_connect_provider\" \"{}\" {{\n  url            = {}\n  client_id_list = {}\n}}",
        resource(one),
        terraform(&one.issuer),
        terraform_list(&one.audiences)
    )
}

/// The issuer, as AWS names a provider and its conditions.
fn provider(one: &Trusted) -> &str {
    one.issuer.trim_start_matches("https://")
}

fn statement(one: &Trusted, partition: &str, account: &str) -> serde_json::Value {
    let provider = provider(one);
    json!({
        "Effect": "Allow",
        "Principal": {"Federated": format!("arn:{partition}:iam::{account}:oidc-provider/{provider}")},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {
            format!("{provider}:sub"): one.subject,
            format!("{provider}:aud"): one.audiences,
        }},
    })
}

fn resource(one: &Trusted) -> String {
    format!("wif{}", one.suffix().replace('-', "_"))
}

fn terraform_statement(one: &Trusted) -> String {
    let provider = provider(one);
    let condition = |key: &str, values: &[String]| {
        format!(
            "    condition {{\n      test     = \"StringEquals\"\n      variable = {}\n      values   = {}\n    }}\n",
            terraform(&format!("{provider}:{key}")),
            terraform_list(values)
        )
    };
    format!(
        "  statement {{\n    actions = [\"sts:AssumeRoleWithWebIdentity\"]\n    principals {{\n      type        = \"Federated\"\n      identifiers = [aws_iam_openid_connect_provider.{}.arn]\n    }}\n{}{}  }}\n",
        resource(one),
        condition("sub", std::slice::from_ref(&one.subject)),
        condition("aud", &one.audiences)
    )
}

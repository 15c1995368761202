//! `wif trust aws|google|vault`: what another cloud has to trust, for the issuer of today and the one that follows it.
//!
//! Source: AWS' documentation, "Create an OpenID Connect identity provider in IAM"; Google Cloud's documentation, "Configure
//! Workload Identity Federation"; Vault's documentation, "JWT/OIDC auth method (API)".

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use uuid::Uuid;
use wif_core::token::claims::Unverified;

/// Another cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// AWS.
    Aws,
    /// Google Cloud.
    Google,
    /// Vault and `OpenBao`.
    Vault,
}

/// What an id token says of itself.
struct Trusted {
    heading: &'static str,
    issuer: String,
    subject: String,
    audiences: Vec<String>,
}

/// The issuer of Azure DevOps, which ends.
const DEVOPS_ISSUER: &str = "https://vstoken.dev.azure.com/";
/// Azure DevOps as an application of Entra: the authorized party of the id tokens that Entra signs for connections. AWS compares it
/// in place of the audience.
const DEVOPS: Uuid = Uuid::from_u128(0x499b_84ac_1321_427f_aa17_267c_a697_5798);
/// The audience of these id tokens.
const EXCHANGE: &str = "fb60f99c-7a34-4190-8149-302f77469936";
/// The longest `google.subject`, in bytes.
const MAX_GOOGLE_SUBJECT: usize = 127;

impl Cloud {
    /// The audience of an id token for it, from a source that lets one choose.
    pub(super) const fn usual_audience(self) -> &'static str {
        match self {
            Self::Aws => "sts.amazonaws.com",
            Self::Google => {
                "//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER"
            }
            Self::Vault => "https://vault.example",
        }
    }
}

/// The commands for the id token's issuer, and for the one that follows it.
pub(super) fn commands(
    cloud: Cloud,
    claims: &Unverified,
    audience: Option<&str>,
    after: Option<(String, String)>,
    shell: fn(&str) -> String,
) -> String {
    let (issuer, subject) = (claims.issuer.raw().to_owned(), claims.subject.raw().to_owned());
    let presented = || claims.audiences.iter().map(|audience| audience.raw().to_owned()).collect();
    let of_entra = vec![DEVOPS.to_string(), EXCHANGE.to_owned()];
    let audiences = match audience {
        Some(audience) => vec![audience.to_owned()],
        None if cloud == Cloud::Aws && issuer.starts_with("https://login.") => of_entra.clone(),
        None => presented(),
    };
    let after = after.map(|(issuer, subject)| Trusted {
        heading: AFTER,
        issuer,
        subject,
        audiences: if cloud == Cloud::Aws { of_entra } else { vec![EXCHANGE.to_owned()] },
    });
    let today = Trusted { heading: "today", issuer, subject, audiences };
    let all = [Some(today), after];
    let all: Vec<_> = all.iter().flatten().map(|trusted| one(cloud, trusted, shell)).collect();
    all.join("\n\n")
}

/// When the second issuer comes.
pub(super) const AFTER: &str =
    "after the connection is converted to Entra's issuer, on 2027-07-01 at the latest";

/// The issuer and subject that a connection on the Azure DevOps issuer will have.
pub(super) fn after(issuer: &str, tenant: Uuid, connection: Uuid) -> Option<(String, String)> {
    let organization = issuer.strip_prefix(DEVOPS_ISSUER).and_then(|id| Uuid::try_parse(id).ok())?;
    let id = |id: Uuid| URL_SAFE_NO_PAD.encode(id.to_bytes_le());
    let subject = format!("/eid1/c/pub/t/{}/a/{}/sc/{organization}/{connection}", id(tenant), id(DEVOPS));
    Some((format!("https://login.microsoftonline.com/{tenant}/v2.0"), subject))
}

fn one(cloud: Cloud, trusted: &Trusted, shell: fn(&str) -> String) -> String {
    let Trusted { heading, issuer, subject, audiences } = trusted;
    let (in_shell, all) = (shell, audiences.join(","));
    let text = match cloud {
        Cloud::Aws => {
            let provider = issuer.trim_start_matches("https://");
            let policy = json!({"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow",
                "Principal": {"Federated": format!("arn:aws:iam::ACCOUNT:oidc-provider/{provider}")},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {format!("{provider}:sub"): subject, format!("{provider}:aud"): audiences}},
            }]});
            let clients: Vec<_> = audiences.iter().map(|audience| in_shell(audience)).collect();
            format!(
                "aws iam create-open-id-connect-provider --url {} --client-id-list {}\naws iam update-assume-role-policy --role-name ROLE --policy-document {}",
                in_shell(issuer),
                clients.join(" "),
                in_shell(&policy.to_string()),
            )
        }
        Cloud::Google => {
            let is_short = subject.len() <= MAX_GOOGLE_SUBJECT;
            let part = subject.split_once("/sc/").map_or(subject.as_str(), |(_, part)| part);
            let (mapping, mapped) = if is_short {
                ("google.subject=assertion.sub", subject.as_str())
            } else {
                ("google.subject=assertion.sub.split(\"/sc/\")[1]", part)
            };
            let warning = if is_short {
                String::new()
            } else {
                format!(
                    "# google.subject=assertion.sub can never work: the subject has {} bytes, {MAX_GOOGLE_SUBJECT} are allowed\n",
                    subject.len()
                )
            };
            let condition = format!("assertion.sub==\"{subject}\"");
            let member = format!(
                "principal://iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/subject/{mapped}"
            );
            format!(
                "{warning}gcloud iam workload-identity-pools providers create-oidc PROVIDER --location global --workload-identity-pool POOL --issuer-uri {} --allowed-audiences {} --attribute-mapping {} --attribute-condition {}\ngcloud iam service-accounts add-iam-policy-binding ACCOUNT --role roles/iam.workloadIdentityUser --member {}",
                in_shell(issuer),
                in_shell(&all),
                in_shell(mapping),
                in_shell(&condition),
                in_shell(&member),
            )
        }
        Cloud::Vault => format!(
            "# one mount has one issuer\nvault auth enable -path jwt jwt\nvault write auth/jwt/config oidc_discovery_url={} bound_issuer={}\nvault write auth/jwt/role/ROLE role_type=jwt user_claim=sub bound_subject={} bound_audiences={} token_policies=POLICY token_ttl=20m",
            in_shell(issuer),
            in_shell(issuer),
            in_shell(subject),
            in_shell(&all),
        ),
    };
    let shared = if issuer.starts_with("https://login.") && !issuer.starts_with(DEVOPS_ISSUER) {
        "# this issuer signs for every connection of the tenant: compare the whole subject, and use no wildcard in it\n"
    } else {
        ""
    };
    format!("# {heading}\n{shared}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: Uuid = Uuid::from_u128(0x8d1c_7a34_0b7e_4e55_9f61_7c0e_3b9a_2d41);

    fn quoted(text: &str) -> String {
        format!("'{text}'")
    }

    fn of(cloud: Cloud, issuer: &str, subject: &str) -> String {
        let audiences = vec!["api://AzureADTokenExchange".to_owned()];
        let trusted =
            Trusted { heading: "today", issuer: issuer.to_owned(), subject: subject.to_owned(), audiences };
        one(cloud, &trusted, quoted)
    }

    #[test]
    fn a_subject_that_google_cannot_map_is_said_and_mapped_by_its_part() {
        let subject = format!("/eid1/c/pub/t/{0}/a/{0}/sc/{TENANT}/{TENANT}", "a".repeat(22));
        let text = of(Cloud::Google, "https://login.microsoftonline.com/x/v2.0", &subject);
        assert!(text.contains("can never work: the subject has 138 bytes"), "{text}");
        assert!(text.contains(r#"assertion.sub.split("/sc/")[1]"#), "{text}");
        assert!(
            text.contains(&format!("/subject/{TENANT}/{TENANT}'")) && text.contains("no wildcard"),
            "{text}"
        );
        let text = of(Cloud::Google, "https://vstoken.dev.azure.com/x", "sc://a/b/c");
        assert!(!text.contains("never") && text.contains("'google.subject=assertion.sub'"), "{text}");
    }

    #[test]
    fn aws_gets_the_provider_without_its_scheme_and_vault_one_issuer_a_mount() {
        let text = of(Cloud::Aws, "https://vstoken.dev.azure.com/x", "sc://a/b/c");
        assert!(text.contains(r#""vstoken.dev.azure.com/x:sub":"sc://a/b/c""#), "{text}");
        assert!(text.contains("oidc-provider/vstoken.dev.azure.com/x"), "{text}");
        let text = of(Cloud::Vault, "https://vstoken.dev.azure.com/x", "sc://a/b/c");
        assert!(text.contains("bound_subject='sc://a/b/c'"), "{text}");
    }
}

//! `wif trust aws|google|vault`: what another cloud has to trust, for the issuer of today and the one that follows it.

use uuid::Uuid;

use super::{
    aws::{self, AwsRole},
    google::{self, GoogleProvider},
    issuers::{Of, Trusted},
    vault::{self, VaultMethod},
};

/// Another cloud, and what of it is to trust.
#[derive(Clone, Debug)]
pub enum TrustingCloud {
    /// AWS.
    Aws(AwsRole),
    /// Google Cloud.
    Google(GoogleProvider),
    /// Vault and `OpenBao`.
    Vault(VaultMethod),
}

/// What it has to trust.
pub(super) struct CloudTrust {
    /// What can never work, and what is easily taken wrong.
    pub(super) warnings: Vec<String>,
    /// The commands, with the warnings above them.
    pub(super) commands: String,
    /// The audiences of the id tokens of today.
    pub(super) audiences: Vec<String>,
}

impl TrustingCloud {
    /// The audience of an id token for it, from a source that lets one choose.
    pub(super) fn usual_audience(&self) -> &str {
        match self {
            Self::Aws(_) => "sts.amazonaws.com",
            Self::Google(google) => google.name(),
            Self::Vault(vault) => vault.audience(),
        }
    }

    /// The audiences of an access token of Entra's newer kind for an application, which names the client as its authorized party.
    pub(super) fn audiences_of_application(&self, client: Uuid, audiences: Vec<String>) -> Vec<String> {
        match self {
            Self::Aws(_) => std::iter::once(client.to_string()).chain(audiences).collect(),
            Self::Google(_) | Self::Vault(_) => audiences,
        }
    }

    /// What it has to do for the token's issuer, and for the one that follows it, so that both are trusted at once.
    pub(super) fn needed(&self, today: Trusted, after: Option<Trusted>) -> CloudTrust {
        let all = std::iter::once(today).chain(after);
        let all: Vec<_> = match self {
            Self::Aws(_) => all.map(aws::audiences).collect(),
            Self::Google(_) | Self::Vault(_) => all.collect(),
        };
        let mut warnings = match self {
            Self::Aws(_) => Vec::new(),
            Self::Google(_) => google::warnings(&all),
            Self::Vault(vault) => vault::warnings(vault, &all),
        };
        warnings.extend(all.iter().filter(|one| one.is_of_tenant()).map(|one| {
            let whose = if one.of == Of::Application { "application" } else { "connection" };
            format!(
                "{}: this issuer signs for every {whose} of the tenant: compare the whole subject, and use no wildcard in it",
                one.heading()
            )
        }));
        let commands = match self {
            Self::Aws(role) => aws::commands(role, &all),
            Self::Google(google) => google::commands(google, &all),
            Self::Vault(vault) => vault::commands(vault, &all),
        };
        let comments = warnings.iter().map(|warning| format!("# {warning}"));
        let commands = comments.chain([commands]).collect::<Vec<_>>().join("\n");
        let audiences = all.into_iter().next().map(|today| today.audiences).unwrap_or_default();
        CloudTrust { warnings, commands, audiences }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::issuers, *};

    const ID: Uuid = Uuid::from_u128(0x8d1c_7a34_0b7e_4e55_9f61_7c0e_3b9a_2d41);

    /// A connection on the issuer that ends.
    fn of_devops(cloud: &TrustingCloud) -> CloudTrust {
        let issuer = format!("https://vstoken.dev.azure.com/{ID}");
        let after = issuers::after(&issuer, ID, ID);
        let today = Trusted {
            issuer,
            subject: "sc://contoso/p/sc".to_owned(),
            audiences: vec!["api://AzureADTokenExchange".to_owned()],
            of: Of::Today,
        };
        cloud.needed(today, after)
    }

    /// An access token for an application.
    fn of_application(cloud: &TrustingCloud, issuer: String, audiences: &[&str]) -> CloudTrust {
        let audiences = audiences.iter().map(|audience| (*audience).to_owned()).collect();
        cloud.needed(Trusted { issuer, subject: ID.to_string(), audiences, of: Of::Application }, None)
    }

    fn aws(arn: Option<&str>) -> TrustingCloud {
        TrustingCloud::Aws(AwsRole { arn: arn.map(str::to_owned) })
    }

    fn google(name: Option<&str>) -> TrustingCloud {
        TrustingCloud::Google(GoogleProvider { name: name.map(str::to_owned), service_account: None })
    }

    fn vault() -> TrustingCloud {
        TrustingCloud::Vault(VaultMethod { address: None, mount: None, role: None })
    }

    #[test]
    fn aws_gets_one_policy_that_trusts_both_issuers() {
        let CloudTrust { commands, .. } =
            of_devops(&aws(Some("arn:aws-us-gov:iam::123456789012:role/ci/deploy")));
        assert_eq!(commands.matches("aws iam create-open-id-connect-provider").count(), 2, "{commands}");
        let lines: Vec<_> =
            commands.lines().filter(|line| line.contains("update-assume-role-policy")).collect();
        let [line] = lines[..] else { panic!("{commands}") };
        let policy = line.split_once("--policy-document '").unwrap().1.trim_end_matches('\'');
        let policy: serde_json::Value = serde_json::from_str(policy).unwrap();
        let [today, next] = &policy["Statement"].as_array().unwrap()[..] else { panic!("{policy}") };
        let provider = format!("vstoken.dev.azure.com/{ID}");
        let arn = format!("arn:aws-us-gov:iam::123456789012:oidc-provider/{provider}");
        assert_eq!(today["Principal"]["Federated"], arn);
        assert_eq!(today["Condition"]["StringEquals"][format!("{provider}:sub")], "sc://contoso/p/sc");
        let provider = format!("login.microsoftonline.com/{ID}/v2.0");
        let conditions = &next["Condition"]["StringEquals"];
        assert!(conditions[format!("{provider}:sub")].as_str().unwrap().starts_with("/eid1/c/pub/t/"));
        assert_eq!(conditions[format!("{provider}:aud")].as_array().unwrap().len(), 2, "{conditions}");
        assert!(line.contains("--role-name deploy"), "{line}");
        assert_eq!(commands.matches("\n  statement {").count(), 2, "{commands}");
    }

    #[test]
    fn an_access_token_for_an_application_is_trusted_once_by_its_own_issuer_and_object_id() {
        let issuer = format!("https://sts.windows.net/{ID}/");
        for cloud in [aws(None), google(None), vault()] {
            let CloudTrust { warnings, commands, .. } =
                of_application(&cloud, issuer.clone(), &["api://my-aws"]);
            for words in [issuer.as_str(), "api://my-aws", &ID.to_string()] {
                assert!(commands.contains(words), "{words}: {commands}");
            }
            assert!(!commands.contains("2027") && !commands.contains("-entra"), "{commands}");
            assert!(!commands.contains("split("), "an object id is short enough for Google: {commands}");
            let [warning] = &warnings[..] else { panic!("{warnings:?}") };
            assert!(warning.contains("every application of the tenant"), "{warning}");
        }
        // AWS takes the authorized party of a newer token for its audience, which is the client.
        let client = Uuid::from_u128(7);
        assert_eq!(
            aws(None).audiences_of_application(client, vec!["a".to_owned()]),
            [client.to_string(), "a".to_owned()]
        );
        assert_eq!(vault().audiences_of_application(client, vec!["a".to_owned()]), ["a"]);
        // AWS names the provider with the slash at the end.
        let CloudTrust { commands, .. } = of_application(&aws(None), issuer, &["api://my-aws"]);
        assert!(commands.contains(&format!("oidc-provider/sts.windows.net/{ID}/\"")), "{commands}");
        assert!(commands.contains(&format!("sts.windows.net/{ID}/:sub")), "{commands}");
    }

    #[test]
    fn google_gets_a_provider_for_each_issuer_and_a_mapping_that_can_work() {
        let long = "//iam.googleapis.com/projects/12/locations/global/workloadIdentityPools/pool/providers/azure-devops-of-the-platform-xy";
        for (name, today, next) in [
            (None, "create-oidc PROVIDER --", "create-oidc PROVIDER-entra --"),
            (
                Some(long),
                "create-oidc azure-devops-of-the-platform-xy --",
                "create-oidc azure-devops-of-the-platfo-entra --",
            ),
        ] {
            let CloudTrust { warnings, commands, .. } = of_devops(&google(name));
            assert!(commands.contains(today) && commands.contains(next), "{commands}");
            assert!(warnings[0].contains("can never work: the subject has 138 bytes"), "{warnings:?}");
            assert!(commands.contains(r#"'google.subject=assertion.sub.split("/sc/")[1]'"#), "{commands}");
            assert!(commands.contains(&format!("/subject/{ID}/{ID}'")), "{commands}");
            assert!(commands.contains("'google.subject=assertion.sub'"), "{commands}");
            let resources =
                commands.matches("resource \"google_iam_workload_identity_pool_provider\"").count();
            assert_eq!(resources, 2, "{commands}");
        }
    }

    #[test]
    fn vault_gets_a_mount_for_each_issuer() {
        let CloudTrust { warnings, commands, .. } = of_devops(&vault());
        for line in ["vault auth enable -path jwt jwt", "vault auth enable -path jwt-entra jwt"] {
            assert!(commands.lines().any(|found| found == line), "{commands}");
        }
        assert!(
            commands.contains("auth/jwt/role/ROLE role_type=jwt user_claim=sub bound_subject='sc://"),
            "{commands}"
        );
        assert!(
            commands.contains("auth/jwt-entra/role/ROLE role_type=jwt user_claim=sub bound_subject='/eid1/"),
            "{commands}"
        );
        assert_eq!(commands.matches("resource \"vault_jwt_auth_backend\"").count(), 2, "{commands}");
        assert!(warnings.iter().any(|warning| warning.contains("no wildcard")), "{warnings:?}");
    }

    #[test]
    fn no_command_of_one_issuer_names_what_the_other_one_has() {
        for cloud in [aws(None), google(None), vault()] {
            let CloudTrust { commands, .. } = of_devops(&cloud);
            let mut seen = std::collections::BTreeSet::new();
            for line in commands
                .lines()
                .filter(|line| ["aws ", "gcloud ", "vault "].iter().any(|start| line.starts_with(start)))
            {
                let made: Vec<_> = line.split(' ').filter(|word| !word.starts_with("--member")).collect();
                assert!(seen.insert(made.join(" ")), "{line}");
            }
            let named: Vec<_> = commands.lines().filter(|line| line.starts_with("resource ")).collect();
            let distinct: std::collections::BTreeSet<_> = named.iter().collect();
            assert_eq!(named.len(), distinct.len(), "{named:?}");
        }
    }
}

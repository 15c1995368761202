//! The inputs that ask for other clouds: their forms. Nothing is asked of a cloud to check them.

use url::{Host, Url};
use wif_core::exports::Family;

/// The clouds that a step signs in to beside Azure.
#[derive(Clone, Debug, Default)]
pub struct TargetInputs {
    /// AWS.
    pub aws: Option<AwsInputs>,
    /// Google Cloud.
    pub google: Option<GoogleInputs>,
    /// Vault or `OpenBao`.
    pub vault: Option<VaultInputs>,
}

/// An AWS role.
#[derive(Clone, Debug)]
pub struct AwsInputs {
    /// `awsRole`: its ARN.
    pub role: String,
    /// `awsRegion`
    pub region: String,
    /// `awsSessionDuration`, in seconds.
    pub duration: u32,
}

/// A provider of a workload identity pool.
#[derive(Clone, Debug)]
pub struct GoogleInputs {
    /// `googleProvider`, with `//iam.googleapis.com/` in front.
    pub provider: String,
    /// `googleServiceAccount`
    pub service_account: Option<String>,
    /// `googleProject`
    pub project: Option<String>,
}

/// An auth method of Vault.
#[derive(Clone, Debug)]
pub struct VaultInputs {
    /// `vaultAddress`, without a slash at the end.
    pub address: String,
    /// `vaultRole`; the mount may have a default.
    pub role: Option<String>,
    /// `vaultMount`
    pub mount: String,
    /// `vaultNamespace`
    pub namespace: Option<String>,
}

impl TargetInputs {
    /// The families that are asked for.
    pub fn families(&self) -> impl Iterator<Item = Family> {
        let aws = self.aws.is_some().then_some(Family::Aws);
        let google = self.google.is_some().then_some(Family::Google);
        let vault = self.vault.is_some().then_some(Family::Vault);
        aws.into_iter().chain(google).chain(vault)
    }
}

/// Whether a text is the ARN of a role (`arn:aws:iam::123456789012:role/path/name`), as long as STS takes it.
pub(super) fn is_role(text: &str) -> bool {
    let parts: Vec<_> = text.splitn(6, ':').collect();
    let [arn, partition, service, region, account, resource] = parts[..] else { return false };
    let name = resource.strip_prefix("role/").unwrap_or_default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-/".contains(c);
    arn == "arn"
        && partition.starts_with("aws")
        && partition.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        && (service, region) == ("iam", "")
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && !name.is_empty()
        && !name.ends_with('/')
        && name.chars().all(is_name)
        && text.len() <= 2048
}

/// Whether a text has the form of a region (`eu-central-1`): it becomes part of a host's name.
pub(super) fn is_region(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let [area, middle @ .., number] = &parts[..] else { return false };
    let letters =
        |part: &str| !part.is_empty() && part.len() <= 12 && part.bytes().all(|b| b.is_ascii_lowercase());
    (2..=4).contains(&area.len())
        && letters(area)
        && !middle.is_empty()
        && middle.iter().all(|part| letters(part))
        && (1..=2).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
        && parts.len() <= 5
}

/// The provider's full resource name, from one with or without the host in front.
pub(super) fn provider(text: &str) -> Option<String> {
    const HOST: &str = "//iam.googleapis.com/";
    let rest = text.strip_prefix("https:").unwrap_or(text);
    let rest = rest.strip_prefix(HOST).unwrap_or(rest);
    let parts: Vec<_> = rest.split('/').collect();
    let [projects, number, locations, "global", pools, pool, providers, provider] = parts[..] else {
        return None;
    };
    let words = [projects, locations, pools, providers];
    let is_id = |id: &str| {
        (3..=32).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let is_number = (1..=20).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    (words == ["projects", "locations", "workloadIdentityPools", "providers"]
        && is_number
        && is_id(pool)
        && is_id(provider))
    .then(|| format!("{HOST}{rest}"))
}

/// Whether a text is the mail address of a service account: it becomes part of a URL.
pub(super) fn is_service_account(text: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    text.split_once('@')
        .is_some_and(|(name, domain)| is_part(name) && is_part(domain) && domain.contains('.'))
        && text.len() <= 200
}

/// Whether a text is the id of a project, with the domain of an organization before it or without.
pub(super) fn is_project(text: &str) -> bool {
    let is_id = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-:.".contains(c);
    (4..=100).contains(&text.len()) && text.chars().all(is_id)
}

/// Vault's base URL: https, or http on this machine; with a path or without, and without a slash at the end.
pub(super) fn address(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let is_loopback = match url.host()? {
        Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback);
    let is_bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    (is_safe && is_bare).then(|| url.as_str().trim_end_matches('/').to_owned())
}

/// Whether a text is a path of Vault's: a mount or a namespace.
pub(super) fn is_path(text: &str) -> bool {
    let is_segment = |segment: &str| {
        !segment.is_empty()
            && !matches!(segment, "." | "..")
            && segment.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    text.len() <= 200 && text.trim_matches('/').split('/').all(is_segment)
}

/// Whether a text is the name of a role of Vault's.
pub(super) fn is_vault_role(text: &str) -> bool {
    text.len() <= 200 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_of_a_role_is_told_from_other_arns() {
        for good in [
            "arn:aws:iam::123456789012:role/deploy",
            "arn:aws:iam::123456789012:role/team/a+b=c,d.e@f-g_h",
            "arn:aws-cn:iam::123456789012:role/deploy",
            "arn:aws-us-gov:iam::123456789012:role/deploy",
        ] {
            assert!(is_role(good), "{good}");
        }
        for bad in [
            "",
            "deploy",
            "arn:aws:iam::123456789012:user/deploy",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/a/",
            "arn:aws:iam::12345678901:role/deploy",
            "arn:aws:iam::12345678901x:role/deploy",
            "arn:aws:iam:eu-west-1:123456789012:role/deploy",
            "arn:aws:sts::123456789012:assumed-role/deploy/x",
            "arn:azure:iam::123456789012:role/deploy",
            "arn:aws:iam::123456789012:role/a b",
            "arn:aws:iam::123456789012:role/a\u{e9}",
            "arn:aws:iam::123456789012:role",
        ] {
            assert!(!is_role(bad), "{bad}");
        }
    }

    #[test]
    fn a_region_can_lead_to_no_other_host() {
        for good in
            ["eu-central-1", "us-gov-west-1", "cn-north-1", "ap-southeast-2", "us-iso-east-1", "mx-central-1"]
        {
            assert!(is_region(good), "{good}");
        }
        for bad in [
            "",
            "eu",
            "eu-1",
            "eu-central",
            "eu-central-1.evil.example",
            "EU-central-1",
            "eu-central-1/",
            "eu--1",
            "eu-central-100",
            "a-b-1",
        ] {
            assert!(!is_region(bad), "{bad}");
        }
    }

    #[test]
    fn a_provider_is_known_with_and_without_its_host() {
        let bare = "projects/123456789012/locations/global/workloadIdentityPools/azure/providers/devops";
        let full = format!("//iam.googleapis.com/{bare}");
        for good in [bare, &full, &format!("https:{full}")] {
            assert_eq!(provider(good).as_ref(), Some(&full), "{good}");
        }
        for bad in [
            "",
            "azure",
            "projects/my-project/locations/global/workloadIdentityPools/azure/providers/devops",
            "projects/1/locations/eu/workloadIdentityPools/azure/providers/devops",
            "projects/1/locations/global/workloadIdentityPools/azure",
            "projects/1/locations/global/workloadIdentityPools/azure/providers/",
            "projects/1/locations/global/workloadIdentityPools/azure/providers/devops/x",
            "//iam.evil.example/projects/1/locations/global/workloadIdentityPools/azure/providers/devops",
        ] {
            assert_eq!(provider(bad), None, "{bad}");
        }
    }

    #[test]
    fn vault_is_asked_over_tls_or_on_this_machine() {
        for (text, expected) in [
            ("https://vault.example", "https://vault.example"),
            ("https://vault.example:8200/", "https://vault.example:8200"),
            ("https://gateway.example/vault/", "https://gateway.example/vault"),
            ("http://127.0.0.1:8200", "http://127.0.0.1:8200"),
            ("http://localhost:8200", "http://localhost:8200"),
            ("http://[::1]:8200", "http://[::1]:8200"),
        ] {
            assert_eq!(address(text).as_deref(), Some(expected), "{text}");
        }
        for bad in [
            "",
            "vault.example",
            "http://vault.example",
            "http://127.0.0.1.evil.example",
            "https://user@vault.example",
            "https://vault.example?x=1",
            "https://vault.example#x",
            "ftp://127.0.0.1",
        ] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_becomes_part_of_a_url_has_no_characters_of_one() {
        assert!(is_path("jwt") && is_path("team/jwt") && is_path("admin/team/"));
        for bad in ["", "/", "../sys", "a//b", "a?b", "a b", "a%2fb"] {
            assert!(!is_path(bad), "{bad}");
        }
        assert!(is_service_account("deploy@my-project.iam.gserviceaccount.com"));
        for bad in ["", "deploy", "a@b", "a@b.c/d", "a@b.c:x", "@b.c"] {
            assert!(!is_service_account(bad), "{bad}");
        }
        assert!(
            is_project("my-project-1") && is_project("example.com:my-project") && !is_project("My Project")
        );
    }
}

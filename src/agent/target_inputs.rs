//! The inputs that ask for other clouds: their forms. Nothing is asked of a cloud to check them.

use url::{Host, Url};
use wif_core::{
    azure::hosts::{AllowedHost, AllowedHosts, HTTPS},
    exports::Family,
};

use crate::aws::partition;

/// The clouds that a step signs in to beside Azure.
#[derive(Clone, Debug, Default)]
pub struct TargetInputs {
    /// AWS.
    pub aws: Option<AwsInputs>,
    /// Google Cloud.
    pub google: Option<GoogleInputs>,
    /// Vault or `OpenBao`.
    pub vault: Option<VaultInputs>,
    /// `registries`
    pub registries: Vec<Registry>,
    /// `feeds`
    pub feeds: Vec<String>,
    /// `assertion`: the application whose access token is presented in place of the id token.
    pub assertion: Option<String>,
}

/// A registry of container images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// Its login server, with its port where that is not 443.
    pub server: String,
    /// The cloud that it is of: [`Family::Docker`] for Azure's own.
    pub cloud: Family,
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
        let docker = (!self.registries.is_empty()).then_some(Family::Docker);
        aws.into_iter().chain(google).chain(vault).chain(docker)
    }
}

/// A login server of Azure's, Google's or AWS' registries, or of a host that the user names.
pub(super) fn registry(text: &str, allowed: &AllowedHosts) -> Option<Registry> {
    let server = text.strip_prefix("https://").unwrap_or(text).trim_end_matches('/').to_ascii_lowercase();
    let url = Url::parse(&format!("https://{server}/")).ok()?;
    let host = url.host_str().filter(|_| AllowedHost::parse(&server).is_some())?;
    let port = url.port_or_known_default()?;
    let is_below = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    let cloud = match () {
        () if allowed.names(host, port) => Family::Docker,
        () if port != HTTPS => return None,
        () if ["azurecr.io", "azurecr.cn", "azurecr.us"].into_iter().any(is_below) => Family::Docker,
        () if ecr(host).is_some() => Family::Aws,
        () if host == "gcr.io" || is_below("gcr.io") || host.ends_with("-docker.pkg.dev") => Family::Google,
        () => return None,
    };
    Some(Registry { server, cloud })
}

/// What the login server of a registry of AWS tells: `ACCOUNT.dkr.ecr.REGION.amazonaws.com`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EcrServer<'a> {
    pub(crate) region: &'a str,
    /// Whether it is an endpoint for FIPS.
    pub(crate) is_fips: bool,
}

/// Reads the host of a registry of AWS. Source: AWS' documentation, "Amazon ECR endpoints and quotas".
pub(crate) fn ecr(host: &str) -> Option<EcrServer<'_>> {
    let (account, rest) = host.split_once(".dkr.")?;
    let (service, rest) = rest.split_once('.')?;
    let (region, of_partition) = rest.split_once('.')?;
    let is_fips = match service {
        "ecr" => false,
        "ecr-fips" => true,
        _ => return None,
    };
    let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let is_of_region = is_region(region) && of_partition == partition(region).domain;
    (is_account && is_of_region).then_some(EcrServer { region, is_fips })
}

/// The URL of a feed: of Azure Artifacts, or of a host that the user names.
pub(super) fn feed(text: &str, allowed: &AllowedHosts) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let (host, port) = (url.host_str()?, url.port_or_known_default()?);
    let is_known = port == HTTPS && is_feed_host(host);
    let is_bare = url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    (url.scheme() == "https" && is_bare && (is_known || allowed.names(host, port))).then(|| text.to_owned())
}

/// Whether Azure Artifacts is at this host: `pkgs.dev.azure.com`, and the older `contoso.pkgs.visualstudio.com`.
pub(crate) fn is_feed_host(host: &str) -> bool {
    host == "pkgs.dev.azure.com" || host.ends_with(".pkgs.visualstudio.com")
}

/// Whether a text is the ARN of a role (`arn:aws:iam::123456789012:role/path/name`), as long as STS takes it.
pub(crate) fn is_role(text: &str) -> bool {
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
pub(crate) fn is_region(text: &str) -> bool {
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
pub(crate) fn provider(text: &str) -> Option<String> {
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
pub(crate) fn is_service_account(text: &str) -> bool {
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
pub(crate) fn address(text: &str) -> Option<String> {
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
pub(crate) fn is_path(text: &str) -> bool {
    let is_segment = |segment: &str| {
        !segment.is_empty()
            && !matches!(segment, "." | "..")
            && segment.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    text.len() <= 200 && text.trim_matches('/').split('/').all(is_segment)
}

/// Whether a text is the name of a role of Vault's.
pub(crate) fn is_vault_role(text: &str) -> bool {
    text.len() <= 200 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_and_a_feed_are_of_a_known_host_or_of_one_that_is_named() {
        let allowed = AllowedHosts::new(vec![AllowedHost::parse("127.0.0.1:5000").unwrap()]);
        for (text, expected) in [
            ("contoso.azurecr.io", Some(("contoso.azurecr.io", Family::Docker))),
            ("https://Contoso.azurecr.us/", Some(("contoso.azurecr.us", Family::Docker))),
            ("127.0.0.1:5000", Some(("127.0.0.1:5000", Family::Docker))),
            ("europe-west3-docker.pkg.dev", Some(("europe-west3-docker.pkg.dev", Family::Google))),
            ("eu.gcr.io", Some(("eu.gcr.io", Family::Google))),
            ("azurecr.io", None),
            ("docker.io", None),
            ("contoso.azurecr.io:8443", None),
            ("contoso.azurecr.io/image", None),
            ("contoso.azurecr.io.evil.example", None),
            ("evilazurecr.io", None),
            ("http://contoso.azurecr.io", None),
            ("user@contoso.azurecr.io", None),
            ("127.0.0.1:5001", None),
            (
                "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
                Some(("123456789012.dkr.ecr.eu-central-1.amazonaws.com", Family::Aws)),
            ),
            (
                "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
                Some(("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", Family::Aws)),
            ),
            (
                "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
                Some(("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", Family::Aws)),
            ),
            (
                "123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov",
                Some(("123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov", Family::Aws)),
            ),
            ("123456789012.dkr.ecr.us-iso-east-1.amazonaws.com", None),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com", None),
            ("123456789012.dkr.ecr.eu-central-1.amazonaws.com.cn", None),
            ("123456789012.dkr.ecr.eu-central-1.evil.amazonaws.com", None),
            ("123456789012.dkr.ecr.eu-central-1.amazonaws.com.evil.example", None),
            ("12345678901.dkr.ecr.eu-central-1.amazonaws.com", None),
            ("123456789012.dkr.s3.eu-central-1.amazonaws.com", None),
            ("123456789012.dkr.ecr.eu-central-1.amazonaws.com:8443", None),
            ("public.ecr.aws", None),
        ] {
            let found = registry(text, &allowed);
            let found = found.as_ref().map(|registry| (registry.server.as_str(), registry.cloud));
            assert_eq!(found, expected, "{text}");
        }
        for (text, expected) in [
            ("https://pkgs.dev.azure.com/contoso/_packaging/feed/nuget/v3/index.json", true),
            ("https://contoso.pkgs.visualstudio.com/_packaging/feed/pypi/simple/", true),
            ("https://127.0.0.1:5000/feed", true),
            ("http://pkgs.dev.azure.com/contoso", false),
            ("https://pkgs.dev.azure.com.evil.example/contoso", false),
            ("https://user:secret@pkgs.dev.azure.com/contoso", false),
            ("https://nuget.org/v3/index.json", false),
            ("pkgs.dev.azure.com", false),
        ] {
            assert_eq!(feed(text, &allowed).is_some(), expected, "{text}");
        }
    }

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

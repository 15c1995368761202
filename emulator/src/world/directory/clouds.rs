//! Other clouds: what they trust, and what they gave out.

use std::collections::BTreeMap;

/// AWS, Google Cloud and Vault. A test may change them at any time.
#[derive(Clone, Debug, Default)]
pub struct Clouds {
    /// An AWS account.
    pub aws: AwsAccount,
    /// Google Cloud's workload identity pools.
    pub google: GooglePools,
    /// A Vault.
    pub vault: VaultServer,
    /// What keeps the content of the container registry: a registry of others, without TLS, at this port of loopback.
    pub registry: Option<u16>,
    /// Files of the package feeds, by name.
    pub packages: BTreeMap<String, Vec<u8>>,
    /// The longest life of what is given out, in seconds; `None`: the usual one of each service.
    pub longest_life: Option<i64>,
}

/// An AKS cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// The URL of its API server.
    pub server: String,
    /// Its certificate authority, as base64 of PEM.
    pub certificate_authority: String,
    /// Whether it is integrated with Entra.
    pub takes_entra_tokens: bool,
}

/// An AWS account.
#[derive(Clone, Debug, Default)]
pub struct AwsAccount {
    /// OpenID Connect identity providers: URL and client ids.
    pub providers: Vec<(String, Vec<String>)>,
    /// Roles.
    pub roles: Vec<AwsRole>,
    /// Sessions that were made, newest last.
    pub sessions: Vec<AwsSession>,
    /// Answers in XML whatever the client accepts, as what stands before the service may.
    pub only_xml: bool,
    /// Whether its roles may not get a login for the account's registries.
    pub denies_registries: bool,
    /// The passwords for its registries that were given out.
    pub registry_passwords: Vec<String>,
}

/// A role whose trust policy names a provider.
#[derive(Clone, Debug)]
pub struct AwsRole {
    /// Its ARN.
    pub arn: String,
    /// The provider's URL.
    pub provider: String,
    /// The condition on `:sub`.
    pub subject: String,
    /// The longest session, in seconds.
    pub max_seconds: i64,
}

/// A session of a role.
#[derive(Clone, Debug)]
pub struct AwsSession {
    /// `RoleSessionName`
    pub name: String,
    /// The role's ARN.
    pub role: String,
    /// The access key's id, its secret, and the session's token.
    pub key: [String; 3],
    /// When it ends, in seconds since 1970.
    pub expires: i64,
}

/// Workload identity pools.
#[derive(Clone, Debug, Default)]
pub struct GooglePools {
    /// Providers.
    pub providers: Vec<GoogleProvider>,
    /// Service accounts, each with the subject that may impersonate it.
    pub accounts: Vec<(String, String)>,
    /// Federated tokens that were given out, each with its subject.
    pub federated: Vec<(String, String)>,
}

/// A provider of a pool.
#[derive(Clone, Debug)]
pub struct GoogleProvider {
    /// `//iam.googleapis.com/projects/…`
    pub name: String,
    /// The issuer that it trusts.
    pub issuer: String,
    /// The audiences that it allows; none, where only its own name is.
    pub audiences: Vec<String>,
    /// Whether the part after `/sc/` is mapped to `google.subject`, or else the whole subject.
    pub maps_part: bool,
    /// The one value of `assertion.sub` that the attribute condition lets in; `None`: any.
    pub condition: Option<String>,
    /// Whether it is switched off.
    pub disabled: bool,
}

/// A Vault server.
#[derive(Clone, Debug, Default)]
pub struct VaultServer {
    /// Mounts of the JWT auth method.
    pub mounts: Vec<VaultMount>,
    /// Tokens that were given out, newest last.
    pub tokens: Vec<VaultToken>,
    /// Whether it has not been unsealed.
    pub sealed: bool,
    /// Whether it renews no token.
    pub refuses_renewals: bool,
}

/// A mount of the JWT auth method.
#[derive(Clone, Debug)]
pub struct VaultMount {
    /// Its namespace; empty, for the root.
    pub namespace: String,
    /// Its path below `auth/`.
    pub path: String,
    /// The one issuer.
    pub issuer: String,
    /// Its roles.
    pub roles: Vec<VaultRole>,
}

/// A role of the JWT auth method.
#[derive(Clone, Debug)]
pub struct VaultRole {
    /// Its name.
    pub name: String,
    /// `bound_audiences`
    pub audiences: Vec<String>,
    /// `bound_subject`
    pub subject: String,
    /// How long a token lives, in seconds.
    pub seconds: i64,
    /// How long a token lives at the most, however often it is renewed, in seconds.
    pub max_seconds: i64,
}

/// A token of Vault.
#[derive(Clone, Debug)]
pub struct VaultToken {
    /// Its text.
    pub text: String,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
    /// When it ends at the latest.
    pub max_expires: i64,
    /// How long a renewal lasts.
    pub seconds: i64,
    /// How often it was renewed.
    pub renewals: usize,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// The role of [`Clouds::trusting`].
pub const AWS_ROLE: &str = "arn:aws:iam::123456789012:role/deploy";
/// The provider of [`Clouds::trusting`].
pub const GOOGLE_PROVIDER: &str = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/azure/providers/devops";
/// The service account of [`Clouds::trusting`].
pub const GOOGLE_ACCOUNT: &str = "deploy@my-project.iam.gserviceaccount.com";
/// The role of Vault's of [`Clouds::trusting`].
pub const VAULT_ROLE: &str = "deploy";

impl Clouds {
    /// Clouds that trust this issuer, subject and audiences, the way their documentation advises.
    #[must_use]
    pub fn trusting(issuer: &str, subject: &str, audiences: &[&str]) -> Self {
        let audiences: Vec<_> = audiences.iter().map(|audience| (*audience).to_owned()).collect();
        let part = subject.split("/sc/").nth(1);
        let member = part.unwrap_or(subject).to_owned();
        Self {
            aws: AwsAccount {
                providers: vec![(issuer.to_owned(), audiences.clone())],
                roles: vec![AwsRole {
                    arn: AWS_ROLE.to_owned(),
                    provider: issuer.to_owned(),
                    subject: subject.to_owned(),
                    max_seconds: 3600,
                }],
                ..AwsAccount::default()
            },
            google: GooglePools {
                providers: vec![GoogleProvider {
                    name: GOOGLE_PROVIDER.to_owned(),
                    issuer: issuer.to_owned(),
                    audiences: audiences.clone(),
                    maps_part: part.is_some(),
                    condition: Some(subject.to_owned()),
                    disabled: false,
                }],
                accounts: vec![(GOOGLE_ACCOUNT.to_owned(), member)],
                federated: vec![],
            },
            vault: VaultServer {
                mounts: vec![VaultMount {
                    namespace: String::new(),
                    path: "jwt".to_owned(),
                    issuer: issuer.to_owned(),
                    roles: vec![VaultRole {
                        name: VAULT_ROLE.to_owned(),
                        audiences,
                        subject: subject.to_owned(),
                        seconds: 1200,
                        max_seconds: 7200,
                    }],
                }],
                ..VaultServer::default()
            },
            ..Self::default()
        }
    }

    /// How long something lives that is given out now, in seconds.
    pub(crate) fn life(&self, usual: i64) -> i64 {
        self.longest_life.map_or(usual, |longest| longest.min(usual))
    }
}

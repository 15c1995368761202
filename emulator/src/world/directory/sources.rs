//! Issuers outside of Azure Pipelines, and the job, pod or machine that each of them signs for.

use crate::world::keys::random_text;

/// An issuer of id tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceIssuer {
    /// GitHub Actions.
    GitHub,
    /// GitLab CI.
    GitLab,
    /// Buildkite.
    Buildkite,
    /// A Kubernetes cluster.
    Kubernetes,
    /// Google Cloud.
    Google,
    /// An AWS account.
    Aws,
    /// A SPIRE server.
    Spiffe,
}

impl SourceIssuer {
    /// Every issuer.
    pub const ALL: [Self; 7] = [
        Self::GitHub,
        Self::GitLab,
        Self::Buildkite,
        Self::Kubernetes,
        Self::Google,
        Self::Aws,
        Self::Spiffe,
    ];

    /// What its tokens have as `iss`.
    #[must_use]
    pub const fn issuer(self) -> &'static str {
        match self {
            Self::GitHub => "https://token.actions.githubusercontent.com",
            Self::GitLab => "https://gitlab.com",
            Self::Buildkite => "https://agent.buildkite.com",
            Self::Kubernetes => {
                "https://westeurope.oic.prod-aks.azure.com/8d1c7a34-0b7e-4e55-9f61-7c0e3b9a2d41/7e0f4d52-3a1b-4c8e-b0d7-2e9f4a6c8b13/"
            }
            Self::Google => "https://accounts.google.com",
            Self::Aws => "https://5d0a4c21-7b3e-4f6a-9c1d-8e2f3a4b5c6d.tokens.sts.global.api.aws",
            Self::Spiffe => "https://oidc.spire.example",
        }
    }
}

/// What the issuers sign for, and what they demand. A test may change it at any time.
#[derive(Clone)]
pub struct Sources {
    /// What every one of them demands: of GitHub the request token, of Buildkite the job's token.
    pub credential: String,
    /// Whether the job may ask for an id token: `permissions: id-token: write`, the role for `serviceaccounts/token`.
    pub is_permitted: bool,
    /// The subjects, where they are not the usual ones.
    pub subjects: Vec<(SourceIssuer, String)>,
    /// How long id tokens live, in seconds.
    pub lifetime: i64,
    /// The access key of the AWS role, its secret and its session token.
    pub aws_key: [String; 3],
}

impl Sources {
    /// The subject of an issuer's tokens.
    #[must_use]
    pub fn subject(&self, source: SourceIssuer) -> String {
        let changed = self.subjects.iter().rev().find(|(of, _)| *of == source);
        if let Some((_, subject)) = changed {
            return subject.clone();
        }
        match source {
            SourceIssuer::GitHub => "repo:contoso/platform:ref:refs/heads/main",
            SourceIssuer::GitLab => "project_path:contoso/platform:ref_type:branch:ref:main",
            SourceIssuer::Buildkite => "01890f4e-6f35-4c1d-9d7a-5b6c7d8e9f00",
            SourceIssuer::Kubernetes => "system:serviceaccount:shop:orders",
            SourceIssuer::Google => "112233445566778899001",
            SourceIssuer::Aws => "arn:aws:iam::123456789012:role/deploy",
            SourceIssuer::Spiffe => "spiffe://contoso.example/ns/shop/sa/orders",
        }
        .to_owned()
    }
}

impl Default for Sources {
    fn default() -> Self {
        let secret = random_text(30);
        Self {
            credential: random_text(30),
            is_permitted: true,
            subjects: vec![],
            lifetime: 300,
            aws_key: ["ASIAEMULATED00000001".to_owned(), secret, random_text(60)],
        }
    }
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").field("is_permitted", &self.is_permitted).finish_non_exhaustive()
    }
}

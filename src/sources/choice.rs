//! Which source gives the id tokens: the one that is named, or the first that is found.

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc};

use uuid::Uuid;
use wif_core::{
    azure::{cloud::Cloud, resource::Audiences},
    failure::Failure,
    foreign_text::one_line,
};
use wif_io::{clock::Deadline, env::Env, http::Http};

use super::{
    Fetched, IdTokenSource,
    aws::{self, Aws},
    buildkite::{self, Buildkite},
    error::SourceError,
    file::TokenFile,
    github::{self, GitHub},
    google::{self, Google},
    kubernetes::{self, Kubernetes},
    managed_identity::MachineIdentity,
    spiffe::{self, Spiffe},
    variable::{self, Variable},
};

/// A source, as a user names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceName {
    /// Azure DevOps, for a service connection.
    AzurePipelines,
    /// GitHub Actions, Forgejo or Gitea.
    GitHub,
    /// The id token of a GitLab job.
    GitLab,
    /// Buildkite.
    Buildkite,
    /// A pod's service account.
    Kubernetes,
    /// A SPIFFE Workload API.
    Spiffe,
    /// Google Cloud's metadata server.
    Google,
    /// AWS, for the role that this process has.
    Aws,
    /// The managed identity of this machine.
    ManagedIdentity,
    /// A file that another program writes anew.
    File(PathBuf),
    /// A variable.
    Variable(String),
}

/// Text that names no source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("accepted: auto, {}, file:PATH, env:NAME", NAMES.map(|(name, _)| name).join(", "))]
pub struct SourceNameError;

/// The sources with a name of their own.
const NAMES: [(&str, SourceName); 9] = [
    ("azure-pipelines", SourceName::AzurePipelines),
    ("github", SourceName::GitHub),
    ("gitlab", SourceName::GitLab),
    ("buildkite", SourceName::Buildkite),
    ("kubernetes", SourceName::Kubernetes),
    ("spiffe", SourceName::Spiffe),
    ("google", SourceName::Google),
    ("aws", SourceName::Aws),
    ("managed-identity", SourceName::ManagedIdentity),
];

/// A source that is there, and by what it was recognized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecognizedSource {
    pub(crate) name: SourceName,
    pub(crate) by: String,
}

impl FromStr for SourceName {
    type Err = SourceNameError;

    fn from_str(text: &str) -> Result<Self, SourceNameError> {
        let named =
            NAMES.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, source)| source);
        let prefixed = || match text.split_once(':')? {
            ("file", path) if !path.is_empty() => Some(Self::File(path.into())),
            ("env", name) if !name.is_empty() && !name.contains('=') => Some(Self::Variable(name.to_owned())),
            _ => None,
        };
        named.or_else(prefixed).ok_or(SourceNameError)
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", one_line(&path.to_string_lossy(), 200)),
            Self::Variable(name) => write!(f, "env:{}", one_line(name, 100)),
            named => {
                let name = NAMES.iter().find(|(_, source)| source == named).map(|(name, _)| *name);
                f.write_str(name.unwrap_or_default())
            }
        }
    }
}

impl SourceName {
    /// Whether its id token was made once, and no other one can be had.
    pub(crate) const fn is_static(&self) -> bool {
        matches!(self, Self::GitLab | Self::Variable(_))
    }
}

/// Every source that is there, the first one first: what names a job before what names a machine, which may run any job.
pub(crate) fn recognized(env: &Env) -> Vec<RecognizedSource> {
    let set = |name: &'static str, source: SourceName| {
        env.get(name).map(|_| RecognizedSource { name: source, by: format!("{name} is set") })
    };
    let pipelines = set("SYSTEM_OIDCREQUESTURI", SourceName::AzurePipelines)
        .or_else(|| set("TF_BUILD", SourceName::AzurePipelines));
    let github =
        set(github::REQUEST_URL, SourceName::GitHub).or_else(|| set(github::IN_JOB, SourceName::GitHub));
    let static_names = [
        "BITBUCKET_STEP_OIDC_TOKEN",
        "CIRCLE_OIDC_TOKEN_V2",
        "CIRCLE_OIDC_TOKEN",
        "TFC_WORKLOAD_IDENTITY_TOKEN",
    ];
    let of_others =
        static_names.into_iter().find_map(|name| set(name, SourceName::Variable(name.to_owned())));
    let kubernetes = set(kubernetes::FILE, SourceName::Kubernetes)
        .or_else(|| set(kubernetes::API_HOST, SourceName::Kubernetes));
    let google = set(google::HOST, SourceName::Google).or_else(|| {
        google::is_machine().then(|| RecognizedSource {
            name: SourceName::Google,
            by: "the machine says that it is one of Google's".to_owned(),
        })
    });
    let aws = aws::recognized(env).and_then(|name| set(name, SourceName::Aws));
    let machine = ["IDENTITY_ENDPOINT", "IMDS_ENDPOINT"]
        .into_iter()
        .find_map(|name| set(name, SourceName::ManagedIdentity));
    let all = [
        pipelines,
        github,
        set(buildkite::JOB, SourceName::Buildkite),
        set(variable::IN_GITLAB, SourceName::GitLab),
        of_others,
        kubernetes,
        set(spiffe::SOCKET, SourceName::Spiffe),
        google,
        aws,
        machine,
    ];
    all.into_iter().flatten().collect()
}

/// What a source is made of, beside its environment.
pub(crate) struct Settings<'a> {
    pub(crate) env: &'a Env,
    pub(crate) audiences: &'a Audiences,
    /// The audience of the id token.
    pub(crate) audience: &'a str,
    /// Which of the machine's identities proves itself.
    pub(crate) identity: Option<Uuid>,
}

/// The source of this name; `None` for Azure Pipelines, which needs a connection.
///
/// # Errors
///
/// It is not here, or half of it is.
pub(crate) fn open(
    name: &SourceName,
    settings: &Settings<'_>,
) -> Result<Option<Arc<dyn IdTokenSource>>, Failure> {
    let Settings { env, audiences, audience, identity } = *settings;
    Ok(Some(match name {
        SourceName::AzurePipelines => return Ok(None),
        SourceName::GitHub => Arc::new(GitHub::read(env)?),
        SourceName::GitLab => Arc::new(Variable::of_gitlab(env, audience)?),
        SourceName::Variable(name) => Arc::new(Variable::named(env, name)?),
        SourceName::Buildkite => Arc::new(Buildkite::read(env)?),
        SourceName::Kubernetes => Arc::new(Kubernetes::read(env)?),
        SourceName::Spiffe => Arc::new(Spiffe::read(env)?),
        SourceName::Google => Arc::new(Google::read(env)?),
        SourceName::Aws => Arc::new(Aws::read(env)?),
        SourceName::ManagedIdentity => Arc::new(MachineIdentity::of(env, audiences, identity)),
        SourceName::File(path) => Arc::new(TokenFile::at(path)),
    }))
}

/// A source whose id tokens are for another audience than the usual one of Entra.
pub(crate) struct ForAudience {
    pub(crate) source: Arc<dyn IdTokenSource>,
    pub(crate) audience: String,
}

impl IdTokenSource for ForAudience {
    fn signer(&self) -> &'static str {
        self.source.signer()
    }

    fn takes_audience(&self) -> bool {
        self.source.takes_audience()
    }

    fn fetch<'a>(&'a self, http: &'a Http, deadline: Deadline, audience: &'a str) -> Fetched<'a> {
        let is_usual = Cloud::ALL.iter().any(|cloud| cloud.token_exchange_audience() == audience);
        self.source.fetch(http, deadline, if is_usual { &self.audience } else { audience })
    }
}

/// Why `auto` finds no source.
pub(crate) fn none_recognized() -> Failure {
    SourceError::Absent {
        signer: "any source",
        missing: "the environment is neither that of a job nor of a pod that has one".to_owned(),
        mend: "name the source: --source github, kubernetes, file:PATH, env:NAME, managed-identity, …; wif exec --help has them all".to_owned(),
    }
    .into()
}

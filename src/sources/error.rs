//! Why a source gives no id token: code and remedy.

use wif_core::{
    code::Code,
    failure::Failure,
    foreign_text::ForeignText,
    human_time::format_duration,
    retry::{RetryClass, asked_to_wait},
};
use wif_io::{
    failure::explain,
    http::{HttpError, SetupError},
};

/// No id token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// The source is not here, or half of it is.
    #[error("there is no id token of {signer} here: {missing}")]
    Absent { signer: &'static str, missing: String, mend: String },
    /// More than one fits.
    #[error("it is not clear which id token is meant: {found}")]
    Ambiguous { found: String, mend: String },
    /// It is there, and of no use to Entra.
    #[error("the id token {place} cannot be used: {reason}")]
    Unusable { place: String, reason: String, mend: String },
    /// It cannot be had again.
    #[error("the id token {place} ended {} ago, and {signer} gives no other one to this job", format_duration(*.ago))]
    Ended { signer: &'static str, place: String, ago: time::Duration, mend: String },
    /// No answer.
    #[error("no id token from {signer}")]
    Http {
        signer: &'static str,
        #[source]
        source: HttpError,
    },
    /// 408, 429, 5xx
    #[error("{signer} is unavailable or busy (it answered {status}{})", asked_to_wait(*.retry_after))]
    Busy { signer: &'static str, status: u16, retry_after: Option<std::time::Duration> },
    /// A refusal.
    #[error("{signer} refused to sign an id token (it answered {status}{})", .said.as_ref().map(|said| format!(": {said}")).unwrap_or_default())]
    Refused { signer: &'static str, status: u16, said: Option<String>, mend: String },
    /// Not what the protocol says.
    #[error("{signer} answered {status} without an id token: the body is {body}")]
    NoToken { signer: &'static str, status: u16, body: &'static str },
    #[error(transparent)]
    Setup(#[from] SetupError),
}

impl SourceError {
    /// Whether another attempt may help.
    pub(super) const fn retry_class(&self) -> RetryClass {
        match self {
            Self::Http { source, .. } => source.retry_class(),
            Self::Busy { retry_after, .. } => RetryClass::Busy { retry_after: *retry_after },
            Self::NoToken { .. } => RetryClass::Unreachable,
            Self::Absent { .. }
            | Self::Ambiguous { .. }
            | Self::Unusable { .. }
            | Self::Ended { .. }
            | Self::Refused { .. }
            | Self::Setup(_) => RetryClass::Refused,
        }
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        let retry_class = error.retry_class();
        let (code, hint) = match &error {
            SourceError::Absent { mend, .. } => (Code::SourceAbsent, mend.clone()),
            SourceError::Ambiguous { mend, .. } => (Code::SourceAmbiguous, mend.clone()),
            SourceError::Unusable { mend, .. } => (Code::SourceTokenUnusable, mend.clone()),
            SourceError::Ended { mend, .. } => (Code::SourceTokenEnded, mend.clone()),
            SourceError::Refused { mend, .. } => (Code::SourceRefused, mend.clone()),
            SourceError::Http { source, .. } => {
                let (code, hint) = explain(source);
                (code, hint.to_owned())
            }
            SourceError::Busy { .. } => {
                (Code::ServiceUnavailable, "try again later; the service says that it passes".to_owned())
            }
            SourceError::NoToken { .. } => (
                Code::AnswerUnusable,
                "check the address and the proxy: something other than the source may have answered"
                    .to_owned(),
            ),
            SourceError::Setup(_) => (
                Code::NetworkSettings,
                "install the system's CA certificates (package ca-certificates)".to_owned(),
            ),
        };
        Self::new(code, error, hint).with_retry_class(retry_class)
    }
}

/// Audiences as an error shows them.
pub(super) fn shown(audiences: &[ForeignText]) -> String {
    ForeignText::join(audiences)
}

/// Variables that are not set, as an error says it.
pub(super) fn not_set(names: &[&str]) -> String {
    format!("{} {} not set", names.join(" and "), if names.len() == 1 { "is" } else { "are" })
}

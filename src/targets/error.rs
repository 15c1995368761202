//! Why another cloud gives no credential: code and remedy, with what was presented.

use std::time::Duration;

use wif_core::{
    code::Code,
    fact::Fact,
    failure::Failure,
    foreign_text::ForeignText,
    refusals::KnownRefusal,
    retry::{RetryClass, asked_to_wait},
    token::claims::Unverified,
    trust::presented::identity_parts,
};
use wif_io::{
    failure::explain,
    http::{HttpError, SetupError},
};

/// No credential.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    /// No answer.
    #[error("no credential from {service}")]
    Http {
        service: &'static str,
        #[source]
        source: HttpError,
    },
    /// 408, 429, 5xx
    #[error("{service} is unavailable or busy (it answered {status}{})", asked_to_wait(*.retry_after))]
    Busy { service: &'static str, status: u16, retry_after: Option<Duration> },
    /// A refusal.
    #[error(
        "{service} refused the {presented}{} (it answered {status})",
        .known.map(|known| format!(": {}", known.meaning)).unwrap_or_default()
    )]
    Refused {
        service: &'static str,
        presented: &'static str,
        status: u16,
        /// The service's own words.
        said: Option<String>,
        known: Option<&'static KnownRefusal>,
    },
    /// Not what the protocol says.
    #[error("{service} answered {status} in a form that it does not use: the body is {body}")]
    Unusable { service: &'static str, status: u16, body: &'static str },
    /// A setting of this machine.
    #[error("the variable {variable} cannot be used: {reason}")]
    Variable { variable: &'static str, reason: String },
    #[error(transparent)]
    Setup(SetupError),
}

impl TargetError {
    /// Whether another attempt may help.
    pub(super) fn retry_class(&self) -> RetryClass {
        match self {
            Self::Http { source, .. } => source.retry_class(),
            Self::Busy { retry_after, .. } => RetryClass::Busy { retry_after: *retry_after },
            Self::Unusable { .. } => RetryClass::Unreachable,
            Self::Refused { known, .. } => {
                known.map_or(RetryClass::Refused, |known| known.retry.retry_class())
            }
            Self::Variable { .. } | Self::Setup(_) => RetryClass::Refused,
        }
    }

    /// The failure, with what was presented; `own` says what the cloud was asked for.
    pub(super) fn explain(self, claims: Option<&Unverified>, own: Vec<Fact>) -> Failure {
        let Self::Refused { said, .. } = &self else { return self.into() };
        // A service may repeat issuer and subject as they are, which the agent's masks make unreadable.
        let said = said.as_ref().map(|said| {
            let claims = claims.iter().flat_map(|claims| [claims.issuer.raw(), claims.subject.raw()]);
            claims
                .filter(|claim| claim.len() >= 10)
                .fold(said.clone(), |said, claim| said.replace(claim, "shown below"))
        });
        let mut facts: Vec<_> = said.map(|said| Fact::new("service says", said)).into_iter().collect();
        if let Some(claims) = claims {
            let parts = identity_parts(claims).into_iter();
            facts.extend(parts.map(|(label, value)| Fact::new(label, value)));
            facts.push(Fact::new("audience", ForeignText::join(&claims.audiences)));
            facts.extend(own);
        }
        Failure::from(self).with_details(facts)
    }
}

impl From<SetupError> for TargetError {
    fn from(error: SetupError) -> Self {
        Self::Setup(error)
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        let retry_class = error.retry_class();
        let mut command = None;
        let (code, hint) = match &error {
            TargetError::Http { source, .. } => explain(source),
            TargetError::Busy { .. } => {
                (Code::ServiceUnavailable, "run the job again later; the service says that it passes")
            }
            TargetError::Refused { known: Some(known), .. } => {
                command = Some(known.command);
                (known.code, known.remedy)
            }
            TargetError::Refused { known: None, .. } => {
                (Code::TargetRefused, "compare what was presented with what the other cloud trusts")
            }
            TargetError::Unusable { .. } => (
                Code::AnswerUnusable,
                "check the address and the proxy: something other than the service may have answered",
            ),
            TargetError::Variable { .. } => {
                (Code::NetworkSettings, "correct the variable, or remove it from the job and the machine")
            }
            TargetError::Setup(_) => {
                (Code::NetworkSettings, "install the system's CA certificates (package ca-certificates)")
            }
        };
        Self::new(code, error, hint).with_command(command).with_retry_class(retry_class)
    }
}

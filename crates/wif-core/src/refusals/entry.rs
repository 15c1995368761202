//! An entry of the catalogue of refusals.

use std::fmt;

use crate::{code::Code, retry::RetryClass};

/// A refusal that is known.
#[derive(Clone, Copy, Debug)]
pub struct KnownRefusal {
    /// Its name, as the refusing service spells it.
    pub name: Name,
    /// The code that users see beside it.
    pub code: Code,
    /// What is wrong, in this flow.
    pub meaning: &'static str,
    /// Why it comes, the likeliest first.
    pub causes: &'static [&'static str],
    /// What to do.
    pub remedy: &'static str,
    /// The command or the click that does it.
    pub command: &'static str,
    /// Whether it passes.
    pub retry: RetryAdvice,
}

/// What a refusal is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// `AADSTS…`, of Entra.
    Entra(u32),
    /// Of Azure DevOps: its own name where it has one, else ours.
    DevOps(&'static str),
    /// Of Azure Resource Manager or Microsoft Graph.
    ResourceManager(&'static str),
    /// Of AWS.
    Aws(&'static str),
    /// Of Google Cloud: a name of ours.
    Google(&'static str),
    /// Of Vault or `OpenBao`: a name of ours.
    Vault(&'static str),
}

/// Whether another attempt can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAdvice {
    /// No.
    No,
    /// Federated credentials reach Entra's servers minutes after they were made; plans become ready.
    Soon,
    /// The same id token stays refused, another may not.
    FreshIdToken,
    /// A fault that passes.
    Passing,
}

impl KnownRefusal {
    /// A refusal that another attempt cannot change.
    pub(super) const fn new(
        name: Name,
        code: Code,
        meaning: &'static str,
        causes: &'static [&'static str],
        (remedy, command): (&'static str, &'static str),
    ) -> Self {
        Self { name, code, meaning, causes, remedy, command, retry: RetryAdvice::No }
    }

    /// The same, of Entra.
    pub(super) const fn of_entra(
        number: u32,
        code: Code,
        meaning: &'static str,
        causes: &'static [&'static str],
        remedy: (&'static str, &'static str),
    ) -> Self {
        Self::new(Name::Entra(number), code, meaning, causes, remedy)
    }

    pub(super) const fn retried(self, retry: RetryAdvice) -> Self {
        Self { retry, ..self }
    }

    /// Whether an attempt with a fresh id token may help.
    #[must_use]
    pub fn wants_fresh_id_token(&self) -> bool {
        self.retry == RetryAdvice::FreshIdToken
    }
}

impl RetryAdvice {
    /// What the law of retrying makes of it.
    #[must_use]
    pub const fn retry_class(self) -> RetryClass {
        match self {
            Self::No | Self::FreshIdToken => RetryClass::Refused,
            Self::Soon => RetryClass::MayPass,
            Self::Passing => RetryClass::Busy { retry_after: None },
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entra(number) => write!(f, "AADSTS{number}"),
            Self::DevOps(name)
            | Self::ResourceManager(name)
            | Self::Aws(name)
            | Self::Google(name)
            | Self::Vault(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for RetryAdvice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "no",
            Self::Soon => {
                "three more times, after 2, 4 and 8 s: what was made a moment ago may still be on its way"
            }
            Self::FreshIdToken => "once, with a fresh id token",
            Self::Passing => "as long as the 60 s of a sign-in last: it is a passing fault",
        })
    }
}

impl fmt::Display for KnownRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, code, meaning, causes, remedy, command, retry } = self;
        writeln!(f, "{name}: {meaning}")?;
        writeln!(f, "  code: {code}")?;
        for cause in *causes {
            writeln!(f, "  cause: {cause}")?;
        }
        writeln!(f, "  tried again: {retry}")?;
        write!(f, "  at fault: {}\n  fix: {remedy}\n  run: {command}\n  docs: {}", code.party(), code.page())
    }
}

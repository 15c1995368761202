//! An entry of the catalogue of refusals.

use std::fmt;

use crate::{code::Code, retry::Outcome};

/// A refusal that is known.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its name, as whoever refuses spells it.
    pub name: Name,
    /// The code that users see beside it.
    pub code: Code,
    /// What is wrong, in this flow.
    pub means: &'static str,
    /// Why it comes, the likeliest first.
    pub causes: &'static [&'static str],
    /// What to do.
    pub remedy: &'static str,
    /// The command or the click that does it.
    pub command: &'static str,
    /// Whether it passes.
    pub again: Again,
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
}

/// Whether another attempt can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// No.
    No,
    /// Federated credentials reach Entra's servers minutes after they were made; plans become ready.
    Soon,
    /// The same id token stays refused, another may not.
    FreshIdToken,
    /// A fault that passes.
    Passing,
}

impl Known {
    /// A refusal that another attempt cannot change.
    pub(super) const fn new(
        name: Name,
        code: Code,
        means: &'static str,
        causes: &'static [&'static str],
        (remedy, command): (&'static str, &'static str),
    ) -> Self {
        Self { name, code, means, causes, remedy, command, again: Again::No }
    }

    /// The same, of Entra.
    pub(super) const fn of_entra(
        number: u32,
        code: Code,
        means: &'static str,
        causes: &'static [&'static str],
        remedy: (&'static str, &'static str),
    ) -> Self {
        Self::new(Name::Entra(number), code, means, causes, remedy)
    }

    pub(super) const fn again(self, again: Again) -> Self {
        Self { again, ..self }
    }

    /// Whether an attempt with a fresh id token may help.
    #[must_use]
    pub fn wants_fresh_id_token(&self) -> bool {
        self.again == Again::FreshIdToken
    }
}

impl Again {
    /// What the law of retrying makes of it.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::No | Self::FreshIdToken => Outcome::Refused,
            Self::Soon => Outcome::Doubtful,
            Self::Passing => Outcome::Busy { retry_after: None },
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entra(number) => write!(f, "AADSTS{number}"),
            Self::DevOps(name) | Self::ResourceManager(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Again {
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

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, code, means, causes, remedy, command, again } = self;
        writeln!(f, "{name}: {means}")?;
        writeln!(f, "  code: {code}")?;
        for cause in *causes {
            writeln!(f, "  cause: {cause}")?;
        }
        writeln!(f, "  tried again: {again}")?;
        write!(f, "  wrong: {}\n  fix: {remedy}\n  how: {command}\n  more: {}", code.party(), code.page())
    }
}

//! The refusals that are known: what each means in this flow, why it comes, what mends it, whether it passes.
//!
//! The failing step, `wif explain` and `docs/refusals.md` print what stands here.
//!
//! Sources: <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>,
//! <https://learn.microsoft.com/azure/devops/pipelines/release/troubleshoot-workload-identity>,
//! <https://learn.microsoft.com/azure/role-based-access-control/troubleshooting>, and the texts that users quote in
//! the issues of the tools.

mod application;
mod devops;
mod request;
mod resource;
mod resource_manager;
mod service;
mod tenant;
mod trust;

use std::fmt;

pub(crate) use devops::in_words;

use crate::{error::Code, retry::Outcome};

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

/// Every refusal that is known, by who gives it.
const TABLES: [&[Known]; 8] = [
    trust::KNOWN,
    application::KNOWN,
    tenant::KNOWN,
    resource::KNOWN,
    request::KNOWN,
    service::KNOWN,
    devops::KNOWN,
    resource_manager::KNOWN,
];

/// Every refusal that is known.
pub fn all() -> impl Iterator<Item = &'static Known> {
    TABLES.into_iter().flatten()
}

/// The refusal `AADSTS<number>`, if it is a known one.
#[must_use]
pub fn of_entra(number: u32) -> Option<&'static Known> {
    all().find(|known| known.name == Name::Entra(number))
}

/// The refusal of this name, in any case.
#[must_use]
pub fn named(name: &str) -> Option<&'static Known> {
    all().find(|known| known.name.to_string().eq_ignore_ascii_case(name))
}

/// The number in a text such as `AADSTS700213: …`.
#[must_use]
pub fn number_in(description: &str) -> Option<u32> {
    let (_, rest) = description.split_once("AADSTS")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest.get(..digits)?.parse().ok()
}

impl Known {
    /// A refusal that another attempt cannot change.
    const fn new(
        name: Name,
        code: Code,
        means: &'static str,
        causes: &'static [&'static str],
        (remedy, command): (&'static str, &'static str),
    ) -> Self {
        Self { name, code, means, causes, remedy, command, again: Again::No }
    }

    /// The same, of Entra.
    const fn of_entra(
        number: u32,
        code: Code,
        means: &'static str,
        causes: &'static [&'static str],
        remedy: (&'static str, &'static str),
    ) -> Self {
        Self::new(Name::Entra(number), code, means, causes, remedy)
    }

    const fn again(self, again: Again) -> Self {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn numbers() -> impl Iterator<Item = (u32, &'static Known)> {
        all().filter_map(|known| match known.name {
            Name::Entra(number) => Some((number, known)),
            Name::DevOps(_) | Name::ResourceManager(_) => None,
        })
    }

    #[test]
    fn an_unknown_number_or_name_has_no_meaning() {
        assert!(of_entra(1).is_none() && named("AADSTS1").is_none() && named("").is_none());
        assert_eq!(number_in("nothing"), None);
        assert_eq!(number_in("AADSTS: x"), None);
        assert_eq!(number_in("AADSTS99999999999: x"), None);
    }

    #[test]
    fn the_number_is_found_in_a_description() {
        assert_eq!(number_in("AADSTS700213: No matching …"), Some(700_213));
        assert_eq!(number_in("error: AADSTS50166"), Some(50166));
    }

    #[test]
    fn no_name_is_known_twice() {
        let names: BTreeSet<_> = all().map(|known| known.name.to_string().to_lowercase()).collect();
        assert_eq!(names.len(), all().count());
        assert!(names.len() >= 60, "{}", names.len());
        assert_eq!(named("aadsts700213").unwrap().code, Code::SubjectNotTrusted);
    }

    #[test]
    fn every_entry_says_what_why_and_what_to_do_in_a_screen() {
        for known in all() {
            let text = known.to_string();
            assert!(!known.causes.is_empty() && known.causes.len() <= 4, "{text}");
            for part in [known.means, known.remedy, known.command].iter().chain(known.causes) {
                assert!(!part.is_empty() && part.len() <= 260 && !part.ends_with('.'), "{text}");
            }
            assert!(text.lines().count() <= 12, "{text}");
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let retried: BTreeSet<_> = numbers()
            .filter(|(_, known)| known.again.outcome() != Outcome::Refused)
            .map(|(number, _)| number)
            .collect();
        let may_pass = [
            50033, 50166, 70021, 90006, 90012, 90024, 90033, 90055, 90061, 90090, 501_661, 700_211, 700_212,
            700_213,
        ];
        assert_eq!(retried, BTreeSet::from(may_pass));
    }
}

//! The refusals that are known: what each means in this flow, why it comes, what mends it, whether it passes.
//!
//! The failing step, `wif explain` and `docs/refusals.md` print what stands here.
//!
//! Sources: <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>,
//! <https://learn.microsoft.com/azure/devops/pipelines/release/troubleshoot-workload-identity>,
//! <https://learn.microsoft.com/azure/role-based-access-control/troubleshooting>, and the texts that users quote in
//! the issues of the tools.

mod application;
mod aws;
mod devops;
mod entry;
mod google;
mod request;
mod resource;
mod resource_manager;
mod service;
mod tenant;
mod trust;
mod vault;

pub use self::entry::{KnownRefusal, Name, RetryAdvice};

/// Every refusal that is known, by who gives it.
const TABLES: [&[KnownRefusal]; 11] = [
    trust::KNOWN,
    application::KNOWN,
    tenant::KNOWN,
    resource::KNOWN,
    request::KNOWN,
    service::KNOWN,
    devops::KNOWN,
    resource_manager::KNOWN,
    aws::KNOWN,
    google::KNOWN,
    vault::KNOWN,
];

/// Every refusal that is known.
pub fn all() -> impl Iterator<Item = &'static KnownRefusal> {
    TABLES.into_iter().flatten()
}

/// The refusal `AADSTS<number>`, if it is a known one.
#[must_use]
pub fn of_entra(number: u32) -> Option<&'static KnownRefusal> {
    all().find(|known| known.name == Name::Entra(number))
}

/// The refusal of this name, in any case.
#[must_use]
pub fn named(name: &str) -> Option<&'static KnownRefusal> {
    all().find(|known| known.name.to_string().eq_ignore_ascii_case(name))
}

/// The refusal that a text of Azure DevOps tells of.
#[must_use]
pub fn in_words(text: &str) -> Option<&'static KnownRefusal> {
    by_words(devops::WORDS, text)
}

/// The refusal that a text of Google Cloud tells of.
#[must_use]
pub fn in_words_of_google(text: &str) -> Option<&'static KnownRefusal> {
    by_words(google::WORDS, text)
}

/// The refusal that a text of Vault or `OpenBao` tells of.
#[must_use]
pub fn in_words_of_vault(text: &str) -> Option<&'static KnownRefusal> {
    by_words(vault::WORDS, text)
}

/// Words of a refusal, and its name.
type Words = [(&'static [&'static str], &'static str)];

fn by_words(table: &Words, text: &str) -> Option<&'static KnownRefusal> {
    let text = text.to_lowercase();
    let fits = |words: &[&str]| words.iter().all(|word| text.contains(&word.to_lowercase()));
    table.iter().find(|(words, _)| fits(words)).and_then(|(_, name)| named(name))
}

/// The number in a text such as `AADSTS700213: …`.
#[must_use]
pub fn number_in(description: &str) -> Option<u32> {
    let (_, rest) = description.split_once("AADSTS")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest.get(..digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{code::Code, retry::RetryClass};

    fn numbers() -> impl Iterator<Item = (u32, &'static KnownRefusal)> {
        all().filter_map(|known| match known.name {
            Name::Entra(number) => Some((number, known)),
            _ => None,
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
            for part in [known.meaning, known.remedy, known.command].iter().chain(known.causes) {
                assert!(!part.is_empty() && part.len() <= 260 && !part.ends_with('.'), "{text}");
            }
            assert!(text.lines().count() <= 12, "{text}");
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let retried: BTreeSet<_> = numbers()
            .filter(|(_, known)| known.retry.retry_class() != RetryClass::Refused)
            .map(|(number, _)| number)
            .collect();
        let may_pass = [
            50033, 50166, 70021, 90006, 90012, 90024, 90033, 90055, 90061, 90090, 501_661, 700_211, 700_212,
            700_213,
        ];
        assert_eq!(retried, BTreeSet::from(may_pass));
    }

    #[test]
    fn words_lead_to_names_that_are_known() {
        for (words, name) in devops::WORDS {
            assert!(named(name).is_some(), "{name}");
            assert!(in_words(&words.join(" … ")).is_some(), "{words:?}");
        }
        let name = |text| in_words(text).map(|known| known.name.to_string());
        let quoted = "references service connection sc-prod which could not be found. The service connection does not exist, \
                      has been disabled or has not been authorized for use.";
        assert_eq!(name(quoted).as_deref(), Some("connection-not-authorized"));
        assert_eq!(
            name("The service connection sc-prod is disabled.").as_deref(),
            Some("connection-disabled")
        );
        assert_eq!(name("something else"), None);
    }
}

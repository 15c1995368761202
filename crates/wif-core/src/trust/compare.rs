//! Compares what an id token presents with what a federated credential trusts, and says in words where they differ.
//!
//! Matching is exact, letter case and white space included; only the audience of Entra's own id tokens is a GUID that
//! stands for a name.

use super::side_by_side::side_by_side;
use super::subject::{Form, Issuer, Subject};
use crate::{azure::cloud::Cloud, fact::Fact, foreign_text::ForeignText, token::claims::Unverified};

/// What is trusted: by a federated credential, or as the connection says it is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    /// Where this was read, in words for a person: a harmless line.
    pub by: String,
    /// The issuer.
    pub issuer: ForeignText,
    /// The subject. A flexible federated credential has none.
    pub subject: Option<ForeignText>,
    /// The audiences; none where they are not known.
    pub audiences: Vec<ForeignText>,
}

/// What an id token presents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `iss`
    pub issuer: ForeignText,
    /// `sub`
    pub subject: ForeignText,
    /// `aud`
    pub audiences: Vec<ForeignText>,
}

impl From<&Unverified> for Claims {
    fn from(claims: &Unverified) -> Self {
        let Unverified { issuer, subject, audiences, .. } = claims.clone();
        Self { issuer, subject, audiences }
    }
}

impl Claims {
    /// What the id tokens of a connection present that says so of itself.
    #[must_use]
    pub fn of_connection(registered: &Trusted) -> Option<Self> {
        let by_entra = Issuer::parse(registered.issuer.raw()).tenant().is_some();
        let audience = if by_entra { AUDIENCE_ID } else { Cloud::Public.token_exchange_audience() };
        Some(Self {
            issuer: registered.issuer.clone(),
            subject: registered.subject.clone()?,
            audiences: vec![audience.into()],
        })
    }
}

/// A part of an id token that must match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `iss`
    Issuer,
    /// `sub`
    Subject,
    /// `aud`
    Audience,
}

/// One part that does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub part: Part,
    /// The number of `AADSTS…` by which Entra says so.
    pub number: u32,
    /// Why, in words.
    pub words: String,
    /// Both sides, a line for each segment, so that no mask of the whole hits them.
    pub lines: Vec<Fact>,
}

/// When the Azure DevOps issuer ends, in the public cloud.
pub const DEVOPS_ISSUER_RETIREMENT: &str = "2027-07-01";
/// What Entra's own id tokens have as audience.
const AUDIENCE_ID: &str = "fb60f99c-7a34-4190-8149-302f77469936";

/// The trusted one that is nearest, and where the id token differs from it: nowhere, if it matches.
#[must_use]
pub fn nearest<'a>(claims: &Claims, trusted: &'a [Trusted]) -> Option<(&'a Trusted, Vec<Difference>)> {
    let differences = trusted.iter().map(|trusted| (trusted, differences(claims, trusted)));
    // As Entra looks: by the issuer first, then by the subject; of those, the one with the most like subject is meant.
    differences.min_by_key(|(trusted, differences)| {
        let differs = |part| differences.iter().any(|difference| difference.part == part);
        let subject = trusted.subject.as_ref().map_or("", ForeignText::raw);
        let alike = alike(claims.subject.raw(), subject);
        (differs(Part::Issuer), differs(Part::Subject), differs(Part::Audience), usize::MAX - alike)
    })
}

/// Where an id token differs from what is trusted.
#[must_use]
pub fn differences(claims: &Claims, trusted: &Trusted) -> Vec<Difference> {
    [issuer(claims, trusted), subject(claims, trusted), audience(claims, trusted)]
        .into_iter()
        .flatten()
        .collect()
}

fn issuer(claims: &Claims, trusted: &Trusted) -> Option<Difference> {
    let (presented, expected) = (claims.issuer.raw(), trusted.issuer.raw());
    (presented != expected).then(|| {
        let (ours, theirs) = (Issuer::parse(presented), Issuer::parse(expected));
        let words = match (&ours, &theirs) {
            _ if presented.trim() == expected.trim() => "the issuer differs by white space only".to_owned(),
            _ if presented.trim_end_matches('/') == expected.trim_end_matches('/') => {
                "the issuer differs by a slash at its end only".to_owned()
            }
            _ if presented.eq_ignore_ascii_case(expected) => "the issuer differs by case only".to_owned(),
            (Issuer::AzureDevOps { .. }, Issuer::Entra { .. }) => format!(
                "the id token has the old Azure DevOps issuer, retired on {DEVOPS_ISSUER_RETIREMENT}; trusted is the new one of Entra already"
            ),
            (Issuer::Entra { .. }, Issuer::AzureDevOps { .. }) => format!(
                "the id token has the new issuer of Entra; trusted is the old Azure DevOps issuer, retired on {DEVOPS_ISSUER_RETIREMENT}"
            ),
            (Issuer::AzureDevOps { .. }, Issuer::AzureDevOps { .. }) => {
                "trusted is the issuer of another organization".to_owned()
            }
            (Issuer::Entra { tenant, .. }, Issuer::Entra { tenant: other, .. }) if tenant != other => {
                "trusted is the issuer of another tenant".to_owned()
            }
            (Issuer::Entra { .. }, Issuer::Entra { .. }) => "trusted is the issuer of another cloud".to_owned(),
            _ => "trusted is another issuer".to_owned(),
        };
        let lines = side_by_side("issuer", &ours.parts(), &theirs.parts(), presented, expected);
        Difference { part: Part::Issuer, number: 700_211, words, lines }
    })
}

fn subject(claims: &Claims, trusted: &Trusted) -> Option<Difference> {
    let presented = claims.subject.raw();
    let Some(expected) = trusted.subject.as_ref().map(ForeignText::raw) else {
        let words =
            "the federated credential has no subject: a flexible one, which does not serve Azure DevOps";
        let (number, lines) = (700_213, Vec::new());
        return Some(Difference { part: Part::Subject, number, words: words.to_owned(), lines });
    };
    (presented != expected).then(|| {
        let (ours, theirs) = (Subject::parse(presented), Subject::parse(expected));
        let words = if presented.trim() == expected.trim() {
            "the subject differs by white space only".to_owned()
        } else {
            subject_words(&ours, &theirs, presented.eq_ignore_ascii_case(expected))
        };
        let lines = side_by_side("subject", &ours.parts(), &theirs.parts(), presented, expected);
        let number = if presented.eq_ignore_ascii_case(expected) { 7_002_138 } else { 700_213 };
        Difference { part: Part::Subject, number, words, lines }
    })
}

fn subject_words(ours: &Subject, theirs: &Subject, by_case: bool) -> String {
    match (ours, theirs) {
        (Subject::Names { .. }, Subject::Names { .. }) => {
            let differing = differing(ours, theirs).join(" and ");
            if by_case {
                format!("the subject differs by case only, in the name of the {differing}")
            } else {
                format!("the {differing} was renamed, or trusted is another {differing}")
            }
        }
        (Subject::Ids { .. }, Subject::Ids { .. }) if by_case => "the subject differs by case only".to_owned(),
        (Subject::Ids { .. }, Subject::Ids { .. }) => {
            format!("trusted is another {}", differing(ours, theirs).join(" and "))
        }
        (Subject::Names { .. }, Subject::Ids { .. }) => {
            "the id token's subject is by names, as of the old issuer; the trusted one by ids, as of Entra's".to_owned()
        }
        (Subject::Ids { .. }, Subject::Names { .. }) => {
            "the id token's subject is by ids, as of Entra's issuer; the trusted one by names, as of the old one".to_owned()
        }
        (Subject::Labeled { form: Form::NumberedRepository, .. }, Subject::Labeled { form: Form::Repository, .. }) => {
            "the id token's subject has the numbers of owner and repository, as of GitHub since 2026; the trusted one has the names alone".to_owned()
        }
        (Subject::Labeled { form: Form::Repository, .. }, Subject::Labeled { form: Form::NumberedRepository, .. }) => {
            "the id token's subject has the names of owner and repository alone; the trusted one has their numbers, as of GitHub since 2026".to_owned()
        }
        (Subject::Labeled { form: one, .. }, Subject::Labeled { form: other, .. }) if one == other && !by_case => {
            let (ours, theirs) = (ours.parts(), theirs.parts());
            if ours.iter().zip(&theirs).any(|((one, _), (other, _))| one != other) {
                return "one is for a ref or an event, the other for an environment or something else".to_owned();
            }
            format!("trusted is another {}", differing_parts(&ours, &theirs).join(" and "))
        }
        _ if by_case => "the subject differs by case only".to_owned(),
        _ => "the subjects have different forms".to_owned(),
    }
}

/// The names of the parts in which two subjects of one form differ.
fn differing(ours: &Subject, theirs: &Subject) -> Vec<&'static str> {
    differing_parts(&ours.parts(), &theirs.parts())
}

fn differing_parts(
    ours: &[(&'static str, ForeignText)],
    theirs: &[(&'static str, ForeignText)],
) -> Vec<&'static str> {
    let pairs = ours.iter().zip(theirs).filter(|(one, other)| one != other);
    pairs.map(|((label, _), _)| label.trim_start_matches("subject ")).collect()
}

fn audience(claims: &Claims, trusted: &Trusted) -> Option<Difference> {
    let by_entra = Issuer::parse(claims.issuer.raw()).tenant().is_some();
    let stands_for = |presented: &str, expected: &str| {
        by_entra
            && presented == AUDIENCE_ID
            && Cloud::ALL.iter().any(|cloud| cloud.token_exchange_audience() == expected)
    };
    let matches = |expected: &ForeignText| {
        let mut presented = claims.audiences.iter();
        presented.any(|presented| presented == expected || stands_for(presented.raw(), expected.raw()))
    };
    // An id that Entra equates with a name is registered as the name, never as the id.
    let registered_id = by_entra && trusted.audiences.iter().any(|audience| audience.raw() == AUDIENCE_ID);
    if trusted.audiences.is_empty() || (trusted.audiences.iter().any(matches) && !registered_id) {
        return None;
    }
    let words = if registered_id {
        "trusted is the GUID that the id token has; it must be the name that Entra equates with it, api://AzureADTokenExchange"
    } else {
        "trusted is another audience"
    };
    let meant = |audience: &ForeignText| match audience.raw() {
        AUDIENCE_ID if by_entra => {
            format!("{AUDIENCE_ID} (which is right: api://AzureADTokenExchange)").into()
        }
        _ => audience.clone(),
    };
    let presented: Vec<_> = claims.audiences.iter().map(meant).collect();
    let lines = vec![
        Fact::new("audience", format!("presented  {}", ForeignText::join(&presented))),
        Fact::new("", format!("trusted    {}", ForeignText::join(&trusted.audiences))),
    ];
    let number = if registered_id { 700_214 } else { 700_212 };
    Some(Difference { part: Part::Audience, number, words: words.to_owned(), lines })
}

/// How many characters two texts share at their beginning, whatever their case.
fn alike(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OLD: &str = "https://vstoken.dev.azure.com/0f3e5a52-8f0c-4f5e-9d3a-6f6f2f1b7c10";
    const NEW: &str = "https://login.microsoftonline.com/8d1c7a34-0b7e-4e55-9f61-7c0e3b9a2d41/v2.0";
    const NAMES: &str = "sc://contoso/Platform/sc-prod";
    const IDS: &str = "/eid1/c/pub/t/NHocjX4LVU6fYXwOO5otQQ/a/rISbSSETf0KqFyZ8ppdXmA/sc/0f3e5a52-8f0c-4f5e-9d3a-6f6f2f1b7c10/c7e94b20-5d3f-4a16-8c2b-90f1d7e6a524";
    const NAME: &str = "api://AzureADTokenExchange";

    fn claims(issuer: &str, subject: &str, audience: &str) -> Claims {
        Claims { issuer: issuer.into(), subject: subject.into(), audiences: vec![audience.into()] }
    }

    fn trusted(issuer: &str, subject: &str, audience: &str) -> Trusted {
        Trusted {
            by: "federated credential 'one'".to_owned(),
            issuer: issuer.into(),
            subject: Some(subject.into()),
            audiences: vec![audience.into()],
        }
    }

    fn words(claims: &Claims, trusted: &Trusted) -> String {
        let found = differences(claims, trusted);
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].words.clone()
    }

    #[test]
    fn the_audience_of_entra_is_never_a_fault_and_registering_it_is_one() {
        let entra = claims(NEW, IDS, AUDIENCE_ID);
        assert_eq!(differences(&entra, &trusted(NEW, IDS, NAME)), Vec::new());
        assert!(words(&entra, &trusted(NEW, IDS, AUDIENCE_ID)).contains("must be the name"));
        assert!(
            words(&claims(OLD, NAMES, NAME), &trusted(OLD, NAMES, "api://other"))
                .contains("another audience")
        );
        assert!(
            words(&claims(OLD, NAMES, AUDIENCE_ID), &trusted(OLD, NAMES, NAME)).contains("another audience")
        );
    }

    #[test]
    fn a_subject_by_names_is_told_by_what_was_renamed() {
        let presented = claims(OLD, NAMES, NAME);
        for (subject, expected) in [
            ("sc://contoso/platform/sc-prod", "by case only, in the name of the project"),
            ("sc://Contoso/platform/sc-prod", "by case only, in the name of the organization and project"),
            ("sc://contoso/Platform/sc-old", "the connection was renamed"),
            ("sc://contoso/Old/sc-prod", "the project was renamed"),
            (" sc://contoso/Platform/sc-prod", "by white space only"),
            (IDS, "the trusted one by ids"),
            ("repo:x/y", "different forms"),
        ] {
            let words = words(&presented, &trusted(OLD, subject, NAME));
            assert!(words.contains(expected), "{subject}: {words}");
        }
    }

    #[test]
    fn a_subject_of_another_issuer_is_told_by_what_differs() {
        let github = "https://token.actions.githubusercontent.com";
        for (presented, trust, expected) in [
            (
                "repo:contoso/shop:ref:refs/heads/main",
                "repo:contoso/shop:ref:refs/heads/dev",
                "trusted is another ref",
            ),
            (
                "repo:contoso/shop:ref:refs/heads/main",
                "repo:contoso/store:ref:refs/heads/main",
                "another repository",
            ),
            (
                "repo:contoso/shop:ref:refs/heads/main",
                "repo:Contoso/shop:ref:refs/heads/main",
                "by case only",
            ),
            (
                "repo:contoso@1/shop@2:ref:refs/heads/main",
                "repo:contoso/shop:ref:refs/heads/main",
                "since 2026; the trusted",
            ),
            (
                "repo:contoso/shop:ref:refs/heads/main",
                "repo:contoso@1/shop@2:ref:refs/heads/main",
                "names of owner",
            ),
            (
                "repo:contoso/shop:pull_request",
                "repo:contoso/shop:environment:prod",
                "one is for a ref or an event",
            ),
            (
                "system:serviceaccount:shop:orders",
                "system:serviceaccount:shop:carts",
                "another service account",
            ),
            ("spiffe://a.example/x", "spiffe://b.example/x", "another trust domain"),
            ("spiffe://a.example/x", "system:serviceaccount:shop:orders", "different forms"),
        ] {
            let words = words(&claims(github, presented, NAME), &trusted(github, trust, NAME));
            assert!(words.contains(expected), "{presented} {trust}: {words}");
        }
    }

    #[test]
    fn a_subject_by_ids_is_decoded_and_told_by_the_id_that_differs() {
        let presented = claims(NEW, IDS, AUDIENCE_ID);
        let other = IDS.replace("c7e94b20", "d7e94b20");
        let found = differences(&presented, &trusted(NEW, &other, NAME));
        assert_eq!(found[0].words, "trusted is another connection");
        assert_eq!(
            found[0].lines[4..].iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "subject connection    presented  c7e94b20-5d3f-4a16-8c2b-90f1d7e6a524",
                "                      trusted    d7e94b20-5d3f-4a16-8c2b-90f1d7e6a524",
                "                                 ^",
            ]
        );
        let tenant = IDS.replace("NHocjX4LVU6fYXwOO5otQQ", "rISbSSETf0KqFyZ8ppdXmA");
        assert_eq!(words(&presented, &trusted(NEW, &tenant, NAME)), "trusted is another tenant");
    }

    #[test]
    fn both_issuers_are_told_apart() {
        let (old, new) = (claims(OLD, NAMES, NAME), claims(NEW, NAMES, NAME));
        assert!(
            words(&old, &trusted(NEW, NAMES, NAME))
                .contains("old Azure DevOps issuer, retired on 2027-07-01; trusted is the new")
        );
        assert!(
            words(&new, &trusted(OLD, NAMES, NAME))
                .contains("trusted is the old Azure DevOps issuer, retired on 2027-07-01")
        );
        for (issuer, expected) in [
            (format!("{NEW}/"), "a slash at its end"),
            (NEW.to_uppercase(), "by case only"),
            (NEW.replace("8d1c", "9d1c"), "of another tenant"),
            (NEW.replace(".com", ".us"), "of another cloud"),
            (format!("{NEW} "), "by white space only"),
            ("https://token.actions.githubusercontent.com".to_owned(), "another issuer"),
        ] {
            let words = words(&new, &trusted(&issuer, NAMES, NAME));
            assert!(words.contains(expected), "{issuer}: {words}");
        }
    }

    #[test]
    fn the_nearest_is_the_one_that_is_meant() {
        let presented = claims(OLD, NAMES, NAME);
        let all = [
            trusted(NEW, IDS, NAME),
            trusted(OLD, "sc://contoso/Other/x", NAME),
            trusted(OLD, "sc://contoso/platform/sc-prod", NAME),
        ];
        let (found, differences) = nearest(&presented, &all).unwrap();
        assert_eq!((found, differences.len()), (&all[2], 1));
        assert!(nearest(&presented, &[]).is_none());
    }

    proptest! {
        #[test]
        fn what_is_trusted_as_it_is_presented_never_differs(issuer in ".{0,40}", subject in ".{0,40}", audience in "[a-z:/]{1,20}") {
            let found = differences(&claims(&issuer, &subject, &audience), &trusted(&issuer, &subject, &audience));
            prop_assert_eq!(found, Vec::new());
        }

        #[test]
        fn no_line_holds_the_whole_of_either_side(rest in "[a-z]{1,9}/[a-z]{1,9}/[a-z]{1,9}") {
            let (subject, other) = (format!("sc://{rest}"), format!("sc://{rest}x"));
            let found = differences(&claims(OLD, &subject, NAME), &trusted(OLD, &other, NAME));
            for line in found.iter().flat_map(|difference| &difference.lines) {
                let line = line.to_string();
                prop_assert!(!line.contains(&subject) && !line.contains(&other), "{}", line);
            }
        }
    }
}

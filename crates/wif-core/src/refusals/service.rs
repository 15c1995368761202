//! Entra cannot answer now.

use super::entry::{KnownRefusal, RetryAdvice};
use crate::code::Code;

const REMEDY: &str = "run the job again; if it lasts, look at the health of Entra and of Azure DevOps";
const HEALTH: (&str, &str) = (REMEDY, "https://azure.status.microsoft and https://status.dev.azure.com");
const KEYS: &[&str] = &[
    "the issuer or the way to it has an outage",
    "the issuer cannot be reached from the internet, as with a connection to a stand-in",
];

const fn passing(number: u32, means: &'static str) -> KnownRefusal {
    let known = KnownRefusal::of_entra(
        number,
        Code::ServiceUnavailable,
        means,
        &["a service behind Entra has an outage"],
        HEALTH,
    );
    known.retried(RetryAdvice::Passing)
}

const fn keys(number: u32, means: &'static str) -> KnownRefusal {
    KnownRefusal::of_entra(number, Code::ServiceUnavailable, means, KEYS, HEALTH)
        .retried(RetryAdvice::Passing)
}

pub(super) const KNOWN: &[KnownRefusal] = &[
    keys(50166, "Entra could not ask the issuer for its signing keys"),
    keys(501_661, "Entra could not fetch the issuer's description or signing keys"),
    keys(90061, "Entra could not reach the issuer to fetch its signing keys"),
    KnownRefusal::of_entra(
        900_612,
        Code::ServiceUnavailable,
        "Entra could not read the issuer's signing keys",
        &["the issuer publishes keys that are malformed"],
        HEALTH,
    ),
    passing(50033, "Entra has a passing fault"),
    passing(90006, "Entra is unavailable for the moment"),
    passing(90012, "a request inside Entra took too long"),
    passing(90024, "Entra has used up its time for the request"),
    passing(90033, "Entra's directory is unavailable for the moment"),
    passing(90090, "Entra's directory has a passing fault"),
    KnownRefusal::of_entra(
        50000,
        Code::ServiceUnavailable,
        "Entra could not make the token",
        &["a fault inside Entra"],
        HEALTH,
    ),
    KnownRefusal::of_entra(
        90036,
        Code::ServiceUnavailable,
        "Entra's directory has a fault that does not pass by itself",
        &["a fault inside Entra"],
        HEALTH,
    ),
    KnownRefusal::of_entra(
        90055,
        Code::ServiceUnavailable,
        "the tenant is throttled",
        &["the tenant's identities ask for too many tokens"],
        (REMEDY, "let fewer jobs start at once; wif status shows in a later step what was asked for"),
    )
    .retried(RetryAdvice::Passing),
];

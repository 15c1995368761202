//! Entra does not understand the request: ours, or altered on its way.

use super::entry::KnownRefusal;
use crate::code::Code;

const REPORT: (&str, &str) = (
    "report this as a bug; something on the way may have altered the request",
    "curl -v https://login.microsoftonline.com (who signed the certificate that it shows?)",
);

const fn malformed(number: u32, means: &'static str) -> KnownRefusal {
    KnownRefusal::of_entra(
        number,
        Code::EntraRefused,
        means,
        &["a bug of ours", "a proxy that alters requests"],
        REPORT,
    )
}

pub(super) const KNOWN: &[KnownRefusal] = &[
    malformed(900_144, "a parameter of the request is missing"),
    malformed(90014, "a field of the request is missing"),
    malformed(90013, "the request holds something that is not valid"),
    malformed(90100, "a parameter of the request is empty or not valid"),
    malformed(9_002_313, "the request is malformed"),
    malformed(90004, "the request is not properly formatted"),
    malformed(90023, "the request is not valid"),
    malformed(70003, "the request's grant type is not supported"),
    malformed(7_000_218, "the request holds neither an assertion nor a secret"),
    malformed(
        7_000_216,
        "the request holds neither an assertion nor a secret, as the client credentials grant must",
    ),
    malformed(900_561, "the request came by another method than POST"),
    KnownRefusal::of_entra(
        50034,
        Code::EntraRefused,
        "Entra looked for a user, which this sign-in does not have",
        &["the connection's client id is the name of a user"],
        (
            "check the connection's client id and tenant; if they are right, report this as a bug",
            "Project settings > Service connections > the connection > Edit",
        ),
    ),
    KnownRefusal::of_entra(
        700_003,
        Code::EntraRefused,
        "Entra looked for a device, which this sign-in does not have",
        &["a policy of the tenant asks for a device"],
        (
            "check the connection's client id and tenant; if they are right, report this as a bug",
            "Project settings > Service connections > the connection > Edit",
        ),
    ),
    KnownRefusal::of_entra(
        50196,
        Code::EntraRefused,
        "Entra has seen the same request too often and takes it for a loop",
        &["many jobs of one identity ask for tokens in a loop", "a tool asks for a token before every call"],
        (
            "let fewer jobs start at once, and find the tool that asks in a loop",
            "wif status (in a later step: what was asked for, how often)",
        ),
    ),
];

//! The application, and what it proves itself with where that is no id token.

use super::entry::KnownRefusal;
use crate::code::Code;

const ENABLE: (&str, &str) = (
    "have an administrator enable the enterprise application in the connection's tenant",
    "az ad sp update --id <client id> --set accountEnabled=true",
);
const WHICH: (&str, &str) = (
    "check the connection's client and tenant id; the application may have been deleted, or live in another tenant",
    "az login --tenant <tenant id> --allow-no-subscriptions, then az ad sp show --id <client id>",
);
const CERTIFICATE: (&str, &str) = (
    "check that the connection's certificate is registered on the application and has not ended, or convert the connection to workload identity federation",
    "az ad app credential list --id <client id> --cert",
);
const CONVERT: &str = "Project settings > Service connections > the connection > Convert";

pub(super) const KNOWN: &[KnownRefusal] = &[
    KnownRefusal::of_entra(
        700_016,
        Code::ApplicationUnknown,
        "the connection's tenant has no application or managed identity with the connection's client id",
        &[
            "the application or managed identity was deleted",
            "the client id is the object id, or that of another application",
            "the tenant id is that of another tenant",
            "it was made a moment ago",
        ],
        WHICH,
    ),
    KnownRefusal::of_entra(
        700_011,
        Code::ApplicationUnknown,
        "the connection's tenant does not know the application of the connection's client id",
        &["the application was deleted, or lives in another tenant"],
        WHICH,
    ),
    KnownRefusal::of_entra(
        7_000_229,
        Code::ApplicationUnknown,
        "the application has no service principal in the connection's tenant",
        &["the application was registered without one, or its enterprise application was deleted"],
        ("make the service principal, then give it its roles again", "az ad sp create --id <client id>"),
    ),
    KnownRefusal::of_entra(
        7_000_112,
        Code::ApplicationDisabled,
        "the application is disabled",
        &[
            "an administrator, or a rule for identities that are not used, has disabled the enterprise application",
        ],
        ENABLE,
    ),
    KnownRefusal::of_entra(
        70001,
        Code::ApplicationDisabled,
        "the application is disabled or not known",
        &["an administrator has disabled the application", "it was deleted"],
        ENABLE,
    ),
    KnownRefusal::of_entra(
        1_000_031,
        Code::ApplicationDisabled,
        "the application cannot be used at this time",
        &["Microsoft or an administrator has blocked the application"],
        ENABLE,
    ),
    KnownRefusal::of_entra(
        7_000_215,
        Code::CredentialRefused,
        "the connection's client secret is wrong",
        &[
            "the connection has the secret's id in place of its value",
            "the secret was removed from the application",
        ],
        (
            "convert the connection to workload identity federation, or give it the secret's value (not its id)",
            CONVERT,
        ),
    ),
    KnownRefusal::of_entra(
        7_000_222,
        Code::CredentialRefused,
        "the connection's client secret has expired",
        &["it was not renewed: secrets of automatic connections last three months"],
        ("convert the connection to workload identity federation, which stores no secret", CONVERT),
    ),
    KnownRefusal::of_entra(
        70002,
        Code::CredentialRefused,
        "Entra does not accept what the application proves itself with",
        &["the client secret is not the application's"],
        ("convert the connection to workload identity federation, which stores no secret", CONVERT),
    ),
    KnownRefusal::of_entra(
        700_027,
        Code::CredentialRefused,
        "Entra does not accept the signature of the assertion",
        &[
            "the connection's certificate is not registered on the application",
            "the certificate was replaced there",
        ],
        CERTIFICATE,
    ),
    KnownRefusal::of_entra(
        700_030,
        Code::CredentialRefused,
        "Entra does not accept the subject name of the connection's certificate",
        &["the application trusts certificates by subject name, and not by this one"],
        CERTIFICATE,
    ),
    KnownRefusal::of_entra(
        50012,
        Code::CredentialRefused,
        "Entra does not accept the connection's certificate",
        &["it has ended, its chain is not trusted, or its thumbprint is not registered"],
        CERTIFICATE,
    ),
    KnownRefusal::of_entra(
        50013,
        Code::CredentialRefused,
        "Entra does not accept the signature or the form of the assertion",
        &[
            "something on the way altered the request",
            "the issuer has changed its signing keys, and Entra has the old ones",
            "the id token comes from a stand-in for Azure DevOps",
        ],
        (
            "run the job again; if it lasts, check for a proxy that alters requests",
            "curl -v https://login.microsoftonline.com (who signed the certificate that it shows?)",
        ),
    ),
    KnownRefusal::of_entra(
        50027,
        Code::CredentialRefused,
        "Entra cannot read the assertion: it is not a JWT with the required claims",
        &["something on the way altered the id token or the request"],
        (
            "run the job again; if it lasts, check for a proxy that alters requests",
            "curl -v https://login.microsoftonline.com (who signed the certificate that it shows?)",
        ),
    ),
    KnownRefusal::of_entra(
        50048,
        Code::CredentialRefused,
        "the subject of the assertion is not its issuer, as it must be for a certificate",
        &["the connection's certificate is used for another application"],
        CERTIFICATE,
    ),
    KnownRefusal::of_entra(
        700_021,
        Code::CredentialRefused,
        "the assertion is for another application than the request",
        &["the connection's client id was changed, and its certificate belongs to the old one"],
        CERTIFICATE,
    ),
    KnownRefusal::of_entra(
        700_023,
        Code::CredentialRefused,
        "the assertion is for another tenant or cloud than the request",
        &["the connection's tenant or environment is not the one that its authority serves"],
        (
            "check the connection's tenant id and environment",
            "Project settings > Service connections > the connection > Edit",
        ),
    ),
    KnownRefusal::of_entra(
        700_025,
        Code::CredentialRefused,
        "the application is a public client, which proves itself with nothing",
        &["the application is set to be a public client (allowPublicClient)"],
        (
            "switch public client flows off",
            "Entra admin center > App registrations > the application > Authentication > Allow public client flows: No",
        ),
    ),
];

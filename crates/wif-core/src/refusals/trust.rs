//! Entra compares the id token with the federated credentials, and none matches.

use super::entry::{KnownRefusal, RetryAdvice};
use crate::code::Code;

const LIST: &str = "az ad app federated-credential list --id <client id>";
const CREATE: &str = "az ad app federated-credential create --id <client id> --parameters credential.json";
const UPDATE: &str = "az ad app federated-credential update --id <client id> --federated-credential-id <name> --parameters credential.json";

const REGISTER: (&str, &str) = (
    "register a federated credential on the application or managed identity with exactly the issuer and subject above and the audience of its cloud; \
     one that was made in the last minutes may need a few more",
    CREATE,
);
const SUBJECT: (&str, &str) = (
    "compare the subject above with the federated credential's, letter by letter; a renamed organization, project or connection changes it",
    UPDATE,
);
const AUDIENCE: (&str, &str) = (
    "set the audience of the federated credential to the one of its cloud: api://AzureADTokenExchange, or its USGov or China variant",
    UPDATE,
);
const NEW: &str = "the federated credential was made or changed minutes ago";

pub(super) const KNOWN: &[KnownRefusal] = &[
    KnownRefusal::of_entra(
        70021,
        Code::TrustNotMatched,
        "no federated credential of the application matches the id token",
        &[NEW, "issuer, subject or audience differs; this older code does not say which"],
        REGISTER,
    )
    .retried(RetryAdvice::Soon),
    KnownRefusal::of_entra(
        700_211,
        Code::IssuerNotTrusted,
        "no federated credential of the application has the id token's issuer",
        &[
            "the connection was converted to the Entra issuer, and the application still trusts the old one only",
            NEW,
            "the federated credential names another tenant or organization",
        ],
        (
            "the connection's issuer was probably changed while the application still trusts the old one: add a federated credential with the issuer and \
             subject above, and remove the old one when no connection needs it",
            CREATE,
        ),
    )
    .retried(RetryAdvice::Soon),
    KnownRefusal::of_entra(
        700_212,
        Code::AudienceNotTrusted,
        "no federated credential of the application has the id token's audience",
        &["it was registered with another audience, or with that of another cloud", NEW],
        AUDIENCE,
    )
    .retried(RetryAdvice::Soon),
    KnownRefusal::of_entra(
        700_213,
        Code::SubjectNotTrusted,
        "no federated credential of the application has the id token's subject",
        &[
            "the organization, project or connection was renamed: a subject by names (sc://) changes with it",
            "the subject was copied from another connection",
            NEW,
        ],
        SUBJECT,
    )
    .retried(RetryAdvice::Soon),
    KnownRefusal::of_entra(
        7_002_137,
        Code::SubjectNotTrusted,
        "no federated credential of the application has the id token's subject",
        &["the federated credential's subject is of another kind than the ones that Azure DevOps signs"],
        SUBJECT,
    ),
    KnownRefusal::of_entra(
        7_002_138,
        Code::SubjectNotTrusted,
        "a federated credential of the application has the id token's subject, but in other letter case",
        &["the subject was typed, or a project or connection was renamed in case only"],
        ("write the federated credential's subject in exactly the letter case above", UPDATE),
    ),
    KnownRefusal::of_entra(
        700_214,
        Code::AudienceNotTrusted,
        "the federated credential is registered with a GUID as audience",
        &["the audience was copied out of an id token: there the GUID is right, in the federated credential it is not"],
        (
            "set the audience of the federated credential to api://AzureADTokenExchange; Entra itself equates it with the GUID in the id token",
            UPDATE,
        ),
    ),
    KnownRefusal::of_entra(
        70025,
        Code::NoFederatedCredential,
        "the application has no federated credential at all",
        &[
            "the connection was made by hand, and the federated credential is a step of its own that was left out",
            "the client id is that of another application",
        ],
        REGISTER,
    ),
    KnownRefusal::of_entra(
        700_024,
        Code::AssertionExpired,
        "the id token was outside its validity when it reached Entra",
        &[
            "this machine was slow, or the id token was near its end when it came",
            "this machine's clock is wrong, which would be said before this where the services send the time",
        ],
        (
            "check this machine's clock and try again; an id token lives a few minutes",
            "sudo timedatectl set-ntp true (Windows: w32tm /resync)",
        ),
    )
    .retried(RetryAdvice::FreshIdToken),
    KnownRefusal::of_entra(
        70023,
        Code::AssertionExpired,
        "the id token is valid for longer than Entra accepts (25 hours)",
        &["Azure DevOps signed one that lives too long"],
        (
            "report it to the administrators of Azure DevOps; nothing in the pipeline can change it",
            "https://developercommunity.visualstudio.com/AzureDevOps",
        ),
    ),
    KnownRefusal::of_entra(
        70052,
        Code::MultiTenantApplication,
        "the application is multi-tenant, and such an application cannot trust id tokens issued by Entra",
        &["the application's signInAudience is AzureADMultipleOrgs, and the connection has the Entra issuer"],
        (
            "make the application single-tenant, or split it: one application and one connection for each tenant",
            "az ad app update --id <client id> --sign-in-audience AzureADMyOrg",
        ),
    ),
    KnownRefusal::of_entra(
        700_229,
        Code::EntraRefused,
        "Entra does not accept this kind of id token as assertion: only app-only tokens of Entra may be one",
        &["the id token is of a user, which no connection of Azure Resource Manager gives"],
        ("check that the connection is an Azure Resource Manager connection with workload identity federation", LIST),
    ),
    KnownRefusal::of_entra(
        700_231,
        Code::EntraRefused,
        "Entra does not accept this kind of id token as assertion in this flow",
        &["the tenant forbids tokens as federated credentials where one acts for another"],
        ("check that the connection is an Azure Resource Manager connection with workload identity federation", LIST),
    ),
];

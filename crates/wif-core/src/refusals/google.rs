//! Refusals of Google Cloud's security token service and of its service accounts. The names are ours: the service has a
//! sentence for each, beside an error code of OAuth that many share.
//!
//! Sources: Google Cloud's documentation, "Troubleshoot Workload Identity Federation"; the texts that users quote in the
//! issues of google-github-actions/auth.

use super::entry::{KnownRefusal, Name};
use crate::code::Code;

const PROVIDER: &str = "gcloud iam workload-identity-pools providers update-oidc <provider> --workload-identity-pool <pool> --location global --issuer-uri <issuer> --allowed-audiences <audience>";
const MAPPING: &str = "gcloud iam workload-identity-pools providers update-oidc <provider> --workload-identity-pool <pool> --location global --attribute-mapping \"google.subject=assertion.sub.split('/sc/')[1]\"";

/// Words of a refusal, and its name. The first that fits counts.
pub(super) const WORDS: &[(&[&str], &str)] = &[
    (&["google.subject", "127"], "google-subject-length"),
    (&["audience in ID Token"], "google-audience"),
    (&["issuer in ID Token"], "google-issuer"),
    (&["attribute condition"], "google-condition"),
    (&["target service indicated by the \"audience\""], "google-provider"),
    (&["Invalid value for \"audience\""], "google-provider"),
    (&["stale to sign-in"], "google-expired"),
    (&["iam.serviceAccounts.getAccessToken"], "google-impersonation"),
];

pub(super) const KNOWN: &[KnownRefusal] = &[
    KnownRefusal::new(
        Name::Google("google-subject-length"),
        Code::TargetTrustMissing,
        "the provider makes a google.subject of more than 127 bytes of the id token",
        &[
            "the mapping is google.subject=assertion.sub, and the subject of Entra's issuer always has 138 bytes",
            "the names of organization, project and connection are long together",
        ],
        ("map a part of the subject: the ids of organization and connection have 73 bytes", MAPPING),
    ),
    KnownRefusal::new(
        Name::Google("google-audience"),
        Code::TargetTrustMissing,
        "the provider does not allow the id token's audience",
        &["the provider's allowed audiences are empty: then only its own resource name is allowed"],
        ("set the provider's allowed audiences to the id token's audience", PROVIDER),
    ),
    KnownRefusal::new(
        Name::Google("google-issuer"),
        Code::TargetTrustMissing,
        "the provider trusts another issuer than the id token's",
        &[
            "the connection was converted to Entra's issuer, and the provider was not",
            "the issuer differs by letter case or by a slash at the end",
        ],
        ("set the provider's issuer to the id token's", PROVIDER),
    ),
    KnownRefusal::new(
        Name::Google("google-condition"),
        Code::TargetTrustMissing,
        "the provider's attribute condition rejects the id token",
        &["the condition names another subject, organization or connection"],
        (
            "let the condition admit the id token",
            "gcloud iam workload-identity-pools providers describe <provider> --workload-identity-pool <pool> --location global",
        ),
    ),
    KnownRefusal::new(
        Name::Google("google-provider"),
        Code::TargetUnusable,
        "there is no such workload identity provider, or it is disabled",
        &[
            "googleProvider has the project's id instead of its number",
            "the pool or the provider was deleted or disabled",
        ],
        (
            "correct the input googleProvider, or enable pool and provider",
            "gcloud iam workload-identity-pools providers describe <provider> --workload-identity-pool <pool> --location global --format 'value(name)'",
        ),
    ),
    KnownRefusal::new(
        Name::Google("google-expired"),
        Code::AssertionExpired,
        "Google found the id token ended",
        &["this machine's clock is wrong", "the id token waited too long"],
        ("run the job again; set this machine's clock by a time server (NTP)", "timedatectl status"),
    ),
    KnownRefusal::new(
        Name::Google("google-impersonation"),
        Code::TargetTrustMissing,
        "the federated identity may not impersonate the service account",
        &[
            "the identity lacks the role Workload Identity User on the service account",
            "the role is given to another subject: the mapping decides what google.subject is",
            "googleServiceAccount names no service account",
        ],
        (
            "give the identity the role roles/iam.workloadIdentityUser on the service account",
            "gcloud iam service-accounts add-iam-policy-binding <account> --role roles/iam.workloadIdentityUser --member <principal>",
        ),
    ),
];

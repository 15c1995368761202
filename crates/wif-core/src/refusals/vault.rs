//! Refusals of Vault's and `OpenBao`'s JWT auth method. The names are ours: the service has a sentence for each.
//!
//! Source: hashicorp/vault-plugin-auth-jwt, `path_login.go`; hashicorp/cap, `jwt/jwt.go`; hashicorp/vault, `http/handler.go`.

use super::entry::{KnownRefusal, Name, RetryAdvice};
use crate::code::Code;

const ROLE: &str = "vault write auth/jwt/role/<role> role_type=jwt user_claim=sub bound_audiences=<audience> bound_subject=<subject>";
const CONFIG: &str = "vault write auth/jwt/config oidc_discovery_url=<issuer> bound_issuer=<issuer>";

/// Words of a refusal, and its name. The first that fits counts.
pub(super) const WORDS: &[(&[&str], &str)] = &[
    (&["audience claim"], "vault-audience"),
    (&["invalid audience"], "vault-audience"),
    (&["bound subject"], "vault-subject"),
    (&["bound claim"], "vault-claims"),
    (&["invalid issuer"], "vault-issuer"),
    (&["different provider"], "vault-issuer"),
    (&["issued by", "expected"], "vault-issuer"),
    (&["token is expired"], "vault-expired"),
    (&["expired"], "vault-expired"),
    (&["token signature"], "vault-signature"),
    (&["role", "could not be found"], "vault-role"),
    (&["missing role"], "vault-role"),
    (&["no handler for route"], "vault-mount"),
    (&["permission denied"], "vault-mount"),
    (&["sealed"], "vault-sealed"),
];

pub(super) const KNOWN: &[KnownRefusal] = &[
    KnownRefusal::new(
        Name::Vault("vault-audience"),
        Code::TargetTrustMissing,
        "the role does not allow the id token's audience",
        &[
            "the role's bound_audiences lack the audience as it stands in the id token, character by character",
        ],
        ("add the audience to the role's bound_audiences", ROLE),
    ),
    KnownRefusal::new(
        Name::Vault("vault-subject"),
        Code::TargetTrustMissing,
        "the role's bound_subject is another than the id token's subject",
        &[
            "the connection was converted to Entra's issuer, or made anew",
            "the subject differs by letter case",
        ],
        ("set the role's bound_subject to the id token's subject", ROLE),
    ),
    KnownRefusal::new(
        Name::Vault("vault-claims"),
        Code::TargetTrustMissing,
        "the role's bound_claims do not fit the id token",
        &[
            "a claim that the role demands is missing or another: Entra's id tokens name no project and no branch",
        ],
        ("let the role's bound_claims fit", ROLE),
    ),
    KnownRefusal::new(
        Name::Vault("vault-issuer"),
        Code::TargetTrustMissing,
        "the auth mount trusts another issuer than the id token's",
        &[
            "the connection was converted to Entra's issuer: one mount trusts one issuer, so that it needs a second",
        ],
        ("configure a mount for this issuer, and name it in the input vaultMount", CONFIG),
    ),
    KnownRefusal::new(
        Name::Vault("vault-signature"),
        Code::TargetTrustMissing,
        "the auth mount has no key that signed the id token",
        &["the mount's keys are those of another issuer", "Vault does not reach the issuer's keys"],
        ("configure the mount with the issuer's discovery URL", CONFIG),
    ),
    KnownRefusal::new(
        Name::Vault("vault-expired"),
        Code::AssertionExpired,
        "Vault found the id token ended",
        &["this machine's clock or Vault's is wrong", "the id token waited too long"],
        ("run the job again; set the clocks by a time server (NTP)", "timedatectl status"),
    ),
    KnownRefusal::new(
        Name::Vault("vault-role"),
        Code::TargetUnusable,
        "the auth mount has no such role",
        &["vaultRole is misspelled", "vaultMount or vaultNamespace names another mount than the role's"],
        ("correct the input vaultRole, or make the role", ROLE),
    ),
    KnownRefusal::new(
        Name::Vault("vault-mount"),
        Code::TargetUnusable,
        "there is no auth method at this mount",
        &[
            "vaultMount is misspelled, or the auth method has another path than jwt",
            "vaultNamespace is missing or wrong",
        ],
        (
            "correct the inputs vaultMount and vaultNamespace, or enable the auth method",
            "vault auth enable jwt",
        ),
    ),
    KnownRefusal::new(
        Name::Vault("vault-sealed"),
        Code::ServiceUnavailable,
        "Vault is sealed",
        &["Vault was started, and has not been unsealed"],
        ("have Vault unsealed, and run the job again", "vault status"),
    )
    .retried(RetryAdvice::Passing),
];

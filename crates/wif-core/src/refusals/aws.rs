//! Refusals of AWS' security token service.
//!
//! Sources: botocore, the model of STS; AWS' documentation, `AssumeRoleWithWebIdentity` and "Troubleshoot IAM roles".

use super::entry::{KnownRefusal, Name, RetryAdvice};
use crate::code::Code;

const PROVIDER: &str = "aws iam create-open-id-connect-provider --url <issuer> --client-id-list <audience>";
const TRUST: &str =
    "aws iam update-assume-role-policy --role-name <role> --policy-document file://trust.json";

pub(super) const KNOWN: &[KnownRefusal] = &[
    KnownRefusal::new(Name::Aws("AccessDenied"),
        Code::TargetTrustMissing,
        "the role's trust policy does not let this id token in",
        &[
            "the condition of the trust policy on :sub or :aud has another value than the id token",
            "the policy names the identity provider of another issuer, or does not allow sts:AssumeRoleWithWebIdentity",
            "the role does not exist in this account, or was made seconds ago",
        ],
        ("let the role's trust policy name the provider of this issuer, and this subject", TRUST),
    )
    .retried(RetryAdvice::Soon),
    KnownRefusal::new(Name::Aws("InvalidIdentityToken"),
        Code::TargetTrustMissing,
        "the account has no identity provider for this issuer and audience",
        &[
            "no identity provider of the role's account has the issuer as its URL, character by character",
            "the provider lacks the audience: for Entra's issuer it needs both azp and aud of the id token",
            "the issuer's keys are new, and have not reached AWS yet",
        ],
        ("add an OpenID Connect identity provider for this issuer, with this audience", PROVIDER),
    )
    .retried(RetryAdvice::Soon),
    KnownRefusal::new(Name::Aws("ExpiredTokenException"),
        Code::AssertionExpired,
        "AWS found the id token ended",
        &["this machine's clock is wrong", "the id token waited too long"],
        ("run the job again; set this machine's clock by a time server (NTP)", "timedatectl status"),
    ),
    KnownRefusal::new(Name::Aws("IDPRejectedClaim"),
        Code::TargetRefused,
        "the issuer did not vouch for the id token",
        &["the id token was revoked, or the issuer refuses it"],
        ("run the job again; if it lasts, look at the identity provider of the account", PROVIDER),
    ),
    KnownRefusal::new(Name::Aws("IDPCommunicationError"),
        Code::ServiceUnavailable,
        "AWS did not reach the issuer's keys",
        &["the issuer has an outage, or is slow"],
        ("run the job again later", "curl -v <issuer>/.well-known/openid-configuration"),
    )
    .retried(RetryAdvice::Passing),
    KnownRefusal::new(Name::Aws("RegionDisabledException"),
        Code::TargetUnusable,
        "the region is not switched on in this account",
        &["awsRegion names a region that the account has not enabled"],
        (
            "name another region in the input awsRegion, or enable this one",
            "aws account enable-region --region-name <region>",
        ),
    ),
    KnownRefusal::new(Name::Aws("ValidationError"),
        Code::TargetUnusable,
        "AWS does not accept a value of the request",
        &["awsSessionDuration is longer than the role's maximum session duration", "awsRole is malformed"],
        (
            "lower awsSessionDuration, or raise the role's maximum",
            "aws iam update-role --role-name <role> --max-session-duration <seconds>",
        ),
    ),
    KnownRefusal::new(Name::Aws("Throttling"),
        Code::ServiceUnavailable,
        "AWS throttles this account",
        &["many jobs ask at once"],
        ("run the job again later", "let fewer jobs start at once"),
    )
    .retried(RetryAdvice::Passing),
];

//! The tenant: which one, in which cloud, and what its policies allow.

use super::entry::KnownRefusal;
use crate::code::Code;

const EDIT: &str = "Project settings > Service connections > the connection > Edit";
const SIGN_INS: &str = "Entra admin center > Monitoring & health > Sign-in logs > Service principal sign-ins, filtered by the correlation id";
const WHICH: (&str, &str) = (
    "check the connection's tenant id and its environment (public, government, China)",
    "curl https://login.microsoftonline.com/<tenant id>/v2.0/.well-known/openid-configuration (200: it exists)",
);
const CLOUD: (&str, &str) =
    ("check the environment of the connection; federation across clouds is not supported", EDIT);
const ADMINISTRATOR: (&str, &str) =
    ("ask the tenant's administrator to look at the sign-in log for the correlation id above", SIGN_INS);
const MANAGED_IDENTITY: (&str, &str) = (
    "ask the tenant's administrator to allow it, or use a user-assigned managed identity behind the connection",
    SIGN_INS,
);

pub(super) const KNOWN: &[KnownRefusal] = &[
    KnownRefusal::of_entra(
        90002,
        Code::TenantUnknown,
        "there is no such tenant at this authority",
        &[
            "the connection's tenant id is wrong, or the tenant was deleted",
            "the tenant lives in another national cloud",
        ],
        WHICH,
    ),
    KnownRefusal::of_entra(
        900_023,
        Code::TenantUnknown,
        "the tenant id is neither a domain nor a GUID",
        &["the connection's tenant id is malformed"],
        WHICH,
    ),
    KnownRefusal::of_entra(
        50128,
        Code::TenantUnknown,
        "nothing in the request names a tenant that is known",
        &["the connection's tenant id is wrong"],
        WHICH,
    ),
    KnownRefusal::of_entra(
        50059,
        Code::TenantUnknown,
        "nothing in the request names a tenant",
        &["the connection has no tenant, or one that is not known"],
        WHICH,
    ),
    KnownRefusal::of_entra(
        90019,
        Code::TenantUnknown,
        "Entra could not find out the tenant",
        &["the connection has no tenant, or one that is not known"],
        WHICH,
    ),
    KnownRefusal::of_entra(
        50049,
        Code::TenantUnknown,
        "Entra does not know the authority",
        &["the connection's authority (data activeDirectoryAuthority) is wrong"],
        WHICH,
    ),
    KnownRefusal::of_entra(
        90038,
        Code::TenantUnknown,
        "the tenant lives in another national cloud",
        &["the connection's environment is not the cloud of its tenant"],
        ("set the connection's environment to the cloud of its tenant", EDIT),
    ),
    KnownRefusal::of_entra(
        90051,
        Code::TenantUnknown,
        "the request names a national cloud that does not exist",
        &["the connection's environment or authority is wrong"],
        ("set the connection's environment to the cloud of its tenant", EDIT),
    ),
    KnownRefusal::of_entra(
        900_382,
        Code::CloudMismatch,
        "the application and the authority are in different clouds",
        &[
            "the connection's environment is not the application's cloud",
            "that cloud has no federation from Azure DevOps",
        ],
        CLOUD,
    ),
    KnownRefusal::of_entra(
        900_432,
        Code::CloudMismatch,
        "the application and the authority are in different clouds",
        &["the connection's environment is not the application's cloud"],
        CLOUD,
    ),
    KnownRefusal::of_entra(
        900_439,
        Code::CloudMismatch,
        "an application of the government cloud cannot sign in at the public authority",
        &["the connection's environment is AzureCloud in place of AzureUSGovernment"],
        CLOUD,
    ),
    KnownRefusal::of_entra(
        1_000_104,
        Code::CloudMismatch,
        "the identity's tenant does not allow resources of that cloud",
        &["the resource is one of another cloud"],
        CLOUD,
    ),
    KnownRefusal::of_entra(
        700_223,
        Code::PolicyForbids,
        "the tenant's policy does not allow workload identity federation for this application",
        &["federated credentials are disabled or constrained for applications"],
        MANAGED_IDENTITY,
    ),
    KnownRefusal::of_entra(
        700_238,
        Code::PolicyForbids,
        "the tenant's policy does not allow this issuer for this kind of identity",
        &["the tenant has a list of allowed issuers, and this one is not on it"],
        (
            "ask the tenant's administrator to allow the issuer above, or use a user-assigned managed identity behind the connection",
            SIGN_INS,
        ),
    ),
    KnownRefusal::of_entra(
        7_002_381,
        Code::PolicyForbids,
        "the tenant's policy asks for a claim that the id token does not have",
        &["the tenant accepts id tokens of this issuer with certain claims only"],
        MANAGED_IDENTITY,
    ),
    KnownRefusal::of_entra(
        53003,
        Code::PolicyForbids,
        "a Conditional Access policy of the tenant blocks this sign-in",
        &[
            "Conditional Access for workload identities, for instance by the agent's IP address",
            "a risk was detected",
        ],
        ADMINISTRATOR,
    ),
    KnownRefusal::of_entra(
        530_032,
        Code::PolicyForbids,
        "a security policy of the tenant blocks this sign-in",
        &["an administrator has set a policy for the whole tenant"],
        ADMINISTRATOR,
    ),
    KnownRefusal::of_entra(
        530_035,
        Code::PolicyForbids,
        "the security defaults of the tenant block this sign-in",
        &["the request was judged to be unsafe"],
        ADMINISTRATOR,
    ),
    KnownRefusal::of_entra(
        50131,
        Code::PolicyForbids,
        "Conditional Access blocks this sign-in",
        &["suspicious activity, or a rule for places or devices"],
        ADMINISTRATOR,
    ),
    KnownRefusal::of_entra(
        500_021,
        Code::PolicyForbids,
        "the network here does not allow this tenant",
        &[
            "a proxy adds tenant restrictions (Restrict-Access-To-Tenants), and the connection's tenant is not in its list",
        ],
        (
            "have the proxy's administrator add the connection's tenant to the allowed tenants",
            "the proxy's rule for login.microsoftonline.com, header Restrict-Access-To-Tenants",
        ),
    ),
    KnownRefusal::of_entra(
        500_213,
        Code::PolicyForbids,
        "the cross-tenant access policy of the resource's tenant does not allow it",
        &["the resource lives in another tenant, which does not let this one in"],
        ADMINISTRATOR,
    ),
];

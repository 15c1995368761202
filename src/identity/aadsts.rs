//! What Entra's refusals mean in this flow: code, cause, remedy, and whether another attempt can help.
//!
//! Source: <https://learn.microsoft.com/entra/identity-platform/reference-error-codes> and the documentation of
//! workload identity federation.

use crate::{error::Code, retry::Outcome};

/// What a refusal means.
#[derive(Clone, Copy, Debug)]
pub struct Meaning {
    /// The numbers of `AADSTS…` that mean this.
    pub numbers: &'static [u32],
    /// The code that users see beside `AADSTS…`.
    pub code: Code,
    /// What is wrong, in this flow.
    pub cause: &'static str,
    /// What to do.
    pub remedy: &'static str,
    /// Whether another attempt can help.
    pub outcome: Outcome,
    /// Whether a fresh id token can help.
    pub fresh_assertion: bool,
}

const REGISTER: &str = "register a federated credential on the application or managed identity with exactly the issuer and subject above and \
                        the audience of its cloud (az ad app federated-credential create); one that was made in the last minutes may need a few more";

/// What is known, a row for each meaning.
const TABLE: &[Meaning] = &[
    replicating(
        &[70021],
        Code::TrustNotMatched,
        "no federated credential of the application matches the id token",
        REGISTER,
    ),
    replicating(
        &[700_211],
        Code::IssuerNotTrusted,
        "no federated credential of the application has the id token's issuer",
        "the connection's issuer was probably changed while the application still trusts the old one: add a federated credential with the issuer and \
             subject above, and remove the old one when no connection needs it",
    ),
    replicating(
        &[700_212],
        Code::AudienceNotTrusted,
        "no federated credential of the application has the id token's audience",
        "set the audience of the federated credential to the one of its cloud: api://AzureADTokenExchange, or its USGov or China variant",
    ),
    replicating(
        &[700_213],
        Code::SubjectNotTrusted,
        "no federated credential of the application has the id token's subject",
        "compare the subject above with the federated credential's, letter by letter; a renamed organisation, project or connection changes it",
    ),
    refused(
        &[7_002_138],
        Code::SubjectNotTrusted,
        "a federated credential of the application has the id token's subject, but in other letter case",
        "write the federated credential's subject in exactly the letter case above",
    ),
    refused(
        &[700_214],
        Code::AudienceNotTrusted,
        "the federated credential is registered with a GUID as audience",
        "set the audience of the federated credential to api://AzureADTokenExchange; Entra itself equates it with the GUID in the id token",
    ),
    refused(
        &[70025],
        Code::NoFederatedCredential,
        "the application has no federated credential at all",
        REGISTER,
    ),
    refused(
        &[700_016],
        Code::ApplicationUnknown,
        "the connection's tenant has no application or managed identity with the connection's client id",
        "check the connection's client and tenant id; the application may have been deleted, or live in another tenant",
    ),
    stale(
        &[700_024],
        Code::AssertionExpired,
        "the id token was outside its validity when it reached Entra",
        "check this machine's clock and try again; an id token lives a few minutes",
    ),
    refused(
        &[70023],
        Code::AssertionExpired,
        "the id token is valid for longer than Entra accepts (25 hours)",
        "report it to the administrators of Azure DevOps; nothing in the pipeline can change it",
    ),
    refused(
        &[700_223],
        Code::PolicyForbids,
        "the tenant's policy does not allow workload identity federation for this application",
        "ask the tenant's administrator to allow it, or use a user-assigned managed identity behind the connection",
    ),
    refused(
        &[700_238],
        Code::PolicyForbids,
        "the tenant's policy does not allow this issuer for this kind of identity",
        "ask the tenant's administrator to allow the issuer above, or use a user-assigned managed identity behind the connection",
    ),
    refused(
        &[53003, 530_032],
        Code::PolicyForbids,
        "a Conditional Access or security policy of the tenant blocks this sign-in",
        "ask the tenant's administrator to look at the sign-in log for the correlation id above",
    ),
    refused(
        &[70052],
        Code::MultiTenantApplication,
        "the application is multi-tenant, and such an application cannot trust id tokens issued by Entra",
        "make the application single-tenant (signInAudience AzureADMyOrg), or split it",
    ),
    refused(
        &[700_229, 700_231],
        Code::EntraRefused,
        "Entra does not accept this kind of id token as assertion",
        "check that the connection is an Azure Resource Manager connection with workload identity federation",
    ),
    refused(
        &[900_382, 900_432],
        Code::CloudMismatch,
        "the application and the authority are in different clouds",
        "check the environment of the connection; federation across clouds is not supported",
    ),
    refused(
        &[90002, 900_023],
        Code::TenantUnknown,
        "there is no such tenant at this authority",
        "check the connection's tenant id and its environment (public, government, China)",
    ),
    refused(
        &[90038],
        Code::TenantUnknown,
        "the tenant lives in another national cloud",
        "set the connection's environment to the cloud of its tenant",
    ),
    refused(
        &[500_011],
        Code::ResourceUnknown,
        "the tenant knows no such resource",
        "check the resource's spelling; its service principal may not exist in this tenant or cloud",
    ),
    refused(
        &[50001, 70011, 700_022, 28002],
        Code::ResourceUnknown,
        "Entra does not accept the scope",
        "name one resource: an alias, an https:// resource, a GUID, or a scope ending in /.default",
    ),
    refused(
        &[65001],
        Code::ConsentMissing,
        "the application has no consent for the resource",
        "have an administrator grant the application's permissions, or assign it a role of the resource",
    ),
    refused(
        &[7_000_215],
        Code::CredentialRefused,
        "the connection's client secret is wrong",
        "convert the connection to workload identity federation, or give it the secret's value (not its id)",
    ),
    refused(
        &[7_000_222],
        Code::CredentialRefused,
        "the connection's client secret has expired",
        "convert the connection to workload identity federation, which stores no secret",
    ),
    refused(
        &[700_027, 700_030, 50012],
        Code::CredentialRefused,
        "Entra does not accept the signature of the assertion",
        "check that the connection's certificate is registered on the application and has not ended, or convert the connection to workload identity federation",
    ),
    refused(
        &[7_000_112, 70001],
        Code::ApplicationDisabled,
        "the application is disabled",
        "have an administrator enable the enterprise application in the connection's tenant",
    ),
    refused(
        &[50034, 700_003],
        Code::EntraRefused,
        "Entra looked for a user or a device, which this sign-in does not have",
        "check the connection's client id and tenant; if they are right, report this as a bug",
    ),
    refused(
        &[900_144],
        Code::EntraRefused,
        "a parameter of the request is missing",
        "report this as a bug; something on the way may have altered the request",
    ),
    busy(&[50166, 501_661], "Entra could not fetch the issuer's signing keys"),
    busy(&[90006, 90012, 90024, 90033, 90090], "Entra has a passing fault"),
    busy(&[90055], "the tenant is throttled"),
];

const fn refused(numbers: &'static [u32], code: Code, cause: &'static str, remedy: &'static str) -> Meaning {
    Meaning { numbers, code, cause, remedy, outcome: Outcome::Refused, fresh_assertion: false }
}

/// Federated credentials reach Entra's servers minutes after they were made.
const fn replicating(
    numbers: &'static [u32],
    code: Code,
    cause: &'static str,
    remedy: &'static str,
) -> Meaning {
    Meaning { outcome: Outcome::Doubtful, ..refused(numbers, code, cause, remedy) }
}

/// The same id token stays refused, another may not.
const fn stale(numbers: &'static [u32], code: Code, cause: &'static str, remedy: &'static str) -> Meaning {
    Meaning { fresh_assertion: true, ..refused(numbers, code, cause, remedy) }
}

const fn busy(numbers: &'static [u32], cause: &'static str) -> Meaning {
    let remedy = "run the job again; if it lasts, look at the health of Entra and of Azure DevOps";
    let outcome = Outcome::Busy { retry_after: None };
    Meaning { outcome, ..refused(numbers, Code::ServiceUnavailable, cause, remedy) }
}

/// The meaning of `AADSTS<number>`, if it is a known one.
#[must_use]
pub fn meaning(number: u32) -> Option<Meaning> {
    TABLE.iter().copied().find(|meaning| meaning.numbers.contains(&number))
}

/// Every number with a meaning.
pub fn known() -> impl Iterator<Item = u32> {
    TABLE.iter().flat_map(|meaning| meaning.numbers.iter().copied())
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

    #[test]
    fn an_unknown_number_has_no_meaning() {
        assert!(meaning(1).is_none());
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
    fn no_number_has_two_meanings() {
        let numbers: BTreeSet<_> = known().collect();
        assert_eq!(numbers.len(), known().count());
        assert_eq!(meaning(700_213).unwrap().code, Code::SubjectNotTrusted);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let retried: BTreeSet<_> =
            known().filter(|number| meaning(*number).unwrap().outcome != Outcome::Refused).collect();
        let may_pass =
            [50166, 70021, 90006, 90012, 90024, 90033, 90055, 90090, 501_661, 700_211, 700_212, 700_213];
        assert_eq!(retried, BTreeSet::from(may_pass));
    }
}

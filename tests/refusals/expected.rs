//! Every refusal, and what a user reads of it: written by hand, from Microsoft's pages and from how each sign-in uses the
//! services. Nothing here is made from the catalogue, so that an entry that was changed by mistake is found.
//!
//! - <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>
//! - <https://learn.microsoft.com/azure/devops/pipelines/release/troubleshoot-workload-identity>
//! - <https://learn.microsoft.com/azure/role-based-access-control/troubleshooting>

use wif_core::code::Code;

/// What is expected of a refusal.
pub(crate) struct Expected {
    pub(crate) name: &'static str,
    pub(crate) code: Code,
    pub(crate) again: Again,
    /// A word of the first line, by which a reader knows what is meant.
    pub(crate) says: &'static str,
}

/// Whether the request is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// No: another attempt changes nothing.
    No,
    /// After 2, 4 and 8 s: what was made a moment ago may be on its way.
    Soon,
    /// Once, with a fresh id token.
    Fresh,
    /// As long as a sign-in lasts: the service says that it passes.
    Passes,
}

const ENTRA: &str = "
AADSTS28002   | WIF2018 | no     | scope
AADSTS28003   | WIF2018 | no     | scope is empty
AADSTS50000   | WIF3006 | no     | could not make the token
AADSTS50001   | WIF2018 | no     | resource
AADSTS50012   | WIF2024 | no     | certificate
AADSTS50013   | WIF2024 | no     | assertion
AADSTS50027   | WIF2024 | no     | JWT
AADSTS50033   | WIF3006 | passes | passing fault
AADSTS50034   | WIF2025 | no     | user
AADSTS50048   | WIF2024 | no     | issuer
AADSTS50049   | WIF2017 | no     | authority
AADSTS50059   | WIF2017 | no     | tenant
AADSTS50128   | WIF2017 | no     | tenant
AADSTS50131   | WIF2019 | no     | Conditional Access
AADSTS50166   | WIF3006 | passes | issuer
AADSTS50196   | WIF2025 | no     | loop
AADSTS53003   | WIF2019 | no     | Conditional Access
AADSTS65001   | WIF2023 | no     | consent
AADSTS70001   | WIF2016 | no     | disabled
AADSTS70002   | WIF2024 | no     | proves
AADSTS70003   | WIF2025 | no     | grant type
AADSTS70011   | WIF2018 | no     | scope
AADSTS70021   | WIF2014 | soon   | matches the id token
AADSTS70023   | WIF2021 | no     | longer
AADSTS70025   | WIF2010 | no     | no federated credential at all
AADSTS70052   | WIF2020 | no     | multi-tenant
AADSTS90002   | WIF2017 | no     | no such tenant
AADSTS90004   | WIF2025 | no     | formatted
AADSTS90006   | WIF3006 | passes | unavailable
AADSTS90012   | WIF3006 | passes | too long
AADSTS90013   | WIF2025 | no     | not valid
AADSTS90014   | WIF2025 | no     | missing
AADSTS90019   | WIF2017 | no     | tenant
AADSTS90023   | WIF2025 | no     | not valid
AADSTS90024   | WIF3006 | passes | time
AADSTS90033   | WIF3006 | passes | unavailable
AADSTS90036   | WIF3006 | no     | does not pass
AADSTS90038   | WIF2017 | no     | national cloud
AADSTS90051   | WIF2017 | no     | national cloud
AADSTS90055   | WIF3006 | passes | throttled
AADSTS90061   | WIF3006 | passes | signing keys
AADSTS90090   | WIF3006 | passes | passing fault
AADSTS90094   | WIF2023 | no     | administrator must consent
AADSTS90100   | WIF2025 | no     | parameter
AADSTS500011  | WIF2018 | no     | no such resource
AADSTS500014  | WIF2018 | no     | disabled
AADSTS500021  | WIF2019 | no     | network
AADSTS500213  | WIF2019 | no     | cross-tenant
AADSTS501051  | WIF2023 | no     | assignment
AADSTS501661  | WIF3006 | passes | issuer
AADSTS530032  | WIF2019 | no     | security policy
AADSTS530035  | WIF2019 | no     | security defaults
AADSTS650052  | WIF2018 | no     | subscribed
AADSTS650056  | WIF2023 | no     | permission
AADSTS650057  | WIF2018 | no     | permissions
AADSTS700003  | WIF2025 | no     | device
AADSTS700011  | WIF2015 | no     | application
AADSTS700016  | WIF2015 | no     | application
AADSTS700021  | WIF2024 | no     | another application
AADSTS700022  | WIF2018 | no     | more than one resource
AADSTS700023  | WIF2024 | no     | another tenant
AADSTS700024  | WIF2021 | fresh  | validity
AADSTS700025  | WIF2024 | no     | public client
AADSTS700027  | WIF2024 | no     | signature
AADSTS700030  | WIF2024 | no     | subject name
AADSTS700211  | WIF2011 | soon   | issuer
AADSTS700212  | WIF2012 | soon   | audience
AADSTS700213  | WIF2013 | soon   | subject
AADSTS700214  | WIF2012 | no     | audience
AADSTS700223  | WIF2019 | no     | policy
AADSTS700229  | WIF2025 | no     | app-only
AADSTS700231  | WIF2025 | no     | id token
AADSTS700238  | WIF2019 | no     | issuer
AADSTS900023  | WIF2017 | no     | neither a domain nor a GUID
AADSTS900144  | WIF2025 | no     | missing
AADSTS900382  | WIF2022 | no     | clouds
AADSTS900432  | WIF2022 | no     | clouds
AADSTS900439  | WIF2022 | no     | government
AADSTS900561  | WIF2025 | no     | POST
AADSTS900612  | WIF3006 | no     | signing keys
AADSTS1000031 | WIF2016 | no     | cannot be used
AADSTS1000104 | WIF2022 | no     | cloud
AADSTS1002012 | WIF2018 | no     | /.default
AADSTS7000112 | WIF2016 | no     | disabled
AADSTS7000215 | WIF2024 | no     | secret is wrong
AADSTS7000216 | WIF2025 | no     | neither an assertion nor a secret
AADSTS7000218 | WIF2025 | no     | neither an assertion nor a secret
AADSTS7000222 | WIF2024 | no     | expired
AADSTS7000229 | WIF2015 | no     | service principal
AADSTS7002137 | WIF2013 | no     | subject
AADSTS7002138 | WIF2013 | no     | letter case
AADSTS7002381 | WIF2019 | no     | claim
AADSTS9002313 | WIF2025 | no     | malformed
";

const DEVOPS: &str = "
approval-pending                       | WIF2030 | no     | pending
connection-disabled                    | WIF2029 | no     | disabled
connection-not-authorized              | WIF2004 | no     | this pipeline may not use it
connection-not-shared                  | WIF2004 | no     | not shared
connection-unused                      | WIF2029 | no     | 100 days
no-explicit-reference                  | WIF2003 | no     | explicit reference
oidctoken-203                          | WIF2002 | no     | signing in
oidctoken-302                          | WIF2002 | no     | signing in
oidctoken-401                          | WIF2002 | no     | job token
oidctoken-404                          | WIF2004 | no     | no such connection
oidctoken-405                          | WIF2005 | no     | POST
oidctoken-503                          | WIF3006 | passes | unavailable
TaskOrchestrationPlanSecurityException | WIF2005 | soon   | plan
TF400733                               | WIF3006 | passes | throttles
TF400813                               | WIF2002 | no     | organization
TF401444                               | WIF2002 | no     | never added
VS800075                               | WIF2004 | no     | project
VssInvalidPreviewVersionException      | WIF2005 | no     | version of the API
";

/// Of Azure Resource Manager; with `_` in its name, of Microsoft Graph.
const AZURE: &str = "
AuthenticationFailed               | WIF2022 | no     | no access token
Authorization_RequestDenied        | WIF2027 | no     | may not read applications
AuthorizationFailed                | WIF2027 | no     | lacks a role
ExpiredAuthenticationToken         | WIF2021 | no     | ended
InvalidAuthenticationToken         | WIF2022 | no     | does not accept
InvalidAuthenticationTokenAudience | WIF2022 | no     | another service or cloud
InvalidAuthenticationTokenTenant   | WIF2028 | no     | another tenant
InvalidSubscriptionId              | WIF2028 | no     | malformed
LinkedAuthorizationFailed          | WIF2027 | no     | another resource
ReadOnlyDisabledSubscription       | WIF2028 | no     | disabled
Request_ResourceNotFound           | WIF2015 | no     | no application
ServerTimeout                      | WIF3006 | passes | too long
SubscriptionNotFound               | WIF2028 | no     | no such subscription
TooManyRequests                    | WIF3006 | passes | throttles
";

/// Refusals of Entra.
pub(crate) fn of_entra() -> Vec<Expected> {
    read(ENTRA)
}

/// Refusals of Azure DevOps.
pub(crate) fn of_devops() -> Vec<Expected> {
    read(DEVOPS)
}

/// Refusals of Azure Resource Manager and of Microsoft Graph.
/// AWS by the codes of its security token service; Google Cloud and Vault by names of ours, since they have sentences only.
/// Sources: the model of STS in botocore; Google Cloud's "Troubleshoot Workload Identity Federation"; vault-plugin-auth-jwt.
const CLOUDS: &str = "
AccessDenied            | WIF2050 | soon   | trust policy
InvalidIdentityToken    | WIF2050 | soon   | identity provider
ExpiredTokenException   | WIF2021 | no     | ended
IDPRejectedClaim        | WIF2052 | no     | did not vouch
IDPCommunicationError   | WIF3006 | passes | did not reach
RegionDisabledException | WIF2051 | no     | region
ValidationError         | WIF2051 | no     | value of the request
Throttling              | WIF3006 | passes | throttles
google-subject-length   | WIF2050 | no     | 127 bytes
google-audience         | WIF2050 | no     | audience
google-issuer           | WIF2050 | no     | issuer
google-condition        | WIF2050 | no     | attribute condition
google-provider         | WIF2051 | no     | no such workload identity provider
google-expired          | WIF2021 | no     | ended
google-impersonation    | WIF2050 | no     | impersonate
vault-audience          | WIF2050 | no     | audience
vault-subject           | WIF2050 | no     | bound_subject
vault-claims            | WIF2050 | no     | bound_claims
vault-issuer            | WIF2050 | no     | issuer
vault-signature         | WIF2050 | no     | no key
vault-expired           | WIF2021 | no     | ended
vault-role              | WIF2051 | no     | no such role
vault-mount             | WIF2051 | no     | no auth method
vault-sealed            | WIF3006 | passes | sealed
";

pub(crate) fn of_clouds() -> Vec<Expected> {
    read(CLOUDS)
}

pub(crate) fn of_azure() -> Vec<Expected> {
    read(AZURE)
}

fn read(table: &'static str) -> Vec<Expected> {
    table.trim().lines().map(Expected::read).collect()
}

impl Expected {
    fn read(line: &'static str) -> Self {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [name, code, again, says] = cells[..] else { panic!("{line}") };
        let code = *Code::ALL.iter().find(|known| known.as_str() == code).unwrap_or_else(|| panic!("{line}"));
        let again = match again {
            "no" => Again::No,
            "soon" => Again::Soon,
            "fresh" => Again::Fresh,
            "passes" => Again::Passes,
            _ => panic!("{line}"),
        };
        Self { name, code, again, says }
    }
}

impl Again {
    /// Holds what was sent, and what was waited for, to it.
    pub(crate) fn check(self, name: &str, requests: usize, sleeps: &[std::time::Duration]) {
        let sleeps: Vec<_> = sleeps.iter().map(std::time::Duration::as_millis).collect();
        match self {
            Self::No => assert_eq!((requests, sleeps.len()), (1, 0), "{name}"),
            Self::Fresh => assert_eq!((requests, sleeps.len()), (2, 0), "{name}"),
            Self::Soon => assert_eq!((requests, &sleeps[..]), (4, &[2000, 4000, 8000][..]), "{name}"),
            Self::Passes => {
                // Half a second, doubling to eight, within a minute.
                let all = [500, 1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000, 8000];
                assert_eq!((requests, &sleeps[..]), (11, &all[..]), "{name}");
            }
        }
    }
}

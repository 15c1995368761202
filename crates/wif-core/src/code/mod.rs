//! The stable codes of errors, and who has to change something.

mod party;

use std::fmt;

pub use self::party::Party;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $text:literal,)+) => {
        /// A stable error code. `docs/errors.md` has a heading for each; a test keeps the two in step.
        ///
        /// Groups: 1 input, 2 identity, 3 network, 4 agent, 5 broker, 7 changes, 9 ours.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code { $($(#[doc = $doc])+ $variant,)+ }

        impl Code {
            /// Every code, in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The text that users see and search for.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

codes! {
    /// The input `azureSubscription` is empty or no GUID.
    ConnectionInput = "WIF1001",
    /// The connection is not part of the job.
    ConnectionAbsent = "WIF1002",
    /// An input has a value that is not accepted.
    InputInvalid = "WIF1003",
    /// The connection's scheme is unknown, or not one that this version signs in with.
    SchemeUnsupported = "WIF1004",
    /// The connection lacks a tenant, a client or another value, or has one that cannot be used.
    ConnectionIncomplete = "WIF1005",
    /// The connection's cloud is unknown and it names no authority of its own, or one that is not https.
    AuthorityInvalid = "WIF1006",
    /// `requireFederation` is on and the connection's scheme is another.
    FederationRequired = "WIF1007",
    /// The connection's tenant is not in `allowedTenants`.
    TenantNotAllowed = "WIF1008",
    /// The connection's subscription is not in `allowedSubscriptions`.
    SubscriptionNotAllowed = "WIF1009",
    /// The inputs contradict each other.
    InputsContradict = "WIF1011",
    /// An argument of the command line is not accepted.
    ArgumentInvalid = "WIF1012",
    /// A host that would get a credential or a token is neither known nor in `allowedAuthorities`.
    AuthorityNotAllowed = "WIF1013",
    /// A variable or session has a name that the agent keeps, or that changes how programs start.
    NameReserved = "WIF1014",
    /// A secret variable of the job has a name that would be exported.
    NameIsSecret = "WIF1015",
    /// A variable of the pipeline would win over the session's, or hides one of them.
    VariableConflicts = "WIF1016",
    /// The job has a session without a name beside one with a name.
    SessionsMixed = "WIF1017",
    /// The script that the step ran has failed.
    ScriptFailed = "WIF1030",

    /// The agent gave no job token.
    JobTokenMissing = "WIF2001",
    /// Azure DevOps refused the job token.
    JobTokenRefused = "WIF2002",
    /// The job's stage has no explicit reference to the connection.
    ConnectionNotReferenced = "WIF2003",
    /// Azure DevOps knows no such connection.
    ConnectionUnknown = "WIF2004",
    /// Azure DevOps refused to sign an id token for another reason.
    IdTokenRefused = "WIF2005",
    /// What Azure DevOps sent is not a JWT.
    IdTokenMalformed = "WIF2006",
    /// The id token is not valid now.
    IdTokenExpired = "WIF2007",
    /// The id token was issued for another tenant.
    IdTokenOfOtherTenant = "WIF2008",
    /// This machine's clock is wrong.
    ClockWrong = "WIF2009",
    /// The application trusts no federated credential at all.
    NoFederatedCredential = "WIF2010",
    /// No federated credential has the id token's issuer.
    IssuerNotTrusted = "WIF2011",
    /// No federated credential has the id token's audience.
    AudienceNotTrusted = "WIF2012",
    /// No federated credential has the id token's subject.
    SubjectNotTrusted = "WIF2013",
    /// No federated credential matches; Entra does not say which part differs.
    TrustNotMatched = "WIF2014",
    /// The tenant has no such application.
    ApplicationUnknown = "WIF2015",
    /// The application is disabled.
    ApplicationDisabled = "WIF2016",
    /// There is no such tenant at this authority.
    TenantUnknown = "WIF2017",
    /// The tenant knows no such resource.
    ResourceUnknown = "WIF2018",
    /// A policy of the tenant forbids this sign-in.
    PolicyForbids = "WIF2019",
    /// A multi-tenant application cannot trust id tokens of Entra.
    MultiTenantApplication = "WIF2020",
    /// Entra found the id token outside its validity.
    AssertionExpired = "WIF2021",
    /// The clouds of authority and application differ.
    CloudMismatch = "WIF2022",
    /// The application has no consent for the resource.
    ConsentMissing = "WIF2023",
    /// Entra refused the application's own secret or certificate.
    CredentialRefused = "WIF2024",
    /// Entra refused for a reason that has no code of its own here.
    EntraRefused = "WIF2025",
    /// The machine's managed identity service refused.
    MachineIdentityRefused = "WIF2026",
    /// The identity lacks a role or permission.
    RoleMissing = "WIF2027",
    /// The connection's subscription cannot be used.
    SubscriptionUnusable = "WIF2028",
    /// The connection is disabled.
    ConnectionDisabled = "WIF2029",
    /// An approval or check of the connection is pending.
    ApprovalPending = "WIF2030",
    /// What the connection says of itself is not what it is.
    ConnectionStale = "WIF2031",
    /// The connection has the Azure DevOps issuer, which is retired.
    IssuerRetires = "WIF2032",

    /// The source of id tokens is not here, or half of it is.
    SourceAbsent = "WIF2040",
    /// More than one id token fits.
    SourceAmbiguous = "WIF2041",
    /// The source refused to sign an id token.
    SourceRefused = "WIF2042",
    /// The source's id token is of no use to Entra.
    SourceTokenUnusable = "WIF2043",
    /// The source's id token has ended, and there is no other one.
    SourceTokenEnded = "WIF2044",

    /// AWS, Google Cloud or Vault does not trust the id token.
    TargetTrustMissing = "WIF2050",
    /// What an input names in AWS, Google Cloud or Vault is not there, or cannot be used.
    TargetUnusable = "WIF2051",
    /// AWS, Google Cloud or Vault refused for a reason that has no code of its own here.
    TargetRefused = "WIF2052",

    /// A host name could not be resolved.
    NameNotResolved = "WIF3001",
    /// A connection was refused or broke.
    ConnectionFailed = "WIF3002",
    /// TLS failed.
    TlsFailed = "WIF3003",
    /// The proxy refused.
    ProxyRefused = "WIF3004",
    /// No answer came in time.
    TimedOut = "WIF3005",
    /// The service answered that it is unavailable or busy until time ran out.
    ServiceUnavailable = "WIF3006",
    /// The answer is not what the protocol says.
    AnswerUnusable = "WIF3007",
    /// The agent's network settings cannot be used.
    NetworkSettings = "WIF3008",

    /// The task's program could not be run (said by the shim).
    ProgramFailed = "WIF4001",
    /// The package has no program for this platform (said by the shim).
    PlatformMissing = "WIF4002",
    /// The agent did not set a variable that is always there.
    VariableMissing = "WIF4003",
    /// A private file or folder could not be written.
    FolderUnwritable = "WIF4004",
    /// A value cannot be exported as it is.
    ValueNotExportable = "WIF4005",
    /// A variable names another organization than the job's.
    OtherOrganization = "WIF4006",
    /// A variable of the job has the name of something that the agent passes to this task.
    VariableShadows = "WIF4007",
    /// A variable of the agent's machine would win over the session's.
    MachineConflicts = "WIF4008",
    /// A tool is of a version that cannot be signed in.
    ToolTooOld = "WIF4009",
    /// A tool that was to be tried is not there.
    ToolMissing = "WIF4010",
    /// What a command prints could not be written.
    OutputUnwritable = "WIF4020",
    /// The command is not there.
    CommandMissing = "WIF4030",
    /// The command cannot be run.
    CommandNotExecutable = "WIF4031",
    /// This machine cannot run a script of the wanted type.
    InterpreterMissing = "WIF4032",

    /// The broker could not be started.
    BrokerFailed = "WIF5001",
    /// The broker of the session cannot be asked.
    BrokerGone = "WIF5002",
    /// The broker refused.
    BrokerRefused = "WIF5003",
    /// What answers at the broker's address did not prove that it is the broker.
    BrokerUnproven = "WIF5004",
    /// A tool that was tried got no token from the session.
    ToolNotSignedIn = "WIF5005",

    /// A plan was edited, or is too old.
    PlanChanged = "WIF7001",
    /// What was read for a plan does not hold any more.
    WorldChanged = "WIF7002",
    /// Another process applies the plan.
    PlanInUse = "WIF7003",
    /// A journal was changed, or cannot be written.
    JournalUnusable = "WIF7004",
    /// A command that needs a token for a service has none.
    TokenMissing = "WIF7005",
    /// A service refused a change.
    ChangeRefused = "WIF7006",
    /// A change is not there where it is read back.
    ChangeUnconfirmed = "WIF7007",
    /// A changed connection was not proven to sign in.
    ConnectionUnproven = "WIF7008",
    /// A change could not be undone.
    NotPutBack = "WIF7009",
    /// A service did not answer.
    ChangeUnanswered = "WIF7010",

    /// A bug of ours.
    Bug = "WIF9001",
}

/// Where the pages are.
const PAGES: &str = "https://github.com/wif-azure/wif/blob/main/docs/errors.md";

impl Code {
    /// The address of its page.
    #[must_use]
    pub fn page(self) -> String {
        format!("{PAGES}#{}", self.as_str().to_ascii_lowercase())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn texts_are_unique_and_well_formed() {
        let texts: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        for text in texts {
            let digits = text.strip_prefix("WIF").unwrap();
            assert!(digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()), "{text}");
        }
    }
}

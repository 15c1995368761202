//! The party that has to change something.

use std::fmt;

use super::Code;

/// The party that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// The pipeline: its inputs, its stages, what it may use.
    Pipeline,
    /// The service connection.
    Connection,
    /// The trust entry on the application or managed identity.
    FederatedCredential,
    /// The application or managed identity itself.
    Application,
    /// A policy of the tenant.
    TenantPolicy,
    /// What the identity may do: a role that it lacks.
    Role,
    /// The way to a service: names, firewall, proxy, TLS.
    Network,
    /// This machine's clock.
    Clock,
    /// The agent: its machine, its folders, its variables.
    Agent,
    /// The machine that a command runs on: its disk, what reads its output.
    Machine,
    /// What is set up in AWS, Google Cloud or Vault.
    OtherCloud,
    /// Azure DevOps or Entra.
    Service,
    /// The job, pod or machine that an id token is for: what it is granted, and what it is given.
    Source,
    /// The caller of a command.
    Caller,
    /// This program.
    Ours,
}

impl Party {
    /// The same where no job is, and so neither an agent nor a pipeline whose inputs could be wrong.
    pub(crate) const fn outside_of_a_job(self) -> Self {
        match self {
            Self::Agent => Self::Machine,
            Self::Pipeline => Self::Caller,
            party => party,
        }
    }
}

impl Code {
    /// The party that has to change something.
    #[must_use]
    pub const fn party(self) -> Party {
        match self {
            Self::ConnectionInput
            | Self::ConnectionAbsent
            | Self::InputInvalid
            | Self::InputsContradict
            | Self::ArgumentInvalid
            | Self::NameReserved
            | Self::NameIsSecret
            | Self::VariableConflicts
            | Self::SessionsMixed
            | Self::ScriptFailed
            | Self::VariableShadows
            | Self::JobTokenRefused
            | Self::ConnectionNotReferenced
            | Self::ApprovalPending
            | Self::ResourceUnknown
            | Self::OtherOrganization => Party::Pipeline,
            Self::SchemeUnsupported
            | Self::ConnectionIncomplete
            | Self::AuthorityInvalid
            | Self::AuthorityNotAllowed
            | Self::FederationRequired
            | Self::TenantNotAllowed
            | Self::SubscriptionNotAllowed
            | Self::ConnectionUnknown
            | Self::ConnectionDisabled
            | Self::ConnectionStale
            | Self::IssuerRetires
            | Self::IdTokenOfOtherTenant
            | Self::TenantUnknown
            | Self::CloudMismatch
            | Self::CredentialRefused
            | Self::SubscriptionUnusable
            | Self::ConnectionUnproven
            | Self::NotPutBack => Party::Connection,
            Self::NoFederatedCredential
            | Self::IssuerNotTrusted
            | Self::AudienceNotTrusted
            | Self::SubjectNotTrusted
            | Self::TrustNotMatched => Party::FederatedCredential,
            Self::ApplicationUnknown | Self::ApplicationDisabled | Self::MultiTenantApplication => {
                Party::Application
            }
            Self::PolicyForbids => Party::TenantPolicy,
            Self::ConsentMissing | Self::RoleMissing | Self::ChangeRefused => Party::Role,
            Self::IdTokenMalformed
            | Self::NameNotResolved
            | Self::ConnectionFailed
            | Self::TlsFailed
            | Self::ProxyRefused
            | Self::TimedOut
            | Self::AnswerUnusable
            | Self::ChangeUnanswered => Party::Network,
            Self::IdTokenExpired | Self::ClockWrong | Self::AssertionExpired => Party::Clock,
            Self::JobTokenMissing
            | Self::MachineIdentityRefused
            | Self::NetworkSettings
            | Self::ProgramFailed
            | Self::PlatformMissing
            | Self::VariableMissing
            | Self::FolderUnwritable
            | Self::ValueNotExportable
            | Self::BrokerFailed
            | Self::BrokerUnproven
            | Self::MachineConflicts
            | Self::ToolTooOld
            | Self::ToolMissing
            | Self::InterpreterMissing
            | Self::ToolNotSignedIn => Party::Agent,
            Self::OutputUnwritable => Party::Machine,
            Self::SourceAbsent
            | Self::SourceAmbiguous
            | Self::SourceRefused
            | Self::SourceTokenUnusable
            | Self::SourceTokenEnded => Party::Source,
            Self::CommandMissing
            | Self::CommandNotExecutable
            | Self::PlanChanged
            | Self::WorldChanged
            | Self::PlanInUse
            | Self::JournalUnusable
            | Self::TokenMissing
            | Self::BrokerGone
            | Self::BrokerRefused => Party::Caller,
            Self::IdTokenRefused
            | Self::EntraRefused
            | Self::ServiceUnavailable
            | Self::ChangeUnconfirmed => Party::Service,
            Self::TargetTrustMissing | Self::TargetUnusable | Self::TargetRefused => Party::OtherCloud,
            Self::Bug => Party::Ours,
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pipeline => "the pipeline",
            Self::Connection => "the service connection",
            Self::FederatedCredential => "the federated credential",
            Self::Application => "the application or managed identity",
            Self::TenantPolicy => "a policy of the tenant",
            Self::Role => "a role or permission of the identity",
            Self::Network => "the network",
            Self::Clock => "the clock",
            Self::Machine => "this machine",
            Self::Agent => "the agent",
            Self::OtherCloud => "the settings of the other cloud",
            Self::Service => "Azure DevOps or Entra",
            Self::Source => "the job, pod or machine that the id token is for",
            Self::Caller => "the caller of this command",
            Self::Ours => "this program",
        })
    }
}

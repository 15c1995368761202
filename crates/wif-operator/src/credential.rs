//! What a connection signs in with: the question that every count in a report is about.

use serde::Serialize;
use wif_core::trust::subject::Issuer;

use crate::snapshot::connection::Connection;

/// What a connection signs in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialKind {
    /// Federation: nothing is stored.
    Federated,
    /// A stored client secret.
    Secret,
    /// A stored certificate.
    Certificate,
    /// The managed identity of the agent's machine.
    Machine,
    /// Something else, such as the password or token of another type of connection.
    Other,
    /// It could not be seen.
    Unknown,
}

/// Who issues the id tokens of a federated connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IssuerKind {
    /// Azure DevOps itself, retired on 2027-07-01 for the public cloud.
    DevOps,
    /// Entra.
    Entra,
}

/// The host of the issuer that Azure DevOps had before `vstoken.dev.azure.com`.
const FIRST_ISSUER: &str = "https://app.vstoken.visualstudio.com";

impl CredentialKind {
    /// What this connection signs in with.
    #[must_use]
    pub fn of(connection: &Connection) -> Self {
        let is = |scheme: &str| {
            connection.scheme.as_deref().is_some_and(|found| found.eq_ignore_ascii_case(scheme))
        };
        if !connection.is_visible {
            Self::Unknown
        } else if is("WorkloadIdentityFederation") || is("WorkloadIdentityUser") {
            Self::Federated
        } else if is("ServicePrincipal") {
            let by = connection.authentication_type.as_deref().unwrap_or_default();
            if by.eq_ignore_ascii_case("spnCertificate") { Self::Certificate } else { Self::Secret }
        } else if is("ManagedServiceIdentity") {
            Self::Machine
        } else if connection.scheme.is_none() && is_resource_manager(connection) {
            Self::Unknown
        } else {
            Self::Other
        }
    }

    /// The word for people and files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Federated => "federated",
            Self::Secret => "secret",
            Self::Certificate => "certificate",
            Self::Machine => "machine",
            Self::Other => "other",
            Self::Unknown => "unknown",
        }
    }
}

impl IssuerKind {
    /// Who issues by this issuer's text. None for another issuer.
    #[must_use]
    pub fn of(issuer: &str) -> Option<Self> {
        match Issuer::parse(issuer) {
            Issuer::AzureDevOps { .. } => Some(Self::DevOps),
            Issuer::Entra { .. } => Some(Self::Entra),
            Issuer::Other(_) => issuer.starts_with(FIRST_ISSUER).then_some(Self::DevOps),
        }
    }
}

/// Whether it is a connection to Azure Resource Manager.
#[must_use]
pub fn is_resource_manager(connection: &Connection) -> bool {
    connection.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("azurerm"))
}

/// Whether it is a connection of the classic type, with a certificate or password of a subscription.
#[must_use]
pub fn is_classic(connection: &Connection) -> bool {
    connection.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("azure"))
}

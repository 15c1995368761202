//! Why a connection cannot be used.

use uuid::Uuid;
use wif_core::foreign_text::one_line;
use wif_io::endpoint::EndpointError;

/// A connection that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The agent passed nothing of it.
    #[error("the connection {id} is not part of this job")]
    Absent {
        /// Its id.
        id: Uuid,
    },
    /// The scheme is unknown.
    #[error(
        "the connection {id} has the scheme '{scheme}', accepted: WorkloadIdentityFederation, ServicePrincipal, ManagedServiceIdentity"
    )]
    Scheme {
        /// Its id.
        id: Uuid,
        /// What it says.
        scheme: String,
    },
    /// A value is not there.
    #[error("the connection {id} has no {what}")]
    Missing {
        /// Its id.
        id: Uuid,
        /// The parameter or data entry.
        what: &'static str,
    },
    /// The service principal signs in with something unknown.
    #[error("the connection {id} has the authenticationType '{kind}', accepted: spnKey, spnCertificate")]
    AuthenticationType {
        /// Its id.
        id: Uuid,
        /// What it says.
        kind: String,
    },
    /// A value is there and no GUID.
    #[error("the {what} of the connection {id} is '{value}', accepted is a GUID")]
    NoGuid {
        /// Its id.
        id: Uuid,
        /// The parameter or data entry.
        what: &'static str,
        /// What it says.
        value: String,
    },
    /// A value is there and no base URL.
    #[error("the {what} of the connection {id} is '{value}', accepted is an https URL")]
    NoEndpoint {
        /// Its id.
        id: Uuid,
        /// The parameter or data entry.
        what: &'static str,
        /// What it says.
        value: String,
        /// What is wrong.
        source: EndpointError,
    },
    /// The cloud is unknown, and no authority is given.
    #[error(
        "the connection {id} has the environment '{environment}', accepted without an activeDirectoryAuthority or environmentAuthorityUrl: AzureCloud, AzureUSGovernment, AzureChinaCloud"
    )]
    Cloud {
        /// Its id.
        id: Uuid,
        /// What it says.
        environment: String,
    },
}

/// Foreign text in an error: cut, on one line.
pub(super) fn printable(text: &str) -> String {
    one_line(text, 100)
}

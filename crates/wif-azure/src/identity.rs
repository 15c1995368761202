//! The Azure identity that signs in: whose tenant, at which Entra, for which resources, and with which proof.

use uuid::Uuid;
use wif_core::{azure::resource::Audiences, secret::Secret, trust::compare::Trusted};
use wif_io::endpoint::Endpoint;

/// An application or managed identity, wherever it was read from.
#[derive(Clone, Debug)]
pub struct AzureIdentity {
    /// The tenant.
    pub tenant: Uuid,
    /// Entra's base URL.
    pub authority: Endpoint,
    /// Where the aliases of resources lead.
    pub audiences: Audiences,
    /// What it proves itself with, and which one it is.
    pub credential: Credential,
}

/// What an identity proves itself with, and which one it is.
#[derive(Clone, Debug)]
pub enum Credential {
    /// An id token of whatever runs this program: no secret.
    Federated {
        /// The application or managed identity.
        client: Uuid,
        /// The issuer that is trusted, where the connection says so.
        issuer: Option<String>,
        /// The subject that is trusted, where the connection says so.
        subject: Option<String>,
    },
    /// A stored client secret.
    ClientSecret {
        /// The application.
        client: Uuid,
        /// Its secret.
        secret: Secret,
    },
    /// A stored certificate.
    Certificate {
        /// The application.
        client: Uuid,
        /// Certificate and key, in PEM.
        pem: Secret,
    },
    /// The managed identity of this machine: nothing is stored.
    ManagedIdentity {
        /// Which one, where that is said; a machine with one identity needs no saying.
        client: Option<Uuid>,
    },
}

impl Credential {
    /// What the connection says that its id tokens have, where it says so.
    #[must_use]
    pub fn registered(&self) -> Option<Trusted> {
        let Self::Federated { issuer: Some(issuer), subject: Some(subject), .. } = self else { return None };
        Some(Trusted {
            by: "the connection".to_owned(),
            issuer: issuer.as_str().into(),
            subject: Some(subject.as_str().into()),
            audiences: Vec::new(),
        })
    }

    /// The application or managed identity. Of a machine with one identity only its access token says who it is.
    #[must_use]
    pub const fn client(&self) -> Option<Uuid> {
        match self {
            Self::Federated { client, .. }
            | Self::ClientSecret { client, .. }
            | Self::Certificate { client, .. } => Some(*client),
            Self::ManagedIdentity { client } => *client,
        }
    }

    /// What the connection stores that could be stolen or end, as a person says it.
    #[must_use]
    pub const fn stored(&self) -> Option<&'static str> {
        match self {
            Self::ClientSecret { .. } => Some("client secret"),
            Self::Certificate { .. } => Some("certificate"),
            Self::Federated { .. } | Self::ManagedIdentity { .. } => None,
        }
    }
}

//! What a connection signs in with, by its scheme.

use std::fmt;

use uuid::Uuid;
use wif_core::{secret::Secret, trust::compare::Trusted};

use super::{
    error::{ConnectionError, shown},
    fields::Fields,
};

/// How a connection signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// An id token of the job: no secret.
    WorkloadIdentityFederation,
    /// A stored secret or certificate.
    ServicePrincipal,
    /// The managed identity of the agent's machine.
    ManagedServiceIdentity,
}

/// What a connection signs in with, and as whom.
#[derive(Clone, Debug)]
pub enum Credential {
    /// An id token of the job.
    Federated {
        /// The application or managed identity.
        client: Uuid,
        /// The issuer that the connection is registered with, where it says so.
        issuer: Option<String>,
        /// The subject that the connection is registered with, where it says so.
        subject: Option<String>,
        /// An id token that the agent brought along.
        id_token: Option<Secret>,
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
    /// The managed identity of the agent's machine: nothing is stored.
    ManagedIdentity {
        /// Which one, where the connection says so. A machine with one identity needs no saying.
        client: Option<Uuid>,
    },
}

impl Credential {
    /// Reads what the scheme asks for.
    pub(super) fn read(scheme: Scheme, fields: &Fields<'_>) -> Result<Self, ConnectionError> {
        let id = fields.id;
        if scheme == Scheme::ManagedServiceIdentity {
            let which = fields.data("msiclientId").filter(|text| !text.is_empty());
            let client = which.map(|text| fields.guid("client id (data msiclientId)", Some(text)));
            return Ok(Self::ManagedIdentity { client: client.transpose()? });
        }
        let client = fields
            .guid("client id (parameter serviceprincipalid)", fields.parameter("serviceprincipalid"))?;
        let secret = |what, key| fields.secret(key).ok_or(ConnectionError::Missing { id: fields.id, what });
        if scheme == Scheme::WorkloadIdentityFederation {
            let registered = |key| fields.parameter(key).map(str::to_owned);
            return Ok(Self::Federated {
                client,
                issuer: registered("workloadIdentityFederationIssuer"),
                subject: registered("workloadIdentityFederationSubject"),
                id_token: fields.secret("idToken"),
            });
        }
        match fields.parameter("authenticationType") {
            Some(kind) if kind.eq_ignore_ascii_case("spnCertificate") => {
                let what = "certificate (parameter servicePrincipalCertificate)";
                Ok(Self::Certificate { client, pem: secret(what, "servicePrincipalCertificate")? })
            }
            // A connection that does not say is one from before there were others.
            kind if kind.is_none_or(|kind| kind.eq_ignore_ascii_case("spnKey")) => {
                let what = "client secret (parameter serviceprincipalkey)";
                Ok(Self::ClientSecret { client, secret: secret(what, "serviceprincipalkey")? })
            }
            kind => {
                let kind = shown(kind.unwrap_or_default());
                Err(ConnectionError::AuthenticationType { id, kind })
            }
        }
    }

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

impl Scheme {
    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::WorkloadIdentityFederation, Self::ServicePrincipal, Self::ManagedServiceIdentity]
            .into_iter()
            .find(|scheme| scheme.to_string().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WorkloadIdentityFederation => "WorkloadIdentityFederation",
            Self::ServicePrincipal => "ServicePrincipal",
            Self::ManagedServiceIdentity => "ManagedServiceIdentity",
        })
    }
}

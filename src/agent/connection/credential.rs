//! What a connection signs in with, by its scheme.

use std::fmt;

use wif_azure::identity::Credential;

use super::{
    error::{ConnectionError, printable},
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

/// Reads what the scheme asks for.
pub(super) fn read(scheme: Scheme, fields: &Fields<'_>) -> Result<Credential, ConnectionError> {
    let id = fields.id;
    if scheme == Scheme::ManagedServiceIdentity {
        let which = fields.data("msiclientId").filter(|text| !text.is_empty());
        let client = which.map(|text| fields.guid("client id (data msiclientId)", Some(text)));
        return Ok(Credential::ManagedIdentity { client: client.transpose()? });
    }
    let client =
        fields.guid("client id (parameter serviceprincipalid)", fields.parameter("serviceprincipalid"))?;
    let secret = |what, key| fields.secret(key).ok_or(ConnectionError::Missing { id: fields.id, what });
    if scheme == Scheme::WorkloadIdentityFederation {
        let registered = |key| fields.parameter(key).map(str::to_owned);
        return Ok(Credential::Federated {
            client,
            issuer: registered("workloadIdentityFederationIssuer"),
            subject: registered("workloadIdentityFederationSubject"),
        });
    }
    match fields.parameter("authenticationType") {
        Some(kind) if kind.eq_ignore_ascii_case("spnCertificate") => {
            let what = "certificate (parameter servicePrincipalCertificate)";
            Ok(Credential::Certificate { client, pem: secret(what, "servicePrincipalCertificate")? })
        }
        // Connections without the entry are older than it: the only kind was then the one below.
        kind if kind.is_none_or(|kind| kind.eq_ignore_ascii_case("spnKey")) => {
            let what = "client secret (parameter serviceprincipalkey)";
            Ok(Credential::ClientSecret { client, secret: secret(what, "serviceprincipalkey")? })
        }
        kind => {
            let kind = printable(kind.unwrap_or_default());
            Err(ConnectionError::AuthenticationType { id, kind })
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

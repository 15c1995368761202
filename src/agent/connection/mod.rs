//! A service connection as the agent passes it: `ENDPOINT_*` variables, parsed once into types.
//!
//! Source: microsoft/azure-pipelines-agent, `Handler.cs`, `AddEndpointsToEnvironment`.

use uuid::Uuid;
use wif_azure::identity::AzureIdentity;

mod credential;
mod error;
mod fields;

pub use self::{credential::Scheme, error::ConnectionError, fields::Subscription};
use self::{error::printable, fields::Fields};
use wif_core::{
    azure::{
        cloud::Cloud,
        hosts::{AllowedHosts, Service},
    },
    secret::Secret,
};
use wif_io::env::Env;

/// An Azure Resource Manager service connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its id, which is the `serviceConnectionId` of the Oidctoken API.
    pub id: Uuid,
    /// How it signs in.
    pub scheme: Scheme,
    /// Which identity signs in, and with what.
    pub identity: AzureIdentity,
    /// An id token that the agent brought along.
    pub id_token: Option<Secret>,
    /// The subscription, where it has subscription scope.
    pub subscription: Option<Subscription>,
    /// The cloud, where it is a known one.
    pub cloud: Option<Cloud>,
}

/// The connection's scheme, before anything else of it is read.
///
/// # Errors
///
/// The connection is absent, or its scheme unknown.
pub fn scheme(env: &Env, id: Uuid) -> Result<Scheme, ConnectionError> {
    let scheme = env.get(&format!("ENDPOINT_AUTH_SCHEME_{id}"));
    match scheme {
        Some(text) => {
            Scheme::parse(text).ok_or_else(|| ConnectionError::Scheme { id, scheme: printable(text) })
        }
        // Connections without the entry are older than it: the only kind was then the one below.
        None if env.even_empty(&format!("ENDPOINT_AUTH_{id}")).is_some() => Ok(Scheme::ServicePrincipal),
        None => Err(ConnectionError::Absent { id }),
    }
}

impl Connection {
    /// Reads everything of a connection.
    ///
    /// # Errors
    ///
    /// Something is missing, or is not what it must be.
    pub fn read(env: &Env, id: Uuid) -> Result<Self, ConnectionError> {
        let scheme = scheme(env, id)?;
        let fields = Fields { env, id };
        let tenant = fields.guid("tenant id (parameter tenantid)", fields.parameter("tenantid"))?;
        let credential = credential::read(scheme, &fields)?;
        let (cloud, authority, audiences) = fields.cloud()?;
        let is_federated = scheme == Scheme::WorkloadIdentityFederation;
        Ok(Self {
            id,
            scheme,
            identity: AzureIdentity { tenant, authority, audiences, credential },
            id_token: fields.secret("idToken").filter(|_| is_federated),
            subscription: fields.subscription()?,
            cloud,
        })
    }
}

impl Connection {
    /// The authority's host and port, where a credential may not be sent there: an earlier step can change a connection's
    /// data.
    #[must_use]
    pub(crate) fn foreign_authority(&self, allowed: &AllowedHosts) -> Option<String> {
        let (host, port) = (self.identity.authority.host(), self.identity.authority.port());
        (!allowed.admits(Service::Authority, host, port)).then(|| match port {
            443 => host.to_owned(),
            port => format!("{host}:{port}"),
        })
    }

    /// The application or managed identity, where the connection names it.
    #[must_use]
    pub const fn client(&self) -> Option<Uuid> {
        self.identity.credential.client()
    }

    /// What to tell the user of a connection that stores a secret.
    #[must_use]
    pub(crate) fn stored_secret_warning(&self) -> Option<String> {
        let stored = self.identity.credential.stored()?;
        Some(format!(
            "The connection stores a {stored}, which can be stolen and will end. Convert it to workload identity federation, which stores none: Project settings > Service connections > the connection > Convert"
        ))
    }
}

#[cfg(test)]
mod tests {
    use wif_azure::identity::Credential;

    use super::*;

    const ID: &str = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
    const TENANT: &str = "11111111-1111-1111-1111-111111111111";
    const CLIENT: &str = "22222222-2222-2222-2222-222222222222";

    fn read(changes: &[(&str, &str)]) -> Result<Connection, ConnectionError> {
        let usual = [
            ("AUTH_SCHEME", "WorkloadIdentityFederation"),
            ("PARAMETER_TENANTID", TENANT),
            ("PARAMETER_SERVICEPRINCIPALID", CLIENT),
            ("URL", "https://management.azure.com/"),
        ];
        let env = usual.iter().chain(changes).map(|(name, value)| {
            let name = match name.split_once('_') {
                Some(("PARAMETER", key)) => format!("ENDPOINT_AUTH_PARAMETER_{ID}_{key}"),
                Some(("DATA", key)) => format!("ENDPOINT_DATA_{ID}_{key}"),
                _ => format!("ENDPOINT_{name}_{ID}"),
            };
            (name, (*value).to_owned())
        });
        Connection::read(&env.collect(), Uuid::try_parse(ID).unwrap())
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (name, value, words) in [
            ("AUTH_SCHEME", "Kerberos", "'Kerberos', accepted: WorkloadIdentityFederation"),
            ("AUTH_SCHEME", "", "is not part of this job"),
            ("PARAMETER_TENANTID", "", "has no tenant id"),
            ("PARAMETER_TENANTID", "contoso.com", "'contoso.com', accepted is a GUID"),
            ("PARAMETER_SERVICEPRINCIPALID", "", "has no client id"),
            ("PARAMETER_SERVICEPRINCIPALID", "x", "'x', accepted is a GUID"),
            ("DATA_ENVIRONMENTAUTHORITYURL", "http://login.example", "accepted is an https URL"),
            ("DATA_ACTIVEDIRECTORYAUTHORITY", "login.example", "accepted is an https URL"),
            ("DATA_SUBSCRIPTIONID", "x", "'x', accepted is a GUID"),
            ("URL", "ftp://x", "accepted is an https URL"),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let stack = [("URL", "https://stack.example"), ("DATA_ENVIRONMENT", "AzureStack")];
        let error = read(&stack).unwrap_err().to_string();
        assert!(error.contains("'AzureStack', accepted"), "{error}");
        let secret = read(&[("URL", "https://user:hunter2@arm.example/")]).unwrap_err().to_string();
        assert!(!secret.contains("hunter2"), "{secret}");
    }

    #[test]
    fn every_cloud_is_found_by_its_environment_or_url() {
        for cloud in Cloud::ALL {
            for found in [
                read(&[("URL", ""), ("DATA_ENVIRONMENT", cloud.environment())]),
                read(&[("URL", cloud.resource_manager())]),
            ] {
                let found = found.unwrap();
                assert_eq!(found.cloud, Some(cloud));
                assert_eq!(found.identity.authority.bare(), cloud.authority());
                assert_eq!(found.identity.audiences.resource_manager, cloud.resource_manager());
            }
        }
    }

    #[test]
    fn the_connections_own_addresses_come_first() {
        let connection = read(&[
            ("URL", "https://127.0.0.1:8443/"),
            ("DATA_ENVIRONMENTAUTHORITYURL", "https://two.example/"),
            ("DATA_ACTIVEDIRECTORYAUTHORITY", "https://one.example"),
            ("DATA_ACTIVEDIRECTORYSERVICEENDPOINTRESOURCEID", "https://arm.example/"),
        ])
        .unwrap();
        assert_eq!(connection.identity.authority.as_str(), "https://one.example/");
        assert_eq!(connection.identity.audiences.resource_manager, "https://arm.example");
        assert_eq!(connection.cloud, Some(Cloud::Public));
        assert_eq!(connection.foreign_authority(&AllowedHosts::default()).as_deref(), Some("one.example"));
        let resource = |changes: &[_]| read(changes).unwrap().identity.audiences.resource_manager;
        assert_eq!(resource(&[("URL", "https://arm.example/")]), "https://arm.example");
        assert_eq!(resource(&[("URL", "https://127.0.0.1:8443/")]), "https://management.azure.com");
    }

    #[test]
    fn every_scope_below_a_management_group_has_a_subscription() {
        let subscription = |changes: &[_]| read(changes).unwrap().subscription;
        assert_eq!(subscription(&[]), None);
        let nil = Uuid::nil().to_string();
        assert_eq!(subscription(&[("DATA_SUBSCRIPTIONID", &nil)]), None);
        assert_eq!(
            subscription(&[("DATA_SUBSCRIPTIONID", CLIENT), ("DATA_SCOPELEVEL", "ManagementGroup")]),
            None
        );
        for scope in ["AzureMLWorkspace", "ResourceGroup", "Subscription", ""] {
            let found = subscription(&[("DATA_SUBSCRIPTIONID", CLIENT), ("DATA_SCOPELEVEL", scope)]);
            assert_eq!(found.map(|one| one.id.to_string()).as_deref(), Some(CLIENT), "{scope}");
        }
        let found =
            subscription(&[("DATA_SUBSCRIPTIONID", CLIENT), ("DATA_SUBSCRIPTIONNAME", "Prod")]).unwrap();
        assert_eq!((found.id.to_string().as_str(), found.name.as_deref()), (CLIENT, Some("Prod")));
    }

    #[test]
    fn a_connection_without_a_scheme_is_an_old_one() {
        let old = [("AUTH_SCHEME", ""), ("AUTH", "{}"), ("PARAMETER_SERVICEPRINCIPALKEY", "hunter2")];
        let connection = read(&old).unwrap();
        assert_eq!(connection.scheme, Scheme::ServicePrincipal);
        assert!(matches!(connection.identity.credential, Credential::ClientSecret { .. }));
        assert!(!format!("{connection:?}").contains("hunter2"));
    }

    #[test]
    fn what_a_connection_signs_in_with_is_read_by_its_scheme() {
        let principal = |changes: &[(&str, &str)]| {
            let scheme = [("AUTH_SCHEME", "serviceprincipal"), ("PARAMETER_SERVICEPRINCIPALKEY", "s")];
            read(&[&scheme, changes].concat())
        };
        let client = Uuid::try_parse(CLIENT).unwrap();
        let certificate = [
            ("PARAMETER_AUTHENTICATIONTYPE", "SpnCertificate"),
            ("PARAMETER_SERVICEPRINCIPALCERTIFICATE", "p"),
        ];
        for (connection, stored) in [
            (principal(&[]), "client secret"),
            (principal(&[("PARAMETER_AUTHENTICATIONTYPE", "spnKey")]), "client secret"),
            (principal(&certificate), "certificate"),
        ] {
            let connection = connection.unwrap();
            assert_eq!(
                (connection.identity.credential.stored(), connection.client()),
                (Some(stored), Some(client))
            );
            assert!(connection.stored_secret_warning().unwrap().contains(stored));
        }
        for (changes, words) in [
            (
                &[("PARAMETER_SERVICEPRINCIPALKEY", "")][..],
                "no client secret (parameter serviceprincipalkey)",
            ),
            (&certificate[..1], "no certificate (parameter servicePrincipalCertificate)"),
            (&[("PARAMETER_AUTHENTICATIONTYPE", "kerberos")], "'kerberos', accepted: spnKey, spnCertificate"),
            (&[("PARAMETER_SERVICEPRINCIPALID", "")], "no client id"),
        ] {
            let error = principal(changes).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_machines_identity_needs_no_client() {
        let machine = |named| {
            let scheme = ("AUTH_SCHEME", "ManagedServiceIdentity");
            read(&[scheme, ("PARAMETER_SERVICEPRINCIPALID", ""), ("DATA_MSICLIENTID", named)])
        };
        assert_eq!(machine("").unwrap().client(), None);
        assert_eq!(machine(CLIENT).unwrap().client(), Uuid::try_parse(CLIENT).ok());
        assert_eq!(machine("").unwrap().stored_secret_warning(), None);
        assert!(machine("me").unwrap_err().to_string().contains("msiclientId"));
    }
}

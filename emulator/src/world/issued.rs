//! The secrets that the services gave out, or that the directory knows.

use std::fmt;

use crate::world::directory::{Directory, devops::Connection, machine::Machine};

/// What kind of secret was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuedKind {
    /// `System.AccessToken` of a job.
    JobToken,
    /// What Azure DevOps or Entra signed for a job.
    IdToken,
    /// What Entra gave for a resource.
    AccessToken,
    /// A client secret of an app.
    ClientSecret,
    /// A line of the private key of a client certificate.
    PrivateKey,
    /// What a client signed with such a key.
    ClientAssertion,
    /// What the machine's managed identity service demands.
    IdentityHeader,
    /// A personal access token of Azure DevOps.
    PersonalToken,
    /// What an Azure Arc server's identity service wrote into a file for one caller.
    ArcKey,
    /// What a source of id tokens demands of a job, a pod or a machine.
    SourceCredential,
    /// What AWS or Google Cloud gave for an id token.
    CloudCredential,
    /// A token of Vault.
    VaultToken,
}

impl fmt::Display for IssuedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JobToken => "job token",
            Self::IdToken => "id token",
            Self::AccessToken => "access token",
            Self::ClientSecret => "client secret",
            Self::PrivateKey => "private key",
            Self::ClientAssertion => "client assertion",
            Self::IdentityHeader => "identity header",
            Self::PersonalToken => "personal access token",
            Self::ArcKey => "key of an Azure Arc server",
            Self::SourceCredential => "credential of a source",
            Self::CloudCredential => "credential of another cloud",
            Self::VaultToken => "token of Vault",
        })
    }
}

/// A secret that was issued, or is known to the directory.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// What it is.
    pub kind: IssuedKind,
    /// The secret itself.
    pub value: String,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The secrets that the directory knows. Those of connections come last: there may be thousands.
pub(super) fn of_directory(directory: &Directory) -> impl Iterator<Item = Issued> {
    let issued = |kind, value: &String| Issued { kind, value: value.clone() };
    let jobs = directory.jobs.iter().map(move |job| issued(IssuedKind::JobToken, &job.token));
    let tokens = directory.personal_tokens.iter().map(move |token| issued(IssuedKind::PersonalToken, token));
    let Machine { identities, header, .. } = &directory.machine;
    // The header counts as issued only when the machine has an identity to ask for.
    let header = identities.first().map(move |_| issued(IssuedKind::IdentityHeader, header));
    let apps = directory.tenants.iter().flat_map(|tenant| &tenant.apps);
    let secrets = apps.flat_map(|app| &app.secrets);
    let secrets = secrets.map(move |one| issued(IssuedKind::ClientSecret, &one.value));
    let of_connections = directory.connections().flat_map(of_connection);
    jobs.chain(tokens).chain(header).chain(secrets).chain(of_connections)
}

/// The secrets in a connection's own parameters. Of a private key, the lines after the first three, which no other key has.
fn of_connection(connection: &Connection) -> impl Iterator<Item = Issued> {
    let of = |name: &str| connection.parameters.get(name).map(String::as_str).unwrap_or_default();
    let secret = Some(of("serviceprincipalkey")).filter(|secret| !secret.is_empty());
    let is_key = |line: &&str| line.contains("-----BEGIN") && line.contains("PRIVATE KEY");
    let key = of("servicePrincipalCertificate").lines().skip_while(move |line| !is_key(line)).skip(3);
    let key = key.take_while(|line| !line.contains("-----END"));
    let issued = |kind, value: &str| Issued { kind, value: value.to_owned() };
    secret
        .map(|secret| issued(IssuedKind::ClientSecret, secret))
        .into_iter()
        .chain(key.map(move |line| issued(IssuedKind::PrivateKey, line)))
}

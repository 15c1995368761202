//! What a session's variables are made of, and what they are.

use std::path::PathBuf;

use uuid::Uuid;

use crate::{azure::cloud::Cloud, secret::Secret};

/// What a session's variables are made of.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The application or managed identity, where it is known.
    pub client: Option<Uuid>,
    /// The tenant.
    pub tenant: Uuid,
    /// The subscription, where the connection has one.
    pub subscription: Option<Uuid>,
    /// Entra's base URL, with a trailing slash.
    pub authority: String,
    /// The cloud, where it is a known one.
    pub cloud: Option<Cloud>,
    /// The file with the id token, where a family needs it.
    pub id_token_file: Option<PathBuf>,
    /// The folder in which `az` is signed in, where the family is exported.
    pub azure_cli_folder: Option<PathBuf>,
    /// Where `az` finds installed extensions, where that has to be said.
    pub azure_cli_extensions: Option<PathBuf>,
    /// The address of the machine's own managed identity service, and its header, where this session takes the names
    /// by which later ones would find them.
    pub machine: Option<(String, Secret)>,
    /// Other clouds that the session signs in to.
    pub targets: TargetFacts,
}

/// What a session's variables for other clouds are made of; nothing, for a cloud that is not asked for.
#[derive(Clone, Debug, Default)]
pub struct TargetFacts {
    /// The AWS region.
    pub aws_region: Option<String>,
    /// Vault or `OpenBao`.
    pub vault: Option<VaultFacts>,
    /// Google Cloud.
    pub google: Option<GoogleFacts>,
    /// The folder of Docker's configuration, where registries are named.
    pub docker_folder: Option<PathBuf>,
    /// git, for Azure Repos.
    pub git: Option<GitFacts>,
    /// The feeds of Azure Artifacts, by their URLs.
    pub feeds: Vec<String>,
}

/// How git finds this program.
#[derive(Clone, Debug)]
pub struct GitFacts {
    /// How many entries of configuration the environment has already.
    pub begin: usize,
    /// The session's name.
    pub session: Option<String>,
    /// A host of Azure DevOps beside the known ones, with its port.
    pub host: Option<String>,
}

/// Where Vault is, and the token for it.
#[derive(Clone, Debug)]
pub struct VaultFacts {
    /// Its base URL.
    pub address: String,
    /// The namespace, where there is one.
    pub namespace: Option<String>,
    /// The token, which stays the same while the broker renews it.
    pub token: Secret,
}

/// How Google's clients find the broker.
#[derive(Clone, Debug)]
pub struct GoogleFacts {
    /// The credential file.
    pub credential_file: PathBuf,
    /// The project.
    pub project: Option<String>,
}

/// A variable for later steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name, before a session's prefix.
    pub name: String,
    /// Its value.
    pub value: Value,
}

/// A variable's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// For every step, shown in logs.
    Plain(String),
    /// For every step, masked in logs.
    Masked(Secret),
    /// For those who map it.
    Secret(Secret),
}

impl Variable {
    /// A variable whose value logs may show.
    #[must_use]
    pub fn plain(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.to_owned(), value: Value::Plain(value.into()) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::exports) fn facts() -> Facts {
        Facts {
            client: Some(Uuid::from_u128(1)),
            tenant: Uuid::from_u128(2),
            subscription: Some(Uuid::from_u128(3)),
            authority: "https://login.example/".to_owned(),
            cloud: Some(Cloud::UsGovernment),
            id_token_file: Some(PathBuf::from("/temp/id-token")),
            azure_cli_folder: None,
            azure_cli_extensions: None,
            machine: None,
            targets: TargetFacts::default(),
        }
    }
}

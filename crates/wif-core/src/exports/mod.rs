//! What later steps find: each family is a pure function of the session's facts.

mod access_tokens;
mod always;
mod azure_cli;
pub mod azure_sdk;
pub mod conflict;
mod live;
mod terraform;
mod token_file;

use std::{collections::BTreeSet, path::PathBuf};

use uuid::Uuid;

use crate::{azure::cloud::Cloud, secret::Secret};
pub use access_tokens::expires_on;
pub use access_tokens::{Granted, variables as access_tokens};
pub use azure_cli::{
    File as AzureCliFile, OwnSettings as AzureCliOwnSettings, Profile as AzureCliProfile,
    Scope as AzureCliScope, Subscription as AzureCliSubscription, files as azure_cli_files,
    first_enabled as first_enabled_subscription, names_extension_folder as azure_cli_names_extension_folder,
};
pub use live::{Door, IDENTITY_PATH, MACHINE, live};

/// A family of settings for later steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// The azurerm and azuread providers and the backend, and those that read the same variables.
    Terraform,
    /// The Azure SDKs and what is built with them.
    AzureSdk,
    /// `az`
    AzureCli,
    /// A file with the id token.
    TokenFile,
}

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
    /// For everybody.
    Plain(String),
    /// For everybody in the job, and nobody who reads the log.
    Masked(Secret),
    /// For those who map it.
    Secret(Secret),
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 4] = [Self::Terraform, Self::AzureSdk, Self::AzureCli, Self::TokenFile];

    /// What a session that is kept alive exports when nothing is asked for.
    #[must_use]
    pub fn of_session() -> BTreeSet<Self> {
        BTreeSet::from([Self::Terraform, Self::AzureSdk, Self::AzureCli])
    }

    /// What a snapshot exports when nothing is asked for.
    #[must_use]
    pub fn of_snapshot() -> BTreeSet<Self> {
        BTreeSet::from([Self::Terraform, Self::AzureSdk])
    }

    /// The name in the input `exports`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terraform => "terraform",
            Self::AzureSdk => "azure-sdk",
            Self::AzureCli => "azure-cli",
            Self::TokenFile => "token-file",
        }
    }

    /// The family of a name, in any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.as_str().eq_ignore_ascii_case(name))
    }
}

/// The variables of a sign-in that nobody keeps alive: `refresh: false`.
#[must_use]
pub fn snapshot(families: &BTreeSet<Family>, facts: &Facts) -> Vec<Variable> {
    let mut variables = always::variables(facts);
    for family in families {
        variables.extend(match family {
            Family::Terraform => terraform::snapshot(facts),
            Family::AzureSdk => azure_sdk::snapshot(facts),
            Family::TokenFile => token_file::variables(facts),
            // Refused before: az keeps no id token that it could renew.
            Family::AzureCli => Vec::new(),
        });
    }
    let mut seen = BTreeSet::new();
    variables.retain(|variable| seen.insert(variable.name.clone()));
    variables
}

impl Variable {
    fn plain(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.to_owned(), value: Value::Plain(value.into()) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use time::macros::datetime;

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
        }
    }

    fn names(families: &[Family], facts: &Facts) -> Vec<String> {
        let families = families.iter().copied().collect();
        snapshot(&families, facts).into_iter().map(|variable| variable.name).collect()
    }

    #[test]
    fn a_snapshot_never_switches_on_what_nobody_serves() {
        let names = names(&Family::ALL, &facts());
        for absent in
            ["ARM_OIDC_REQUEST_URL", "ARM_OIDC_TOKEN", "IDENTITY_ENDPOINT", "WIF_URL", "AZURE_CONFIG_DIR"]
        {
            assert!(!names.iter().any(|name| name == absent), "{absent}");
        }
        assert!(!names.iter().any(|name| name.contains("SERVICE_CONNECTION_ID")));
    }

    #[test]
    fn each_family_exports_what_it_says() {
        let always = ["AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID", "AZURE_AUTHORITY_HOST"];
        assert_eq!(names(&[], &facts()), always);
        let terraform = names(&[Family::Terraform], &facts());
        assert_eq!(
            terraform[4..],
            [
                "ARM_CLIENT_ID",
                "ARM_TENANT_ID",
                "ARM_SUBSCRIPTION_ID",
                "ARM_ENVIRONMENT",
                "ARM_USE_OIDC",
                "ARM_OIDC_TOKEN_FILE_PATH"
            ],
        );
        let sdk = ["AZURE_FEDERATED_TOKEN_FILE", "AZCOPY_AUTO_LOGIN_TYPE"];
        assert_eq!(names(&[Family::AzureSdk], &facts())[4..], sdk);
        assert_eq!(names(&[Family::TokenFile], &facts())[4..], sdk[..1]);
        assert_eq!(names(&[Family::AzureSdk, Family::TokenFile], &facts()).len(), 6);
    }

    #[test]
    fn what_the_connection_does_not_have_is_not_exported() {
        let facts = Facts { subscription: None, cloud: None, ..facts() };
        let names = names(&[Family::Terraform], &facts);
        for absent in ["AZURE_SUBSCRIPTION_ID", "ARM_SUBSCRIPTION_ID", "ARM_ENVIRONMENT"] {
            assert!(!names.iter().any(|name| name == absent), "{absent}");
        }
    }

    #[test]
    fn an_access_token_is_secret_and_its_end_is_not() {
        let token = Granted {
            variable: "A".to_owned(),
            resource: crate::azure::resource::Audiences {
                cloud: Cloud::Public,
                resource_manager: "https://arm.example".to_owned(),
                key_vault: None,
                graph: None,
            }
            .resource_manager(),
            token: Secret::new("t".to_owned()),
            expires: datetime!(2026-11-22 10:00:01.5 UTC),
        };
        let variables: Vec<_> = access_tokens(&[token]).collect();
        assert_eq!(variables[0].value, Value::Secret(Secret::new("t".to_owned())));
        let end = Variable::plain("A_EXPIRES_ON", "2026-11-22T10:00:01Z");
        assert_eq!(variables[1], end, "whole seconds, in UTC");
    }
}

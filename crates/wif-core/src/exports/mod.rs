//! What later steps find: each family is a pure function of the session's facts.

mod access_tokens;
mod always;
mod artifacts;
mod aws;
mod azure_cli;
mod azure_sdk;
mod broker_endpoint;
pub mod conflict;
mod definition;
mod docker;
mod git;
mod google;
mod terraform;
mod token_file;
mod variable;
mod vault;

use std::{collections::BTreeSet, path::PathBuf};

use uuid::Uuid;

use self::conflict::{Conflict, SessionKind};
use self::definition::Definition;
pub use self::{
    access_tokens::{NamedToken, expires_on, variables as access_tokens},
    aws::AWS_PATH,
    azure_cli::{
        files::{
            File as AzureCliFile, files as azure_cli_files, first_enabled as first_enabled_subscription,
            names_extension_folder as azure_cli_names_extension_folder,
        },
        profile::{
            OwnSettings as AzureCliOwnSettings, Profile as AzureCliProfile, Scope as AzureCliScope,
            Subscription as AzureCliSubscription,
        },
    },
    broker_endpoint::{BrokerEndpoint, IDENTITY_PATH, IDENTITY_VARIABLES, KEPT_MACHINE_VARIABLES},
    definition::{LeadsTo, Marker, Need, YieldingVariable},
    git::GIT_HELPER,
    google::{GOOGLE_ACCOUNT_PATH, GOOGLE_PATH, GoogleProvider},
    variable::{Facts, GitFacts, GoogleFacts, TargetFacts, Value, Variable, VaultFacts},
};
use crate::{azure::cloud::Cloud, secret::Secret};

macro_rules! families {
    ($($(#[doc = $doc:literal])+ $family:ident = $file:ident,)+) => {
        /// A family of settings for later steps.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Family { $($(#[doc = $doc])+ $family,)+ }

        impl Family {
            /// Every family.
            pub const ALL: &[Self] = &[$(Self::$family,)+];

            const fn definition(self) -> &'static Definition {
                match self { $(Self::$family => &$file::FAMILY,)+ }
            }
        }
    };
}

families! {
    /// The azurerm and azuread providers and the backend, and those that read the same variables.
    Terraform = terraform,
    /// The Azure SDKs and what is built with them.
    AzureSdk = azure_sdk,
    /// `az`
    AzureCli = azure_cli,
    /// A file with the id token.
    TokenFile = token_file,
    /// git, for Azure Repos.
    Git = git,
    /// Azure Artifacts.
    Artifacts = artifacts,
    /// AWS.
    Aws = aws,
    /// Google Cloud.
    Google = google,
    /// Vault and `OpenBao`.
    Vault = vault,
    /// Docker's configuration.
    Docker = docker,
}

impl Family {
    /// What a session that is kept alive exports when nothing is asked for.
    #[must_use]
    pub fn of_session() -> BTreeSet<Self> {
        Self::ALL.iter().copied().filter(|family| family.definition().by_default.0).collect()
    }

    /// What a snapshot exports when nothing is asked for.
    #[must_use]
    pub fn of_snapshot() -> BTreeSet<Self> {
        Self::ALL.iter().copied().filter(|family| family.definition().by_default.1).collect()
    }

    /// The name in the input `exports`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.definition().name
    }

    /// The tools that it serves, as a page says it.
    #[must_use]
    pub const fn summary(self) -> &'static str {
        self.definition().summary
    }

    /// The families that the input `exports` can name.
    pub fn named_in_exports() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|family| family.asked_by().is_none())
    }

    /// The input that asks for it, where `exports` does not name it: another cloud's.
    #[must_use]
    pub const fn asked_by(self) -> Option<&'static str> {
        self.definition().asked_by
    }

    /// The family of a name of the input `exports`, in any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::named_in_exports().find(|family| family.as_str().eq_ignore_ascii_case(name))
    }

    /// Whether it needs this while a broker keeps the session alive.
    #[must_use]
    pub fn needs(self, need: Need) -> bool {
        self.definition().needs_live.contains(&need)
    }

    /// Whether it can be served without a broker.
    #[must_use]
    pub const fn has_snapshot(self) -> bool {
        self.definition().snapshot.is_ok()
    }

    /// Why it cannot be served without a broker, where it cannot.
    #[must_use]
    pub fn why_no_snapshot(self) -> Option<&'static str> {
        self.definition().snapshot.err()
    }

    /// What serves its tools where it may not be exported since it gives the id token away.
    #[must_use]
    pub const fn instead(self) -> Option<&'static str> {
        self.definition().instead
    }

    /// How a later step sees that a session exports it.
    #[must_use]
    pub const fn markers(self) -> &'static [Marker] {
        self.definition().markers
    }

    /// The family that signs a program in.
    #[must_use]
    pub fn of_program(program: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|family| family.definition().programs.contains(&program))
    }

    /// The alias of a resource that a tool of it asks for whenever it starts, and the warning where the session may not
    /// give tokens for that one.
    #[must_use]
    pub const fn resource_at_start(self) -> Option<(&'static str, &'static str)> {
        self.definition().resource_at_start
    }

    /// A variable that it sets only where the pipeline or the machine has not.
    #[must_use]
    pub const fn yielding(self) -> Option<YieldingVariable> {
        self.definition().yielding
    }

    /// What would win over what this family exports.
    #[must_use]
    pub const fn conflicts(self) -> &'static [Conflict] {
        self.definition().conflicts
    }
}

/// The variables of a session that a broker keeps alive: `refresh: true`.
#[must_use]
pub fn live(families: &BTreeSet<Family>, facts: &Facts, endpoint: &BrokerEndpoint) -> Vec<Variable> {
    let mut variables = always::variables(facts);
    variables.extend([Variable::plain("WIF_URL", &endpoint.url), endpoint.keyed("WIF_KEY")]);
    variables.extend(families.iter().flat_map(|family| (family.definition().live)(facts, endpoint)));
    if let (Some((address, header)), true) = (&facts.machine, hides_machine(&variables)) {
        let [to_address, to_header] = KEPT_MACHINE_VARIABLES;
        variables.push(Variable::plain(to_address, address));
        variables.push(Variable { name: to_header.to_owned(), value: Value::Masked(header.clone()) });
    }
    first_of_each_name(variables)
}

/// The variables of a sign-in without a broker: `refresh: false`.
#[must_use]
pub fn snapshot(families: &BTreeSet<Family>, facts: &Facts) -> Vec<Variable> {
    let mut variables = always::variables(facts);
    let snapshots = families.iter().filter_map(|family| family.definition().snapshot.ok());
    variables.extend(snapshots.flat_map(|snapshot| snapshot(facts)));
    first_of_each_name(variables)
}

/// Every name that a session can export for the families of the input `exports`, whatever its scheme, scope and cloud.
#[must_use]
pub fn every_name() -> BTreeSet<String> {
    let all: BTreeSet<_> = Family::named_in_exports().collect();
    let some = || Some(PathBuf::new());
    let facts = Facts {
        client: Some(Uuid::nil()),
        tenant: Uuid::nil(),
        subscription: Some(Uuid::nil()),
        authority: String::new(),
        cloud: Some(Cloud::Public),
        id_token_file: some(),
        azure_cli_folder: some(),
        azure_cli_extensions: some(),
        machine: Some((String::new(), Secret::new(String::new()))),
        targets: TargetFacts::default(),
    };
    let endpoints = [true, false]
        .map(|gives_id_token| BrokerEndpoint { gives_id_token, ..BrokerEndpoint::placeholder() });
    let live = endpoints.iter().flat_map(|endpoint| live(&all, &facts, endpoint));
    live.chain(snapshot(&all, &facts)).map(|variable| variable.name).collect()
}

/// The names that other programs, or later sessions, set or read too: a session that replaces another does not clear them.
#[must_use]
pub fn shared_names() -> Vec<&'static str> {
    let shared = Family::ALL.iter().flat_map(|family| family.definition().shared);
    shared.chain(&KEPT_MACHINE_VARIABLES).copied().collect()
}

/// The variables with an address of the broker, each with the one that has the key for it.
#[must_use]
pub fn addresses_and_keys() -> Vec<(&'static str, &'static str)> {
    let [endpoint, header] = IDENTITY_VARIABLES;
    let markers = Family::ALL.iter().flat_map(|family| family.markers());
    let pairs = markers.filter_map(|marker| match marker.leads_to {
        LeadsTo::Broker(Some(key)) => Some((marker.variable, key)),
        LeadsTo::Broker(None) | LeadsTo::Folder => None,
    });
    std::iter::once((endpoint, header)).chain(pairs).collect()
}

/// What these families may not do as it is meant, since others of them are exported too.
#[must_use]
pub fn warnings(families: &BTreeSet<Family>) -> Vec<&'static str> {
    let all = families.iter().flat_map(|family| family.definition().warnings_beside);
    let is_exported = |name: &str| families.iter().any(|family| family.as_str() == name);
    all.filter(|(other, _)| is_exported(other)).map(|(_, warning)| *warning).collect()
}

/// Whether a session may replace the value that a variable has, or empty it: what the pipeline or the machine says of a
/// yielding variable stays.
#[must_use]
pub fn may_replace(name: &str, value: &str) -> bool {
    let mut yielding = Family::ALL.iter().filter_map(|family| family.yielding());
    yielding.all(|YieldingVariable { variable, own_values, .. }| {
        variable != name || own_values.iter().any(|own| own.eq_ignore_ascii_case(value))
    })
}

/// Whether a session takes the names by which the machine's own identity is found.
fn hides_machine(variables: &[Variable]) -> bool {
    let [endpoint, _] = IDENTITY_VARIABLES;
    variables.iter().any(|variable| variable.name == endpoint)
}

fn first_of_each_name(mut variables: Vec<Variable>) -> Vec<Variable> {
    let mut seen = BTreeSet::new();
    variables.retain(|variable| seen.insert(variable.name.clone()));
    variables
}

/// The conflicts of these families that are there, each once for its variables. `value` gives the value of a variable that is set and
/// not empty; `is_ours` tells the variables that a session has set, or clears.
pub fn conflicts_in_force<'a>(
    families: impl IntoIterator<Item = Family>,
    session_kind: SessionKind,
    facts: &Facts,
    value: impl Fn(&str) -> Option<&'a str>,
    is_ours: impl Fn(&str) -> bool,
) -> Vec<&'static Conflict> {
    let mut seen = BTreeSet::new();
    let all = families.into_iter().flat_map(Family::conflicts);
    all.filter(|conflict| conflict.is_there(session_kind, facts, &value))
        .filter(|conflict| !conflict.variables.iter().any(|name| is_ours(name)))
        .filter(|conflict| seen.insert((conflict.variables, conflict.effect)))
        .collect()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::{conflict::Remedy, variable::tests::facts, *};

    fn names(families: &[Family], facts: &Facts) -> Vec<String> {
        let families = families.iter().copied().collect();
        snapshot(&families, facts).into_iter().map(|variable| variable.name).collect()
    }

    #[test]
    fn a_snapshot_never_switches_on_what_needs_a_broker() {
        let names = names(Family::ALL, &facts());
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
    fn every_family_says_what_it_is_and_by_which_of_its_own_variables_it_is_seen() {
        let endpoint = |kind| BrokerEndpoint {
            gives_id_token: kind == SessionKind::IdToken,
            ..BrokerEndpoint::placeholder()
        };
        let vault = VaultFacts {
            address: "https://vault.contoso.com".to_owned(),
            namespace: None,
            token: Secret::new("token-of-vault".to_owned()),
        };
        let targets = TargetFacts {
            aws_region: Some("eu-central-1".to_owned()),
            vault: Some(vault),
            google: Some(GoogleFacts { credential_file: PathBuf::new(), project: None }),
            docker_folder: Some(PathBuf::new()),
            git: Some(GitFacts { begin: 0, session: None, host: None }),
            feeds: vec!["https://pkgs.dev.azure.com/contoso/_packaging/main/nuget/v3/index.json".to_owned()],
        };
        let facts = Facts { azure_cli_folder: Some(PathBuf::new()), targets, ..facts() };
        let mut seen = BTreeSet::new();
        for family in Family::ALL.iter().copied() {
            assert!(!family.as_str().is_empty() && !family.summary().is_empty(), "{family:?}");
            assert!(!family.has_snapshot() || names(&[family], &facts).len() > 4, "{family:?}");
            assert_ne!(family.why_no_snapshot(), Some(""), "{family:?}");
            // No variable of these leads to the broker or into the folder, and to none of another family's.
            let is_unseen = matches!(family, Family::Vault | Family::Git | Family::Artifacts);
            let is_seen = family.markers().iter().any(|marker| marker.sessions != [SessionKind::Snapshot]);
            assert_ne!(is_seen, is_unseen, "{family:?}");
            for Marker { variable, sessions, .. } in family.markers() {
                for kind in *sessions {
                    let families = BTreeSet::from([family]);
                    let variables = match kind {
                        SessionKind::Snapshot => snapshot(&families, &facts),
                        kind => live(&families, &facts, &endpoint(*kind)),
                    };
                    assert!(variables.iter().any(|own| own.name == *variable), "{family:?}: {variable}");
                    assert!(seen.insert((variable, kind.as_str())), "{variable} is of two families");
                }
            }
        }
    }

    #[test]
    fn an_address_without_its_key_and_a_family_beside_another_are_told_from_the_definitions() {
        let pairs = addresses_and_keys();
        for pair in [
            ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"),
            ("ARM_OIDC_REQUEST_URL", "ARM_OIDC_REQUEST_TOKEN"),
            ("AZD_AUTH_ENDPOINT", "AZD_AUTH_KEY"),
        ] {
            assert!(pairs.contains(&pair), "{pair:?}");
        }
        assert_eq!(warnings(&Family::ALL.iter().copied().collect()).len(), 1);
        assert_eq!(warnings(&BTreeSet::from([Family::TokenFile, Family::Terraform])), Vec::<&str>::new());
        assert!(may_replace("AZCOPY_AUTO_LOGIN_TYPE", "msi") && may_replace("ARM_CLIENT_ID", "x"));
        assert!(!may_replace("AZCOPY_AUTO_LOGIN_TYPE", "AZCLI"));
        assert!(shared_names().contains(&"AZURE_EXTENSION_DIR"));
        assert_eq!(Family::of_program("terraform"), Some(Family::Terraform));
        assert_eq!(Family::of_program("node"), None);
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
        let token = NamedToken {
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

    fn is_there(conflict: &Conflict, value: &str) -> bool {
        conflict.is_there(conflict.sessions[0], &facts(), |_| Some(value).filter(|value| !value.is_empty()))
    }

    #[test]
    fn every_conflict_names_a_tool_and_a_variable_and_no_empty_variable_counts() {
        for family in Family::ALL {
            for conflict in family.conflicts() {
                assert!(!conflict.variables.is_empty() && !conflict.sessions.is_empty());
                assert!(
                    conflict.effect.ends_with('.') && !conflict.effect.contains('\n'),
                    "{}",
                    conflict.effect
                );
                assert!(!is_there(conflict, ""), "{:?}", conflict.variables);
            }
        }
    }

    #[test]
    fn what_is_read_as_a_value_when_it_is_empty_is_never_emptied() {
        // Python's credentials raise, Rust's and Python's take Service Fabric for meant, Go's constructor fails, az takes an
        // empty option for a value.
        for name in [
            "AZURE_CLIENT_SECRET",
            "AZURE_CLIENT_CERTIFICATE_PATH",
            "AZURE_USERNAME",
            "AZURE_PASSWORD",
            "IDENTITY_SERVER_THUMBPRINT",
            "AZURE_TOKEN_CREDENTIALS",
            "AZURE_CLOUD_NAME",
            "ARM_CLOUD_METADATA_URL",
            "AZURE_CORE_USE_MSAL_MANAGED_IDENTITY",
        ] {
            let all = Family::ALL.iter().copied().flat_map(Family::conflicts);
            let named: Vec<_> = all.filter(|conflict| conflict.variables.contains(&name)).collect();
            assert!(!named.is_empty(), "{name}");
            assert!(named.iter().all(|conflict| conflict.from_machine == Remedy::Warn), "{name}");
        }
    }

    #[test]
    fn the_names_of_all_sessions_are_those_of_each() {
        let all = every_name();
        for name in
            ["ARM_MSI_ENDPOINT", "ARM_OIDC_REQUEST_URL", "ARM_OIDC_TOKEN_FILE_PATH", "ARM_ENVIRONMENT"]
        {
            assert!(all.contains(name), "{name}");
        }
        assert!(names(Family::ALL, &facts()).iter().all(|name| all.contains(name)));
    }
}

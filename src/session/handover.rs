//! What the step hands over to its broker, through a pipe: never in arguments, environment or a file.

use std::{
    collections::BTreeMap,
    env,
    path::{self, PathBuf},
};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;
use wif_azure::managed_identity;
use wif_broker::cache::CachedToken;
use wif_core::{secret::Secret, token::lifetime::Lifetime};
use wif_io::env::Env;
use zeroize::Zeroizing;

use crate::{agent::network, sources::azure_pipelines, targets};

/// Everything that a broker begins with.
#[derive(Serialize, Deserialize)]
pub(super) struct Handover {
    /// The part of the step's environment that a sign-in is made of.
    pub(super) variables: BTreeMap<String, Zeroizing<String>>,
    /// What callers must have.
    pub(super) key: Zeroizing<String>,
    /// The client id that the step signed in as; a managed identity's connection may not name it.
    pub(super) client: Option<String>,
    /// The id token that the step signed in with.
    pub(super) id_token: Option<Handed>,
    /// The access tokens that the step got, by scope.
    pub(super) access_tokens: BTreeMap<String, Handed>,
    /// The credentials of other clouds that the step got, by their names.
    #[serde(default)]
    pub(super) targets: BTreeMap<String, Handed>,
    /// The file that the id token is kept in.
    pub(super) id_token_file: Option<PathBuf>,
    /// When the broker ends whatever happens, in hours from now.
    pub(super) hours: u32,
}

/// A token on its way to the broker.
#[derive(Serialize, Deserialize)]
pub(super) struct Handed {
    token: Zeroizing<String>,
    /// Seconds since 1970.
    from: i64,
    until: i64,
}

/// What the broker says when it listens, or why it does not; and once more, when it goes on without the step.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Ready {
    /// The port of 127.0.0.1.
    Port(u16),
    /// Why it does not listen.
    Error(String),
}

/// What the step says when nothing can fail any more. A broker that hears the end of the pipe instead ends too: no
/// later step would find it.
pub(super) const GO: &[u8] = b"go\n";

impl Handover {
    /// The variables of `env` that a sign-in with this connection reads, and no others: above all none of the job's
    /// other secrets.
    pub(super) fn pick(env: &Env, connection: Uuid) -> BTreeMap<String, Zeroizing<String>> {
        let id = connection.to_string();
        let sources = azure_pipelines::VARIABLES.into_iter().chain(managed_identity::VARIABLES);
        let named: Vec<_> = sources.chain(network::variables()).chain(targets::variables()).collect();
        let ours = |name: &str| {
            // Windows has one case for all names.
            named.iter().any(|own| own.eq_ignore_ascii_case(name))
                || name.starts_with("INPUT_")
                || (name.starts_with("ENDPOINT_") && name.to_ascii_lowercase().contains(&id))
        };
        env.iter()
            .filter(|(name, _)| ours(name))
            .map(|(name, value)| (name.to_owned(), Zeroizing::new(found_anywhere(name, value))))
            .collect()
    }

    /// The environment for the broker's own sign-ins.
    pub(super) fn env(&self) -> Env {
        self.variables.iter().map(|(name, value)| (name.clone(), value.as_str().to_owned())).collect()
    }
}

/// A value that names the same files in every folder: the broker runs in another one than the step.
fn found_anywhere(name: &str, value: &str) -> String {
    let absolute = |path: PathBuf| path::absolute(&path).unwrap_or(path);
    let is = |known: &str| known.eq_ignore_ascii_case(name);
    let found = if network::FILES.into_iter().chain(targets::FILES).any(is) {
        absolute(value.into()).into_os_string().into_string().ok()
    } else if is(network::FOLDERS) {
        let joined = env::join_paths(env::split_paths(value).map(absolute)).ok();
        joined.and_then(|all| all.into_string().ok())
    } else {
        None
    };
    found.unwrap_or_else(|| value.to_owned())
}

impl Handed {
    pub(super) fn new(token: &Secret, from: OffsetDateTime, until: OffsetDateTime) -> Self {
        let token = Zeroizing::new(token.expose().to_owned());
        Self { token, from: from.unix_timestamp(), until: until.unix_timestamp() }
    }

    pub(super) fn fresh(&self) -> Option<CachedToken> {
        let moment = |seconds| OffsetDateTime::from_unix_timestamp(seconds).ok();
        let lifetime = Lifetime { from: moment(self.from)?, until: moment(self.until)? };
        Some(CachedToken::new(Secret::new(self.token.as_str().to_owned()), lifetime))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_same_one_in_the_brokers_folder() {
        let here = env::current_dir().unwrap();
        let of = |name: &str, value: &str| found_anywhere(name, value);
        let expected = here.join("ca.pem").display().to_string();
        for name in ["SSL_CERT_FILE", "VAULT_CACERT"] {
            assert_eq!(of(name, "ca.pem"), expected);
            assert_eq!(of(name, &expected), expected);
        }
        let folders = env::join_paths(["some", "others"].map(PathBuf::from)).unwrap().into_string().unwrap();
        let all = env::join_paths(["some", "others"].map(|one| here.join(one))).unwrap();
        assert_eq!(of("SSL_CERT_DIR", &folders), all.into_string().unwrap());
        assert_eq!(of("INPUT_VAULTROLE", "deploy"), "deploy");
        assert_eq!(of("SSL_CERT_FILE", ""), "");
    }

    #[test]
    fn the_jobs_other_secrets_and_connections_stay_behind() {
        let connection = Uuid::from_u128(1);
        let other = Uuid::from_u128(2);
        let env: Env = [
            ("SECRET_DATABASE_PASSWORD".to_owned(), "s".to_owned()),
            (format!("ENDPOINT_AUTH_PARAMETER_{other}_SERVICEPRINCIPALKEY"), "s".to_owned()),
            (format!("ENDPOINT_URL_{connection}"), "u".to_owned()),
            ("ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN".to_owned(), "t".to_owned()),
            ("PATH".to_owned(), "/bin".to_owned()),
        ]
        .into_iter()
        .collect();
        let names: Vec<_> = Handover::pick(&env, connection).into_keys().collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[test]
    fn the_connection_is_handed_over_in_any_case_of_its_names() {
        let connection = Uuid::from_u128(0xABCD);
        let name = format!("ENDPOINT_URL_{connection}").to_uppercase();
        let env: Env = [(name.clone(), "u".to_owned())].into_iter().collect();
        let names: Vec<_> = Handover::pick(&env, connection).into_keys().collect();
        assert_eq!(names, [name]);
    }
}

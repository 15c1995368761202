//! The registries of a session, as its configuration of Docker names them, and the users of their logins.
//!
//! Source: docker/cli, `cli/config/configfile/file.go` (`credHelpers`); docker/docker-credential-helpers, `credentials/credentials.go`
//! (`List`).

use std::path::Path;

use serde_json::{Map, Value};
use wif_core::{azure::hosts::AllowedHosts, exports::Family};
use wif_io::env::Env;

use super::{network::read_file, sessions::prefix, target_inputs::registry};

/// Docker's configuration, in the folder that `DOCKER_CONFIG` names.
pub(crate) const FILE: &str = "config.json";
/// The helper of the session without a name.
const HELPER: &str = "wif";
/// The user that a registry of Azure's takes with a token.
pub(crate) const AZURE_USER: &str = "00000000-0000-0000-0000-000000000000";
/// The user that a registry of Google's takes with an access token.
pub(crate) const GOOGLE_USER: &str = "oauth2accesstoken";
/// The user that a registry of AWS' takes with a token.
pub(crate) const AWS_USER: &str = "AWS";

/// The credential helper of a session, as Docker's configuration names it. Each session has its own: the folders of all sessions are
/// on one `PATH`, where one name would lead to the last session only.
pub(crate) fn helper(session: Option<&str>) -> String {
    session.map_or_else(|| HELPER.to_owned(), |session| format!("{HELPER}-{}", session.to_ascii_lowercase()))
}

/// The registries of a session by the addresses that Docker has for servers, each with the user of its logins; none, where the
/// session has no configuration of Docker.
pub(crate) fn of_session(env: &Env, session: Option<&str>) -> Map<String, Value> {
    let folder = env.get(&format!("{}DOCKER_CONFIG", prefix(session)));
    let settings = folder.and_then(|folder| read_file(Path::new(folder).join(FILE)).ok());
    let settings: Option<Value> = settings.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let helpers = settings.as_ref().and_then(|settings| settings.get("credHelpers")?.as_object());
    let own = helper(session);
    let servers = helpers.into_iter().flatten().filter(|(_, helper)| **helper == own);
    servers.map(|(server, _)| (format!("https://{server}"), Value::from(user(server)))).collect()
}

fn user(server: &str) -> &'static str {
    // A host that is of no cloud is one that the user names, which is taken for one of Azure's.
    match registry(server, &AllowedHosts::default()).map(|known| known.cloud) {
        Some(Family::Aws) => AWS_USER,
        Some(Family::Google) => GOOGLE_USER,
        _ => AZURE_USER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_has_the_user_of_its_cloud() {
        for (server, expected) in [
            ("contoso.azurecr.io", AZURE_USER),
            ("registry.example:5000", AZURE_USER),
            ("europe-west3-docker.pkg.dev", GOOGLE_USER),
            ("123456789012.dkr.ecr.eu-central-1.amazonaws.com", AWS_USER),
        ] {
            assert_eq!(user(server), expected, "{server}");
        }
    }
}

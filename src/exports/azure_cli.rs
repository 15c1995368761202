//! `azure-cli`: the files of a private `AZURE_CONFIG_DIR` in which `az` is signed in already, with no token in any.
//!
//! `az` takes the account for a managed identity and asks `IDENTITY_ENDPOINT` for each token: nothing that expires is
//! on disk, and a step of any length works. Source: azure-cli 2.91.0, `azure/cli/core/_profile.py` (the account),
//! `cloud.py` (`clouds.config`), `knack/config.py` (`config`), `_session.py` and `util.py` (the rest).

use serde_json::{Value, json};
use uuid::Uuid;

use super::conflict::{Conflict, LIVE, Remedy, Values};
use crate::identity::cloud::Cloud;

/// az takes an empty text for the value of an option.
///
/// Source: microsoft/knack, `config.py`; azure-cli, `azure/cli/core/cloud.py`, `auth/msal_credentials.py`.
pub(super) const CONFLICTS: &[Conflict] = &[
    Conflict {
        variables: &["AZURE_CLOUD_NAME"],
        values: Values::AllButOurs(|facts| facts.cloud.map(|cloud| cloud.environment().to_owned())),
        effect: "az uses that cloud, in which this session has no account.",
        ..WINS
    },
    Conflict {
        variables: &["ARM_CLOUD_METADATA_URL"],
        effect: "az takes its list of clouds from that address; this session's account is found only if its cloud is in it.",
        ..WINS
    },
    Conflict {
        variables: &["AZURE_CORE_USE_MSAL_MANAGED_IDENTITY"],
        values: Values::Only(&["false", "0", "no", "off"]),
        effect: "az 2.71 to 2.74 ask the machine's own identity service, and not the session.",
        ..WINS
    },
    Conflict {
        variables: &["IDENTITY_SERVER_THUMBPRINT"],
        effect: "az takes IDENTITY_ENDPOINT for that of Service Fabric, which speaks another protocol, and fails.",
        ..WINS
    },
];

const WINS: Conflict =
    Conflict { variables: &[], values: Values::Any, served: LIVE, from_machine: Remedy::Warn, effect: "" };

/// What `az` is to know.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    /// The application or user-assigned identity; none for the machine's system-assigned identity.
    pub(crate) client: Option<Uuid>,
    /// The tenant.
    pub(crate) tenant: Uuid,
    /// What commands act on.
    pub(crate) scope: Scope,
    /// The cloud, where it is a known one.
    pub(crate) cloud: Option<Cloud>,
    /// Entra's base URL.
    pub(crate) authority: String,
    /// The resource manager's base URL.
    pub(crate) resource_manager: String,
    /// The resource that the resource manager's tokens are for.
    pub(crate) audience: String,
    /// Whether the URLs are others than those of the cloud.
    pub(crate) custom: bool,
    /// The version of the installed `az`, where it is known. No setting keeps `az` from looking for a newer version when
    /// it is first run with this folder, but that it did so already.
    pub(crate) az_version: Option<String>,
}

/// What commands act on.
#[derive(Clone, Debug)]
pub(crate) enum Scope {
    /// A subscription.
    Subscription {
        /// Its id.
        id: Uuid,
        /// Its name, where it is known.
        name: Option<String>,
    },
    /// A management group, or nothing: the tenant.
    Tenant,
}

/// A file of the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// Its name.
    pub(crate) name: &'static str,
    /// All of it, without any secret.
    pub(crate) content: String,
}

/// The files of the folder, each of which `az` may write again: they and the folder are to be the user's own.
pub(crate) fn files(profile: &Profile) -> Vec<File> {
    let mut files = vec![
        File { name: "azureProfile.json", content: account(profile).to_string() },
        File { name: "config", content: config(cloud_name(profile)) },
    ];
    files.extend(profile.custom.then(|| File { name: "clouds.config", content: clouds(profile) }));
    files.push(File { name: "versionCheck.json", content: checked(profile.az_version.as_deref()) });
    let kept = KEPT_BY_AZ.into_iter().map(|name| File { name, content: "{}".to_owned() });
    files.extend(kept);
    files
}

/// `Profile._normalize_properties`.
fn account(profile: &Profile) -> Value {
    let (user, info) = match profile.client {
        Some(client) => ("userAssignedIdentity", format!("MSIClient-{client}")),
        None => ("systemAssignedIdentity", "MSI".to_owned()),
    };
    let mut account = json!({
        "environmentName": cloud_name(profile),
        "isDefault": true,
        "state": "Enabled",
        "tenantId": profile.tenant.to_string(),
        "user": { "name": user, "type": "servicePrincipal", "assignedIdentityInfo": info },
    });
    let more = match &profile.scope {
        Scope::Subscription { id, name } => json!({
            "id": id.to_string(),
            "name": name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| id.to_string()),
            "homeTenantId": profile.tenant.to_string(),
            "managedByTenants": [],
        }),
        Scope::Tenant => json!({ "id": profile.tenant.to_string(), "name": TENANT_LEVEL }),
    };
    if let (Value::Object(account), Value::Object(more)) = (&mut account, more) {
        account.extend(more);
    }
    // Without an id, az makes one when it likes and writes the file anew, while another az may be reading it.
    json!({ "installationId": Uuid::nil().to_string(), "subscriptions": [account] })
}

fn config(cloud: &str) -> String {
    // Said for the public cloud too: az would write it into the file, while another az may be reading it.
    let mut text = ini("cloud", &[("name", cloud)]);
    text += &ini("core", &[("collect_telemetry", "no"), ("survey_message", "no")]);
    text += &ini("auto-upgrade", &[("enable", "no")]);
    // The names of the arguments of each command.
    text += &ini("logging", &[("enable_log_file", "no")]);
    text
}

/// A section changes the cloud that `az` knows by that name, or makes one.
fn clouds(profile: &Profile) -> String {
    let keys = [
        ("endpoint_active_directory", &profile.authority),
        ("endpoint_resource_manager", &profile.resource_manager),
        ("endpoint_active_directory_resource_id", &profile.audience),
        ("endpoint_management", &profile.audience),
    ];
    ini(cloud_name(profile), &keys.map(|(key, url)| (key, url.trim_end_matches('/'))))
}

fn cloud_name(profile: &Profile) -> &'static str {
    profile.cloud.map_or(OWN_CLOUD, Cloud::environment)
}

/// `handle_version_update` looks for a newer version unless this very one is said to have been looked up already. One
/// that is not known is left out, since az would forget a wrong one and look twice.
fn checked(version: Option<&str>) -> String {
    let local = version.map(|version| json!({ "local": version }));
    let versions = local.map(|local| json!({ "versions": { "azure-cli": local, "core": local } }));
    versions.unwrap_or_else(|| json!({})).to_string()
}

/// A section as Python's `configparser` reads it: a percent sign is doubled, and a value is one line of the characters
/// that a URL has.
fn ini(section: &str, pairs: &[(&str, &str)]) -> String {
    let mut text = format!("[{section}]\n");
    for (key, value) in pairs {
        let value: String = value.chars().filter(char::is_ascii_graphic).collect();
        text.extend([key, " = ", &value.replace('%', "%%"), "\n"]);
    }
    text + "\n"
}

/// `_TENANT_LEVEL_ACCOUNT_NAME`, which az compares.
const TENANT_LEVEL: &str = "N/A(tenant level account)";

/// A cloud that az does not know.
const OWN_CLOUD: &str = "wif";

/// What az writes at its start where it is missing. Another az that starts meanwhile finds half a file, and warns.
const KEPT_BY_AZ: [&str; 6] = [
    "az.json",
    "az.sess",
    "commandIndex.json",
    "extensionIndex.json",
    "helpIndex.json",
    "extensionHelpIndex.json",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile {
            client: Some(Uuid::from_u128(1)),
            tenant: Uuid::from_u128(2),
            scope: Scope::Subscription { id: Uuid::from_u128(3), name: Some("Production".to_owned()) },
            cloud: Some(Cloud::Public),
            authority: Cloud::Public.authority().to_owned(),
            resource_manager: Cloud::Public.resource_manager().to_owned(),
            audience: Cloud::Public.resource_manager().to_owned(),
            custom: false,
            az_version: None,
        }
    }

    fn content(profile: &Profile, name: &str) -> Option<String> {
        files(profile).into_iter().find(|file| file.name == name).map(|file| file.content)
    }

    fn account_of(profile: &Profile) -> Value {
        let text = content(profile, "azureProfile.json").unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["subscriptions"].as_array().unwrap().len(), 1);
        value["subscriptions"][0].clone()
    }

    #[test]
    fn no_file_has_a_word_for_a_token_or_a_secret() {
        for file in files(&Profile { custom: true, az_version: Some("2.91.0".to_owned()), ..profile() }) {
            let text = file.content.to_lowercase();
            for word in ["token", "secret", "password", "key", "assertion", "certificate"] {
                assert!(!text.contains(word), "{} has {word}", file.name);
            }
        }
    }

    #[test]
    fn the_account_is_the_managed_identity_of_the_client_or_of_the_machine() {
        let user =
            |name, info| json!({ "name": name, "type": "servicePrincipal", "assignedIdentityInfo": info });
        let account = account_of(&Profile { client: None, ..profile() });
        assert_eq!(account["user"], user("systemAssignedIdentity", "MSI"));
        let account = account_of(&profile());
        let info = "MSIClient-00000000-0000-0000-0000-000000000001";
        assert_eq!(account["user"], user("userAssignedIdentity", info));
        assert_eq!(account["id"], "00000000-0000-0000-0000-000000000003");
        assert_eq!(account["tenantId"], "00000000-0000-0000-0000-000000000002");
        assert_eq!(account["isDefault"], true);
    }

    #[test]
    fn at_tenant_level_the_tenant_stands_for_the_subscription() {
        let account = account_of(&Profile { scope: Scope::Tenant, ..profile() });
        assert_eq!(account["id"], account["tenantId"]);
        assert_eq!(account["name"], "N/A(tenant level account)");
        assert_eq!(account.get("homeTenantId"), None);
    }

    #[test]
    fn a_name_is_told_as_it_is_whatever_is_in_it() {
        let id = Uuid::from_u128(3);
        let of = |name: Option<&str>| {
            let scope = Scope::Subscription { id, name: name.map(str::to_owned) };
            account_of(&Profile { scope, ..profile() })["name"].as_str().unwrap().to_owned()
        };
        let name = "Prod \"ü\" \\ %(x)s\r\n[cloud]\u{2028}\u{0}";
        assert_eq!(of(Some(name)), name);
        assert_eq!(of(None), id.to_string(), "az wants a text");
        assert_eq!(of(Some("")), id.to_string());
    }

    #[test]
    fn each_cloud_is_chosen_by_the_name_that_az_has_for_it() {
        for cloud in Cloud::ALL {
            let profile = Profile { cloud: Some(cloud), ..profile() };
            let chosen = format!("[cloud]\nname = {}\n", cloud.environment());
            assert!(content(&profile, "config").unwrap().starts_with(&chosen));
            assert_eq!(account_of(&profile)["environmentName"], cloud.environment());
            assert_eq!(content(&profile, "clouds.config"), None);
        }
    }

    #[test]
    fn what_az_would_send_or_ask_of_itself_is_off() {
        let config = content(&profile(), "config").unwrap();
        for line in ["collect_telemetry = no", "survey_message = no", "[auto-upgrade]\nenable = no"] {
            assert!(config.contains(line), "{line}");
        }
    }

    #[test]
    fn a_known_version_is_looked_up_already_and_an_unknown_one_is_not_made_up() {
        let of = |az_version: Option<&str>| {
            let profile = Profile { az_version: az_version.map(str::to_owned), ..profile() };
            serde_json::from_str::<Value>(&content(&profile, "versionCheck.json").unwrap()).unwrap()
        };
        assert_eq!(of(Some("2.91.0"))["versions"]["core"]["local"], "2.91.0");
        assert_eq!(of(None), json!({}));
    }

    #[test]
    fn other_urls_change_a_known_cloud_and_make_an_unknown_one() {
        let of = |cloud| Profile {
            cloud,
            authority: "https://login.example/".to_owned(),
            resource_manager: "https://arm.example:30024/".to_owned(),
            audience: "https://management.example/4f8a".to_owned(),
            custom: true,
            ..profile()
        };
        let keys = "endpoint_active_directory = https://login.example\n\
                    endpoint_resource_manager = https://arm.example:30024\n\
                    endpoint_active_directory_resource_id = https://management.example/4f8a\n\
                    endpoint_management = https://management.example/4f8a\n\n";
        for (cloud, name) in [(Some(Cloud::China), "AzureChinaCloud"), (None, "wif")] {
            assert_eq!(content(&of(cloud), "clouds.config").unwrap(), format!("[{name}]\n{keys}"));
            assert!(content(&of(cloud), "config").unwrap().contains(&format!("name = {name}\n")));
            assert_eq!(account_of(&of(cloud))["environmentName"], name);
        }
    }

    #[test]
    fn a_value_stays_one_line_and_is_not_interpolated() {
        let text = ini("x", &[("a", "https://e\n[core]\r\ncollect_telemetry = yes\u{85}%(b)s")]);
        assert_eq!(text, "[x]\na = https://e[core]collect_telemetry=yes%%(b)s\n\n");
    }
}

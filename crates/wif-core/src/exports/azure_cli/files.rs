//! The files of the private `AZURE_CONFIG_DIR`, with no token in any.
//!
//! Source: azure-cli 2.91.0, `azure/cli/core/_profile.py` (the account), `cloud.py` (`clouds.config`), `knack/config.py` (`config`),
//! `_session.py` and `util.py` (the rest).

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    ini::Ini,
    profile::{Profile, Scope, Subscription},
};
use crate::azure::cloud::Cloud;

/// A file of the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: &'static str,
    /// All of it, without any secret.
    pub content: String,
}

/// Whether settings of the user name the folder of extensions: a variable would win over it.
#[must_use]
pub fn names_extension_folder(config: &str) -> bool {
    Ini::parse(config).has("extension", "dir")
}

/// The files of the folder, each of which `az` may write again: they and the folder are to be the user's own.
#[must_use]
pub fn files(profile: &Profile) -> Vec<File> {
    let mut files = vec![
        File { name: "azureProfile.json", content: accounts(profile).to_string() },
        File { name: "config", content: config(profile) },
    ];
    let clouds = clouds(profile);
    files.extend((!clouds.is_empty()).then(|| File { name: "clouds.config", content: clouds.text() }));
    files.push(File { name: "versionCheck.json", content: version_check(profile.az_version.as_deref()) });
    let kept = KEPT_BY_AZ.into_iter().map(|name| File { name, content: "{}".to_owned() });
    files.extend(kept);
    files
}

/// `Profile._set_subscriptions`: of several accounts, one is the default.
fn accounts(profile: &Profile) -> Value {
    let seen = &profile.subscriptions;
    let (own, default) = match &profile.scope {
        Scope::Subscription { id, name } => {
            // One in which the identity has no role yet is not listed.
            let own = seen.iter().all(|one| one.id != *id).then(|| Subscription {
                id: *id,
                name: name.clone(),
                state: ENABLED.to_owned(),
                home_tenant: profile.tenant,
                managed_by: Vec::new(),
            });
            (own, Some(*id))
        }
        Scope::Tenant => (None, first_enabled(seen).map(|subscription| subscription.id)),
    };
    let mut accounts: Vec<_> =
        own.iter().chain(seen).map(|one| account(profile, one, default == Some(one.id))).collect();
    if accounts.is_empty() {
        accounts.push(tenant_level(profile));
    }
    // Without an id, az makes one when it likes and writes the file anew, while another az may be reading it.
    json!({ "installationId": Uuid::nil().to_string(), "subscriptions": accounts })
}

/// `Profile._pick_working_subscription`: what a login without a named subscription acts on.
#[must_use]
pub fn first_enabled(subscriptions: &[Subscription]) -> Option<&Subscription> {
    subscriptions.iter().find(|one| one.state == ENABLED).or_else(|| subscriptions.first())
}

/// `Profile._normalize_properties`.
fn account(profile: &Profile, subscription: &Subscription, default: bool) -> Value {
    let Subscription { id, name, state, home_tenant, managed_by } = subscription;
    let managed_by: Vec<_> =
        managed_by.iter().map(|tenant| json!({ "tenantId": tenant.to_string() })).collect();
    json!({
        "environmentName": cloud_name(profile),
        "homeTenantId": home_tenant.to_string(),
        "id": id.to_string(),
        "isDefault": default,
        "managedByTenants": managed_by,
        "name": name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| id.to_string()),
        "state": state,
        "tenantId": profile.tenant.to_string(),
        "user": user(profile),
    })
}

/// `Profile._build_tenant_level_accounts`.
fn tenant_level(profile: &Profile) -> Value {
    json!({
        "environmentName": cloud_name(profile),
        "id": profile.tenant.to_string(),
        "isDefault": true,
        "name": TENANT_LEVEL,
        "state": ENABLED,
        "tenantId": profile.tenant.to_string(),
        "user": user(profile),
    })
}

fn user(profile: &Profile) -> Value {
    let (user, info) = match profile.client {
        Some(client) => ("userAssignedIdentity", format!("MSIClient-{client}")),
        None => ("systemAssignedIdentity", "MSI".to_owned()),
    };
    json!({ "name": user, "type": "servicePrincipal", "assignedIdentityInfo": info })
}

/// The user's own settings, except for the few that a session stands on.
fn config(profile: &Profile) -> String {
    let mut config = Ini::parse(profile.own.config.as_deref().unwrap_or_default());
    // Said for the public cloud too: az would write it into the file, while another az may be reading it.
    config.set("cloud", "name", cloud_name(profile));
    for (section, key, value) in [
        ("core", "collect_telemetry", "no"),
        ("core", "survey_message", "no"),
        // az 2.71 and 2.72 know `IDENTITY_ENDPOINT` only with this; later ones always do.
        ("core", "use_msal_managed_identity", "true"),
        ("auto-upgrade", "enable", "no"),
        // The names of the arguments of each command.
        ("logging", "enable_log_file", "no"),
    ] {
        config.set(section, key, value);
    }
    config.text()
}

/// A section changes the cloud that `az` knows by that name, or makes one.
fn clouds(profile: &Profile) -> Ini {
    let mut clouds = Ini::parse(profile.own.clouds.as_deref().unwrap_or_default());
    // Which subscription the user's own account acted on.
    clouds.remove_everywhere("subscription");
    // Where its services are is the connection's to say, and after it az's: tokens are sent there.
    clouds.keep_only(cloud_name(profile), "profile");
    // What stands here is a key of every cloud.
    clouds.remove_section("DEFAULT");
    if profile.custom {
        for (key, url) in [
            ("endpoint_active_directory", &profile.authority),
            ("endpoint_resource_manager", &profile.resource_manager),
            ("endpoint_active_directory_resource_id", &profile.audience),
            ("endpoint_management", &profile.audience),
        ] {
            clouds.set(cloud_name(profile), key, url.trim_end_matches('/'));
        }
    }
    clouds
}

fn cloud_name(profile: &Profile) -> &'static str {
    profile.cloud.map_or(OWN_CLOUD, Cloud::environment)
}

/// `handle_version_update` looks for a newer version unless this very one is said to have been looked up already. One
/// that is not known is left out, since az would forget a wrong one and look twice.
fn version_check(version: Option<&str>) -> String {
    let local = version.map(|version| json!({ "local": version }));
    let versions = local.map(|local| json!({ "versions": { "azure-cli": local, "core": local } }));
    versions.unwrap_or_else(|| json!({})).to_string()
}

/// `_TENANT_LEVEL_ACCOUNT_NAME`, which az compares.
const TENANT_LEVEL: &str = "N/A(tenant level account)";

/// A subscription that can be used.
const ENABLED: &str = "Enabled";

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
    use super::{super::profile::OwnSettings, *};

    fn profile() -> Profile {
        Profile {
            client: Some(Uuid::from_u128(1)),
            tenant: Uuid::from_u128(2),
            scope: Scope::Subscription { id: Uuid::from_u128(3), name: Some("Production".to_owned()) },
            subscriptions: Vec::new(),
            own: OwnSettings::default(),
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
            assert!(content(&profile, "config").unwrap().contains(&chosen));
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

    fn seen(id: u128, name: &str, state: &str) -> Subscription {
        Subscription {
            id: Uuid::from_u128(id),
            name: Some(name.to_owned()),
            state: state.to_owned(),
            home_tenant: Uuid::from_u128(9),
            managed_by: vec![Uuid::from_u128(2)],
        }
    }

    /// Names, and the name of the default.
    fn named(profile: &Profile) -> (Vec<String>, Vec<String>) {
        let value = accounts(profile);
        let name = |account: &Value| account["name"].as_str().unwrap().to_owned();
        let all = value["subscriptions"].as_array().unwrap();
        let default = all.iter().filter(|account| account["isDefault"] == true);
        (all.iter().map(name).collect(), default.map(name).collect())
    }

    #[test]
    fn the_connections_own_subscription_is_the_default_listed_or_not() {
        let other = seen(4, "Other", "Enabled");
        let mut profile = Profile { subscriptions: vec![other], ..profile() };
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(named(&profile), (texts(&["Production", "Other"]), texts(&["Production"])));
        profile.subscriptions.push(seen(3, "Renamed", "Warned"));
        assert_eq!(named(&profile), (texts(&["Other", "Renamed"]), texts(&["Renamed"])));
    }

    #[test]
    fn without_a_subscription_of_its_own_the_first_that_is_enabled_is_the_default() {
        let mut profile = Profile { scope: Scope::Tenant, ..profile() };
        profile.subscriptions = vec![seen(4, "Old", "Disabled"), seen(5, "New", "Enabled")];
        assert_eq!(named(&profile).1, ["New"]);
        profile.subscriptions.pop();
        assert_eq!(named(&profile), (vec!["Old".to_owned()], vec!["Old".to_owned()]));
    }

    #[test]
    fn a_subscription_of_another_tenant_is_used_by_tokens_of_the_connections() {
        let profile = Profile { subscriptions: vec![seen(3, "Lighthouse", "Enabled")], ..profile() };
        let account = account_of(&profile);
        assert_eq!(account["tenantId"], "00000000-0000-0000-0000-000000000002");
        assert_eq!(account["homeTenantId"], "00000000-0000-0000-0000-000000000009");
        assert_eq!(account["managedByTenants"][0]["tenantId"], "00000000-0000-0000-0000-000000000002");
    }

    #[test]
    fn the_users_own_clouds_are_there_and_do_not_say_where_the_connections_cloud_is() {
        let clouds = "[AzureCloud]\nprofile = latest\nsubscription = x\nendpoint_resource_manager = https://own\nsuffix_keyvault_dns = .own\n\
                      [OwnCloud]\nendpoint_gallery = https://own\nsubscription = x\n\
                      [DEFAULT]\nsuffix_storage_endpoint = .own\n";
        let own = OwnSettings {
            config: Some("[cloud]\nname = OwnCloud\n".to_owned()),
            clouds: Some(clouds.to_owned()),
        };
        let profile = Profile { own, ..profile() };
        let expected = "[AzureCloud]\nprofile = latest\n\n[OwnCloud]\nendpoint_gallery = https://own\n\n";
        assert_eq!(content(&profile, "clouds.config").unwrap(), expected);
        assert!(content(&profile, "config").unwrap().contains("[cloud]\nname = AzureCloud\n"));
    }
}
